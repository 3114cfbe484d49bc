"""The text that the micro model learns: little stories, made from sentences written here.

A story keeps to its hero, the hero's pronouns, the thing that is lost and the friend who helps, so
that a model must look back to tell it right; beyond that its sentences vary freely. All of it is
this project's own text.
"""

import random

HEROES = {
    "she": ("Mia", "Lily", "Anna", "Rosa", "Bella", "Nora"),
    "he": ("Tom", "Ben", "Max", "Leo", "Sam", "Finn"),
}
FORMS = {"she": ("She", "her", "her"), "he": ("He", "him", "his")}
KINDS = ("cat", "dog", "mouse", "rabbit", "bear", "fox", "bird", "robot", "duck", "frog")
NATURES = ("little", "small", "brave", "kind", "clever", "funny", "quiet", "young")
HOMES = (
    "in a small house by the river", "in a tree near the hill", "in a garden full of flowers",
    "in a box under the stairs", "on a farm by the sea", "in the big forest",
)  # fmt: skip
THINGS = ("ball", "hat", "boat", "kite", "bell", "key", "lamp", "book", "drum", "cup")
COLORS = ("red", "blue", "green", "yellow", "white", "golden")
PLACES = ("park", "forest", "river", "hill", "garden", "beach", "lake", "market")
WEATHERS = ("sunny", "cold", "windy", "rainy", "warm", "quiet")
FOODS = ("apple", "cake", "carrot", "pie", "cookie", "pear")
SKILLS = ("swim", "sing", "dance", "climb", "read", "jump")
HIDDEN = ("under a stone", "behind a tree", "in the tall grass", "under a leaf", "in a deep hole")


class Cast:
    """Who and what a story is about, and the words for them."""

    def __init__(self, draw):
        she_he = draw.choice(("she", "he"))
        self.name = draw.choice(HEROES[she_he])
        friend_she_he = draw.choice(("she", "he"))
        others = [name for name in HEROES[friend_she_he] if name != self.name]
        self.friend = draw.choice(others)
        self.kind, self.friend_kind = draw.sample(KINDS, 2)
        self.they, (self.They, self.them, self.their) = she_he, FORMS[she_he]
        self.f_they, (self.F_they, self.f_them, self.f_their) = (
            friend_she_he,
            FORMS[friend_she_he],
        )
        self.nature, self.friend_nature = draw.sample(NATURES, 2)
        self.home, self.place = draw.choice(HOMES), draw.choice(PLACES)
        self.color, self.thing = draw.choice(COLORS), draw.choice(THINGS)
        self.weather, self.food = draw.choice(WEATHERS), draw.choice(FOODS)
        self.skill, self.hidden = draw.choice(SKILLS), draw.choice(HIDDEN)
        self.a_food = ("an " if self.food[0] in "aeiou" else "a ") + self.food


OPENING = (
    "Once upon a time there was a {nature} {kind} named {name}.",
    "Once upon a time a {nature} {kind} named {name} lived {home}.",
    "There was once a {nature} {kind}. {Their} name was {name}.",
    "{name} was a {nature} {kind} who lived {home}.",
)
HAS_THING = (
    "{They} had a {color} {thing} and loved it very much.",
    "{Their} favorite thing was a {color} {thing}.",
    "Every day {they} played with {their} {color} {thing}.",
)
OUT = (
    "One {weather} day {name} went to the {place}.",
    "One {weather} morning {they} walked to the {place}.",
    "One day, when it was {weather}, {name} ran to the {place}.",
)
MEETS = (
    "There {they} met a {friend_nature} {friend_kind} named {friend}.",
    "A {friend_nature} {friend_kind} named {friend} was there too.",
    "Then {they} saw {friend}, a {friend_nature} {friend_kind}.",
)
ENDING = (
    "From that day on {name} and {friend} were best friends.",
    "{name} and {friend} played together until the sun went down.",
    "Then they went home and slept well.",
    "They laughed and were happy all day long.",
)
LOST = (
    HAS_THING,
    OUT,
    (
        "But the {thing} was gone! {name} was very sad.",
        "There {they} lost {their} {thing} and began to cry.",
        "The wind took the {thing} away, and {name} was sad.",
    ),
    MEETS,
    (
        '"Why are you so sad?" asked {friend}. "I lost my {color} {thing}," said {name}.',
        '"What is wrong?" asked the {friend_kind}. "I can not find my {thing}," said {name}.',
    ),
    (
        '"Do not worry, I will help you," said {friend}.',
        '"Let us look for it together," said {friend}.',
    ),
    (
        "They looked and looked, and at last {friend} found the {thing} {hidden}.",
        "{friend} looked {hidden}, and there was the {color} {thing}!",
    ),
    (
        '"Thank you!" said {name} and gave {f_them} a big hug.',
        "{name} was so happy that {they} began to dance.",
    ),
)
TROUBLE = (
    OUT,
    (
        "On the way {they} heard someone cry for help.",
        'Then {they} heard a small voice. "Help me!" it said.',
    ),
    (
        "It was {friend}, a {friend_nature} {friend_kind}, who had fallen into a deep hole.",
        "A {friend_nature} {friend_kind} named {friend} sat high in a tree and was afraid.",
        "A {friend_nature} {friend_kind} named {friend} was lost and did not know the way home.",
    ),
    (
        '"Do not be afraid," said {name}. "I am here."',
        '"I will help you," said the {kind}.',
    ),
    (
        "{They} took a long rope and pulled as hard as {they} could.",
        "{They} held out {their} hand, and step by step they were safe.",
    ),
    (
        '"You are very brave," said {friend}. "Thank you!"',
        "{friend} smiled and thanked {name} again and again.",
    ),
)
SHARED = (
    (
        "{name} had a big {food} and wanted to eat it all alone.",
        "{Their} mother gave {them} {a_food} for the day.",
    ),
    OUT,
    MEETS,
    (
        "{friend} was very hungry and had nothing to eat.",
        '"I am so hungry," said {friend}.',
    ),
    (
        "{name} looked at the {food} and thought for a while.",
        "At first {name} did not want to share.",
    ),
    (
        'Then {they} said, "You can have half of my {food}."',
        'But then {they} smiled. "Let us share it," said {name}.',
    ),
    (
        "They sat down and ate the {food} together. It was very good.",
        "The {food} was sweet, and it was better to eat it with a friend.",
    ),
)
LEARNED = (
    (
        "{name} wanted to {skill}, but {they} did not know how.",
        "All the others could {skill}, but {name} could not.",
    ),
    OUT,
    MEETS,
    (
        '"Can you teach me to {skill}?" asked {name}.',
        '"I wish that I could {skill}," said {name}.',
    ),
    (
        '"Yes, but you must try every day," said {friend}.',
        '"It is not hard," said {friend}. "I will show you."',
    ),
    (
        "{name} tried and tried, and it was hard at first.",
        "The first time it went wrong, and {friend} laughed. {name} laughed too.",
    ),
    (
        "At last {name} could {skill} like all the others!",
        "After many days {they} could {skill} better than {friend}.",
    ),
    ("{name} was very proud.", '"You did it!" said {friend}.'),
)
PLOTS = (LOST, TROUBLE, SHARED, LEARNED)


def story(draw: random.Random) -> str:
    """One story, without a line break."""
    cast = Cast(draw)
    words = dict(vars(cast), Their=cast.their.capitalize())
    parts = (OPENING, *draw.choice(PLOTS), ENDING)
    text = " ".join(draw.choice(part) for part in parts) + " The end."
    return text.format(**words)


if __name__ == "__main__":
    stories = random.Random(1)
    for _ in range(8):
        print(story(stories), end="\n\n")
