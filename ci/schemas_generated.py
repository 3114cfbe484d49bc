"""Schemas like those that public tools write, made at random from blocks that know their values.

Half are longer than some 1,200 bytes and four objects deep, one in a hundred has more than 8,000.
"""

import json
import math
import random
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

from schemas_written.common import D4, D6, D7, D19, D20

# By how often a schema names them; without a name it is of the last draft.
DRAFTS = {None: (2020, 25), D4: (4, 10), D6: (6, 7), D7: (7, 33), D19: (2019, 10), D20: (2020, 15)}
BYTES_MIDDLE, BYTES_SPREAD, BYTES_MIN, BYTES_MAX = 540, 1.2, 150, 14000
LEVELS, LEVEL_WEIGHTS = (2, 3, 4, 5, 6, 7), (7, 15, 36, 24, 12, 6)
# What is tried for instances before another schema is made.
TRIES = 40
VALID_MIN, VALID_MAX, INVALID_MIN, INVALID_MAX = 2, 4, 3, 5
# Stands for the rest of a recursive value, where it is deep enough.
ABSENT = object()

WORDS = """
account action address agent alias amount annotation archive argument asset attempt author backend
balance bandwidth batch binding body branch bucket budget build bundle cache calendar capacity
catalog category channel check child city class client cluster code color column command comment
commit company component condition config connection constraint contact container content context
control coordinate cost count country credential currency cursor customer data database date day
deadline debug default delay delivery dependency depth description destination detail device
dimension direction directory discount display distance document domain driver duration edge
element email enabled encoding endpoint entry environment error event example exception expiry
export expression extension factor failure feature field file filter flag folder font footer
format fraction frequency function gateway group guest handler hash header health height history
host hour icon id image import index ingress input instance interval invoice item job key keyword
kind label language latency layer layout length level limit line link list locale location lock
log longitude mailbox manifest margin mask matrix member memory message metadata method metric
mode model module monitor month name namespace network node note notification number object
offset operation operator option order origin output owner package page parameter parent part
partition password patch path pattern payload payment peer percentage period permission phone
pipeline platform plugin point policy pool port position prefix price priority process product
profile project prompt property protocol provider proxy quantity query queue quota range rate
reason receiver record region registry release reminder replica report repository request
resource response result retry revision role rollout root route row rule runtime sample scale
schedule schema scope score script search secret section selector sender series server service
session severity shard shape signature size slot snapshot source space stage start state status
step storage strategy style subject subnet subscription suffix summary tag target task template
tenant text theme threshold ticket time timeout title token tool topic total trace traffic
transport trigger type unit update url usage user value variable vendor verbosity version view
visibility volume warning webhook weight width window worker workflow workspace zone
""".split()
ODD_NAMES = ["$schema", "@type", "@id", "_id", "größe", "prénom", "名前", "año", "Content-Type",
             "x-order", "first name", "a.b", "2fa", "__typename"]  # fmt: skip
TAGS = ["type", "kind", "action", "op", "method", "role", "event"]
ODD_CHARACTERS = 'éß日😀"\\\n\t/<'
SIMPLE_TYPES = ["string", "integer", "number"]
# What each of these stands for in the templates below.
DRAWN = {"~": "0123456789", "?": "abcdefghijklmnopqrstuvwxyz", "!": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
         "&": "0123456789abcdef"}  # fmt: skip
# Templates of texts that match, and of some that mostly do not.
PATTERNS = [
    (r"^\d+\.\d+\.\d+$", "~.~.~ ~~.~.~~", "~.~ v~.~.~ ~.~.~-??"),
    (r"^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$", "v~.~.~ ~.~.~-?? ~.~.~+??.~",
     "~.~ ~.~.~- ?.~.~"),
    (r"^[a-z0-9]+(-[a-z0-9]+)*$", "???? ???-??? ??-~-????", "??--?? -?? !??? ??_??"),
    (r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "? ??? ??-?? ??--~", "-?? ??- !?? ??.??"),
    (r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", "?? ??.?? ??-~.??.?",
     "??. .?? ??..?? !!"),
    (r"^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$", "#&&& #&&&&&&", "&&& #&& #&&&&&&& #ggg"),
    (r"^[A-Z]{2}$", "!!", "?? !!! ! !~"),
    (r"^[A-Z]{3}$", "!!!", "??? !! !!!!"),
    (r"^[a-z]{2}(-[A-Z]{2})?$", "?? ??-!!", "??? ??-! ??_!!"),
    (r"^[A-Z_][A-Z0-9_]*$", "!!!! !!_!!! _!! !!_~", "~!! !!-!! !!_?"),
    (r"^[a-zA-Z_][a-zA-Z0-9_]*$", "??? ?!?? _? ??_~", "~?? ??-?? ?.?"),
    (r"^[a-zA-Z0-9_-]{1,64}$", "???_?? !?-~ ?", "??.?? ??/?"),
    (r"^\+[1-9]\d{6,14}$", "+49~~~~~~~ +1~~~~~~~~~~", "+~~~~ 49~~~~~~~ +0~~~~~~~"),
    (r"^\d+(ms|s|m|h)$", "~s ~~m ~~~ms ~h", "~~ s ~d ~.~s"),
    (r"^[^\s/]+/[^\s/]+$", "???/??? ??-?/!!", "???? ???/ ?/?/?"),
    (r"^(https?|ssh|git)://\S+$", "https://????.example/?? ssh://???@example.org/? git://?",
     "ftp://??? ???? http:/??"),
    (r"^/", "/ /??? /???/???", "???/ ./?"),
    (r"\.(json|ya?ml|toml)$", "???.json ?.yml .yaml ??/??.toml", "???.txt json ???.yl"),
    (r"^[\w.-]+\.md$", "???.md ?_?-~.md", "???.mdx ??/??.md"),
    (r"^[0-9a-f]{7,40}$", "&&&&&&& &&&&&&&&&&&&&&&&&&&&", "&&&& &&&&&&g !&&&&&&&"),
    (r"^sha256:[0-9a-f]{64}$", "sha256:" + 64 * "&", "sha256:&&&& sha512:" + 64 * "&"),
    (r"^\d{5}(-\d{4})?$", "~~~~~ ~~~~~-~~~~", "~~~~ ~~~~~-~~ ??~~~"),
    (r"^([01]\d|2[0-3]):[0-5]\d$", "0~:3~ 1~:0~ 22:5~", "24:0~ ~:3~ 1~:6~"),
    (r"^([0-9A-F]{2}:){5}[0-9A-F]{2}$", "~~:~~:A~:~~:~~:FF", "~~:~~:~~ aa:~~:~~:~~:~~:~~"),
    (r"^\d+(\.\d+)?(m|Ki|Mi|Gi|k|M|G)?$", "~ ~~~m ~Gi ~.~k", "~Kb ?~ .~ ~.M"),
    (r"^arn:aws:[a-z0-9-]+:[a-z0-9-]*:\d{12}:.+$",
     "arn:aws:??:??-~:~~~~~~~~~~~~:?? arn:aws:iam::~~~~~~~~~~~~:role/??",
     "arn:aws:?? arn:?:?:?:~:?"),
    (r"^(@[a-z0-9-~][a-z0-9-._~]*/)?[a-z0-9-~][a-z0-9-._~]*$", "??? @??/??-~ ?.??", "@?? !?? ?/?"),
    (r"^call_[A-Za-z0-9]{8,24}$", "call_????~~!! call_!?~!?~!?~!?~", "call_? ????~~!!"),
    (r"^[A-Z]{2,10}-\d+$", "!!-~ !!!!-~~~", "!-~ !!~ ??-~"),
    (r"^\$\{\{.*\}\}$", "${{??.??}} ${{}}", "${??} {{??}} ${{??}"),
]  # fmt: skip
# By the draft that has it first. Without `hostname`: the package fails for what is no text.
FORMATS = {
    "date": (7, "20~~-04-1~ 19~~-12-2~", "20~~-13-01 20~~-02-30 1~.04.20~~ tomorrow"),
    "date-time": (4, "20~~-06-1~T1~:3~:4~Z 20~~-11-2~T0~:0~:5~.~~~+02:00",
                  "20~~-06-1~ 20~~-06-1~T25:00:00Z 20~~-06-1~T1~:3~:4~"),
    "time": (7, "1~:3~:4~Z 0~:0~:5~+01:00", "1~:3~ 25:00:00Z noon"),
    "email": (4, "???.????@example.org ??~@???.com", "??? ???.org"),
    "ipv4": (4, "1~.2~.~.1~~ 10.0.~.~", "1~.2~.~ 256.1.1.1 ????"),
    "ipv6": (4, "2001:db8::&&&& fe80::1~&:~ ::1", "2001:db8::g 1::2::3 ????"),
    "uuid": (2019, "&&&&&&&&-&&&&-4&&&-8&&&-&&&&&&&&&&&&", "&&&&-&&&& ????????-????"),
    "uri": (4, "https://example.com/??? urn:????:~~ http://???.example.org:80~~/?/~#?",
            "???/?? ???"),
    "duration": (2019, "P~D PT~H~M P~Y~M", "~D P~ PT"),
    "json-pointer": (6, "/???/~ /??", "???/??"),
    "uri-reference": (6, "https://example.com/?? ../??/??.json", "??\\??"),
    "password": (4, "??????~~", ""),
}  # fmt: skip


class Block(NamedTuple):
    """A schema, with functions that make a value of it and one that is mostly not.

    Both are told how many levels of members may follow.
    """

    schema: dict
    make: Callable
    spoil: Callable


def size(value):
    return len(json.dumps(value, ensure_ascii=False))


class Maker:
    """Makes the parts of one schema."""

    def __init__(self, source):
        self.random = source
        self.address = self.any_of(DRAFTS, [weight for _, weight in DRAFTS.values()])
        self.version = DRAFTS[self.address][0]
        is_old = self.version < 2019 or self.chance(0.2)
        self.place = "definitions" if is_old else "$defs"
        self.definitions, self.references = {}, []
        self.wordiness = self.random.choice([0, 0.1, 0.3, 0.6])
        self.joint = self.random.choice(["camel", "camel", "_", "_", "-", "mixed"])

    def chance(self, share):
        return self.random.random() < share

    def any_of(self, values, weights):
        return self.random.choices(list(values), weights)[0]

    # Words.

    def name(self, taken=()):
        """One that is not taken."""
        while True:
            words = self.random.sample(WORDS, self.any_of((1, 2, 3), (55, 40, 5)))
            joint = self.random.choice(["camel", "_", "-"]) if self.joint == "mixed" else self.joint
            if joint == "camel":
                name = words[0] + "".join(map(str.capitalize, words[1:]))
            else:
                name = joint.join(words)
            if self.chance(0.02):
                name = self.random.choice(ODD_NAMES)
            if name not in taken:
                return name

    def sentence(self):
        words = self.random.choices(WORDS, k=self.random.randint(2, 9))
        return f"The {' of '.join(words[:2])}{''.join(f' {word}' for word in words[2:])}"

    def phrase(self, length):
        """A text of so many characters."""
        text = ""
        while len(text) < length:
            text += self.random.choice(WORDS) + " "
        text = list(text[:length])
        if text and self.chance(0.1):
            text[self.random.randrange(length)] = self.random.choice(ODD_CHARACTERS)
        return "".join(text)

    def filled(self, templates):
        """One of the templates, which spaces separate."""
        template = self.random.choice(templates.split(" "))
        return "".join(self.random.choice(DRAWN.get(letter, letter)) for letter in template)

    def other(self):
        """A value of any type."""
        return self.random.choice(
            ["", "wrong", "0", 0, -1, 7, 2.5, True, False, None, [], {}, [None], ["a"], {"a": 1}]
        )

    def constant(self, value):
        return {"const": value} if self.version >= 6 else {"enum": [value]}

    # Values without parts.

    def leaf(self, schema, make, *wrong):
        """A block of such functions without arguments; `wrong` make values that are mostly not."""
        spoil = lambda left: self.random.choice([*wrong, self.other])()
        return Block(schema, lambda left: make(), spoil)

    def text(self):
        least = self.random.choice([0, 0, 0, 1, 1, 3])
        most = self.random.choice([None, None, None, 12, 40, 63, 100, 255])
        schema = {"type": "string"}
        if least:
            schema["minLength"] = least
        if most:
            schema["maxLength"] = most
        make = lambda: self.phrase(self.random.randint(least, min(most or 30, 30)))
        beyond = lambda: self.phrase((most or 0) + 1)
        return self.leaf(schema, make, lambda: self.phrase(max(least - 1, 0)), beyond)

    def plain_text(self):
        return self.leaf({"type": "string"}, lambda: self.phrase(self.random.randint(0, 20)))

    def choice(self):
        words = [self.name() for _ in range(self.random.randint(2, 6))]
        values = list(dict.fromkeys(words))
        if self.chance(0.08):
            values += self.random.sample([0, 1, True, None, "", 2.5], 2)
        is_typed = all(isinstance(value, str) for value in values) and self.chance(0.75)
        schema = ({"type": "string"} if is_typed else {}) | {"enum": values}
        wrong = lambda: f"{values[0]}s"
        return self.leaf(schema, lambda: self.random.choice(values), wrong, self.name)

    def single(self, value=None):
        value = self.name() if value is None else value
        schema = self.constant(value)
        if self.chance(0.4):
            schema = {"type": "string"} | schema
        return self.leaf(schema, lambda: value, self.name)

    def patterned(self):
        pattern, right, wrong = self.random.choice(PATTERNS)
        schema = {"type": "string", "pattern": pattern}
        if self.chance(0.2):
            schema["maxLength"] = self.any_of((63, 128, 253, 1024), (40, 30, 28, 2))
        return self.leaf(schema, lambda: self.filled(right), lambda: self.filled(wrong))

    def formatted(self):
        known = [name for name, (first, *_) in FORMATS.items() if first <= self.version]
        name = self.random.choice(known)
        _, right, wrong = FORMATS[name]
        schema = {"type": "string", "format": name}
        return self.leaf(schema, lambda: self.filled(right), lambda: self.filled(wrong))

    def whole(self):
        return self.limited("integer", 0)

    def decimal(self):
        return self.limited("number", self.random.choice([1, 2, 2, 3]))

    def limited(self, kind, digits):
        """Numbers in units of a last digit, with limits and a divisor at times."""
        scale = 10**digits
        shown = lambda count: count / scale if count % scale or self.chance(0.3) else count // scale
        written = (lambda count: count) if kind == "integer" else shown
        schema = {"type": kind}
        low, high, step = -1000 * scale, 100000 * scale, 1
        if self.chance(0.2):
            step = self.random.choice([5, 10, 25, 100] if digits == 0 else [1, 1, 5, 25])
            schema["multipleOf"] = written(step)
        if self.chance(0.55):
            low = self.random.choice([0, 0, 0, 1, 1, 1024, -90, -1, -273]) * scale
            low += self.random.choice([0, 0, 5]) if digits else 0
            self.limit(schema, "minimum", low, written)
            low += "exclusiveMinimum" in schema
        if self.chance(0.45):
            span = self.random.choice([1, 5, 10, 64, 100, 600, 65535, 1000000])
            high = low + span * scale
            self.limit(schema, "maximum", high, written)
            high -= "exclusiveMaximum" in schema
        if kind == "integer" and self.chance(0.08) and high < 1 << 31:
            schema["format"] = self.random.choice(["int32", "int64"])
        elif kind == "number" and self.chance(0.08):
            schema["format"] = self.random.choice(["double", "float"])

        def make():
            top = min(high, low + 200 * scale) if self.chance(0.6) else high
            first = -(-low // step)
            return written(step * self.random.randint(first, max(top // step, first)))

        below, above = (lambda: written(low - 1)), (lambda: written(high + 1))
        return self.leaf(schema, make, below, above, lambda: str(make()), lambda: make() + 0.0625)

    def limit(self, schema, name, value, written):
        exclusive = "exclusive" + name.capitalize()
        is_exclusive = self.chance(0.2)
        if not is_exclusive or self.version == 4:
            schema[name] = written(value)
        if is_exclusive:
            schema[exclusive] = True if self.version == 4 else written(value)

    def flag(self):
        return self.leaf({"type": "boolean"}, lambda: self.chance(0.5), lambda: "true")

    def nothing(self):
        return self.leaf({"type": "null"}, lambda: None)

    def anything(self):
        schema = self.random.choice([{}, {}, {"type": "object"}, {"type": "array"}])
        if self.version >= 6 and self.chance(0.1):
            schema = True
        kinds = {"object": lambda: {"a": self.other()}, "array": lambda: [self.other()]}
        kind = schema.get("type") if isinstance(schema, dict) else None
        return self.leaf(schema, kinds.get(kind, self.other))

    def banned(self):
        """Texts but for some."""
        word = self.name()
        denied = self.random.choice([{"enum": [word, "default"]}, self.constant(word),
                                     {"pattern": "^[A-Z]"}])  # fmt: skip
        schema = {"type": "string", "not": denied}
        return self.leaf(schema, lambda: self.name([word]), lambda: word, lambda: word.upper())

    def simple(self):
        """A value without parts, as often as schemas have it."""
        kinds = [self.plain_text, self.text, self.choice, self.patterned, self.formatted,
                 self.whole, self.decimal, self.flag, self.single, self.nothing, self.anything,
                 self.banned]  # fmt: skip
        kind = self.any_of(kinds, (22, 12, 14, 10, 9, 14, 7, 12, 3, 0.5, 1.5, 1))
        return self.noted(self.nullable(kind()))

    # What is put around a schema.

    def noted(self, block):
        """The block with what has no effect: what it is about, a default, examples."""
        if not isinstance(block.schema, dict) or "$ref" in block.schema and self.version < 2019:
            return block
        before, after = {}, {}
        if self.chance(0.06):
            before["title"] = self.name().capitalize()
        if self.chance(self.wordiness):
            (before if self.chance(0.3) else after)["description"] = self.sentence()
        is_simple = "$ref" not in block.schema and not {"properties", "items"} & set(block.schema)
        if is_simple and self.chance(0.1):
            after["default"] = block.make(0)
        if is_simple and self.chance(0.05):
            after["examples"] = [block.make(0), block.make(0)]
        if self.chance(0.04):
            after |= self.random.choice([
                {"deprecated": True}, {"readOnly": True}, {"x-order": 3}, {"nullable": False},
                {"$comment": self.sentence()}, {"x-internal": {"type": "string"}}, {"example": 1},
                {"markdownDescription": f"See `{self.name()}`."}, {"x-enum-names": ["A", "B"]},
            ])  # fmt: skip
        # Keywords come in any order.
        made = list((before | block.schema | after).items())
        if self.chance(0.08):
            self.random.shuffle(made)
        return block._replace(schema=dict(made))

    def nullable(self, block, share=0.06):
        schema = block.schema
        if not self.chance(share) or schema is True or schema.get("type") == "null":
            return block
        if isinstance(schema.get("type"), str) and not {"enum", "const"} & set(schema):
            schema = schema | {"type": [schema["type"], "null"]}
        else:
            schema = {self.random.choice(["anyOf", "oneOf"]): [schema, {"type": "null"}]}
        make = lambda left: None if self.chance(0.3) else block.make(left)
        return Block(schema, make, block.spoil)

    def hoisted(self, block, name=None):
        """A reference to the block, which becomes a definition."""
        name = name or self.definition_name()
        schema, address = block.schema, self.address_of(name)
        if self.chance(0.06) and name.isascii() and name.isalpha() and isinstance(schema, dict):
            address = f"#{name}"
            own = {"$anchor": name} if self.version >= 2019 else {"$id": address}
            schema = ({"id": address} if self.version == 4 else own) | schema
        self.definitions[name] = schema
        reference = block._replace(schema={"$ref": address})
        self.references.append(reference)
        return reference

    def address_of(self, name):
        return f"#/{self.place}/{quote(name.replace('/', '~1'), safe='~$@')}"

    def definition_name(self):
        name = self.name(self.definitions)
        name = name[0].upper() + name[1:] if self.chance(0.5) else name
        name = f"{name}/v1" if self.chance(0.04) else name
        return name if name not in self.definitions else self.definition_name()

    # Objects.

    def record(self, room, levels, fixed=None, also=None, is_open=False, taken=()):
        """An object with members of its own, of some `room` bytes; `fixed` ones are required."""
        parts = dict(fixed or {})
        required = list(parts)
        parts |= also or {}
        most = len(parts) + self.random.randint(2, 8 if room < 3000 else 16) - bool(parts)
        room -= 60 + sum(size(part.schema) for part in parts.values())

        def add(part):
            nonlocal room
            name = self.name([*parts, *taken])
            parts[name] = part
            room -= size(part.schema) + len(name) + 6

        if levels > 1:
            add(self.deep(room * self.random.uniform(0.5, 0.8), levels - 1))
        while len(parts) < 2 or len(parts) < most and room > 0:
            add(self.value(room, levels - 1))
        # What is deep need not come first.
        names = list(parts)
        if self.chance(0.7):
            self.random.shuffle(names)
        parts = {name: parts[name] for name in names}
        share = self.random.choice([0, 0.3, 0.5, 0.5, 0.8, 1])
        required += [name for name in names if name not in required and name not in (also or {})
                     and self.chance(share)]  # fmt: skip
        schema = {"type": "object", "properties": {}}
        if self.chance(0.03):
            del schema["type"]
        repair = self.rule(schema, parts, required, is_open)
        if required:
            schema["required"] = required
        others = None
        if not is_open:
            others = self.any_of((None, False, True, self.simple), (48, 38, 5, 9))
            others = others() if callable(others) else others
        if others is not None:
            schema["additionalProperties"] = getattr(others, "schema", others)
        if self.chance(0.03):
            schema["patternProperties"] = {"^x-": {}}
        schema["properties"] = {name: part.schema for name, part in parts.items()}
        return self.object(schema, parts, required, others, repair, is_open)

    def object(self, schema, parts, required, others, repair, is_open):
        """The block of a record."""

        def make(left):
            value = {}
            share = self.random.choice([0.2, 0.5, 0.8, 1]) if left > 0 else 0
            for name, part in parts.items():
                made = ABSENT
                if name in required or self.chance(share):
                    made = part.make(left - 1)
                if made is not ABSENT:
                    value[name] = made
            if isinstance(others, Block) and self.chance(0.5):
                value[self.name(parts)] = others.make(left - 1)
            elif others in (None, True) and not is_open and self.chance(0.03):
                value[self.name(parts)] = self.other()
            repair(value, left - 1)
            names = list(value)
            if self.chance(0.3):
                self.random.shuffle(names)
            return {name: value[name] for name in names}

        def spoil(left):
            value = make(left)
            way = self.random.random()
            if way < 0.08:
                return self.other()
            if way < 0.25 and value:
                value.pop(self.random.choice([it for it in value if it in required] or list(value)))
            elif way < 0.35 and others not in (None, True):
                value[self.name(parts)] = self.other()
            elif way < 0.4:
                name = self.random.choice(list(parts))
                made = parts[name].make(left - 1)
                value |= {} if made is ABSENT else {name: made}
            else:
                names = [name for name in value if name in parts] or list(parts)
                name = self.random.choice(names)
                value[name] = parts[name].spoil(left - 1)
            return value

        return Block(schema, make, spoil)

    def rule(self, schema, parts, required, is_open):
        """At times a condition on several members; what makes a value fulfil it."""
        optional = [name for name in parts if name not in required]
        if len(optional) < 2 or not self.chance(0.16):
            return lambda value, left: None
        one, other = self.random.sample(optional, 2)

        def put(value, name, left):
            made = value[name] if name in value else parts[name].make(left)
            value |= {} if made is ABSENT else {name: made}

        def depend(value, left):
            if one in value:
                put(value, other, left)

        def part(value, left):
            if one in value and other in value:
                del value[self.random.choice([one, other])]

        def choose(value, left):
            value.pop(one, None), value.pop(other, None)
            put(value, self.random.choice([one, other]), left)

        def fill(value, left):
            if one not in value and other not in value:
                put(value, self.random.choice([one, other]), left)

        def thin(value, left):
            for name in optional:
                if len(value) > most:
                    value.pop(name, None)

        most = max(len(required), 1) + self.random.randint(0, 1)
        suffix, asked = self.random.choice([("Required", [other]),
                                            ("Schemas", {"required": [other]})])  # fmt: skip
        dependent = f"dependent{suffix}" if self.version >= 2019 else "dependencies"
        either = [{"required": [one]}, {"required": [other]}]
        kinds = [
            ({dependent: {one: asked}}, depend), ({"not": {"required": [one, other]}}, part),
            ({"anyOf": either}, fill), ({"oneOf": either}, choose),
            ({"minProperties": len(required) + 1}, fill), ({"maxProperties": most}, thin),
        ]  # fmt: skip
        if self.version >= 7 and self.chance(0.4):
            return self.condition(schema, parts, required, one, other, put)
        # A number of members would be of those that others know, too: their order is no schema's.
        keyword, repair = self.random.choice(kinds[:-2] if is_open else kinds)
        schema |= keyword
        return repair

    def condition(self, schema, parts, required, one, other, put):
        """Members that a value of another one asks for."""
        tag = self.name(parts)
        values = [self.name(), f"{self.name()}s", True]
        tested = self.leaf({"enum": values}, lambda: self.random.choice(values), self.name)
        parts[tag] = tested
        required.append(tag)
        schema["if"] = {"properties": {tag: {"const": values[0]}}}
        if self.chance(0.6):
            schema["if"]["required"] = [tag]
        schema["then"] = {"required": [one]}
        has_else, is_banned = self.chance(0.4), self.chance(0.3)
        if has_else:
            schema["else"] = {"required": [other]}
        if is_banned:
            banned = self.random.choice([{"properties": {other: False}},
                                         {"not": {"required": [other]}}])  # fmt: skip
            schema["then"] |= banned

        def repair(value, left):
            if value[tag] == values[0]:
                put(value, one, left)
                if is_banned:
                    value.pop(other, None)
            elif has_else:
                put(value, other, left)

        return repair

    def table(self, item):
        """An object whose members all have such a value."""
        pattern, right, wrong = self.random.choice(PATTERNS)
        named, way = lambda: self.filled(right), self.random.random()
        schema = {"type": "object"}
        if way < 0.2:
            schema |= {"patternProperties": {pattern: item.schema}}
            if self.chance(0.7):
                schema["additionalProperties"] = False
        else:
            schema |= {"additionalProperties": item.schema}
            if way < 0.3 and self.version >= 6:
                schema["propertyNames"] = {"pattern": pattern}
            elif way < 0.35 and self.version >= 6:
                names = [self.name() for _ in range(4)]
                schema["propertyNames"] = {"enum": list(dict.fromkeys(names))}
                named = lambda: self.random.choice(names)
            else:
                named = self.name
        least, most = int(self.chance(0.08)), 2 if self.chance(0.04) else None
        schema |= {"minProperties": least} if least else {}
        schema |= {"maxProperties": most} if most else {}

        def make(left, count=None):
            count = self.random.randint(least, 2 if left > 0 else least) if count is None else count
            made = {named(): item.make(left - 1) for _ in range(count)}
            return {name: value for name, value in made.items() if value is not ABSENT}

        def spoil(left):
            way = self.random.random()
            if way < 0.15:
                return self.other()
            if way < 0.3:
                return make(left, self.random.choice([0, 3]))
            name = self.filled(wrong) if way < 0.5 else named()
            return make(left) | {name: item.spoil(left - 1)}

        return Block(schema, make, spoil)

    # Arrays.

    def array(self, item, is_plain=False):
        least, most = self.any_of((0, 1, 2), (70, 24, 6)), None
        if self.chance(0.2):
            most = least + self.random.choice([1, 2, 3, 5, 10, 20])
        if is_plain:
            least, most = 0, None
        # Objects are hardly ever asked to be all different.
        is_simple = isinstance(item.schema, dict) and item.schema.get("type") in SIMPLE_TYPES
        is_unique = not is_plain and self.chance(0.12 if is_simple else 0.005)
        schema = {"type": "array", "items": item.schema}
        schema |= {"minItems": least} if least else {}
        schema |= {"maxItems": most} if most else {}
        schema |= {"uniqueItems": True} if is_unique else {}
        wanted = []
        values = item.schema.get("enum") if isinstance(item.schema, dict) else None
        if values and self.version >= 6 and self.chance(0.1):
            wanted = [values[0]]
            schema["contains"] = {"const": values[0]}
            if self.version >= 2019 and self.chance(0.4):
                schema["maxContains"] = 1

        def listed(count, left):
            made = [item.make(left - 1) for _ in range(count - len(wanted))]
            made = wanted + [value for value in made if value is not ABSENT]
            return list({json.dumps(it): it for it in made}.values()) if is_unique else made

        def make(left):
            beyond = min(2, most - least) if most else 2
            made = listed(least + self.random.randint(0, beyond if left > 0 else 0), left)
            if self.chance(0.3):
                self.random.shuffle(made)
            return made

        def spoil(left):
            way = self.random.random()
            if way < 0.1:
                return self.other()
            if way < 0.3 and most:
                return [item.make(0) for _ in range(most + 1)]
            made = make(left)
            if way < 0.4:
                return made[: max(least - 1, 0)]
            if way < 0.6 and (is_unique or wanted) and made:
                return made + made[:1] if self.chance(0.5) else made[1:]
            at = self.random.randint(0, len(made))
            return made[:at] + [item.spoil(left - 1)] + made[at + self.random.randint(0, 1) :]

        return Block(schema, make, spoil)

    def pair(self):
        """An array whose items have schemas of their own."""
        items = [self.simple() for _ in range(self.random.randint(2, 4))]
        rest = self.random.choice([None, False, self.simple()])
        first, others = "prefixItems", "items"
        if self.version < 2020:
            first, others = "items", "additionalItems"
        schema = {"type": "array", first: [item.schema for item in items]}
        if rest is not None:
            schema[others] = getattr(rest, "schema", rest)
        least = len(items) if self.chance(0.7) else 0
        schema |= {"minItems": least} if least else {}

        def make(left):
            made = [item.make(0) for item in items[: max(least, self.random.randint(0, 4))]]
            has_rest = isinstance(rest, Block) and len(made) == len(items) and self.chance(0.4)
            return made + [rest.make(0)] if has_rest else made

        def spoil(left):
            made = make(left)
            if not made or self.chance(0.3):
                return self.random.choice([made[:-1], made + ["wrong"], self.other()])
            at = self.random.randrange(len(made))
            made[at] = items[min(at, len(items) - 1)].spoil(0)
            return made

        return Block(schema, make, spoil)

    # Alternatives.

    def either(self, keyword, blocks, more=None):
        """One of some blocks."""
        schema = (more or {}) | {keyword: [block.schema for block in blocks]}
        make = lambda left: self.random.choice(blocks).make(left)
        return Block(schema, make, lambda left: self.random.choice(blocks).spoil(left))

    def mixed(self):
        """A value of one of several types."""
        kinds = [self.random.choice([self.plain_text, self.choice, self.patterned, self.formatted]),
                 self.random.choice([self.whole, self.decimal]), self.flag,
                 lambda: self.array(self.plain_text())]  # fmt: skip
        blocks = [kind() for kind in self.random.sample(kinds, self.random.randint(2, 3))]
        return self.either(self.random.choice(["anyOf", "anyOf", "oneOf"]), blocks)

    def tagged(self, room, levels):
        """Objects that a member of each tells apart."""
        tag, count = self.random.choice(TAGS), self.random.randint(2, 4 if room > 600 else 2)
        tags = self.random.sample(WORDS, count)
        blocks = [self.record(room / count, levels if index == 0 else 1, {tag: self.single(value)})
                  for index, value in enumerate(tags)]  # fmt: skip
        blocks = [self.hoisted(block) if self.chance(0.2) else block for block in blocks]
        more = {"type": "object"} if self.chance(0.2) else {}
        more |= {"discriminator": {"propertyName": tag}} if self.chance(0.15) else {}
        block = self.either(self.any_of(("oneOf", "anyOf"), (70, 30)), blocks, more)

        def spoil(left):
            value = block.make(left)
            if not self.chance(0.35):
                return block.spoil(left)
            return value | {tag: self.random.choice([*tags, "other"])}

        return block._replace(spoil=spoil)

    def joined(self, room, levels):
        """An object of which two schemas each know some members."""
        first = self.record(room / 2, 1, is_open=True)
        second = self.record(room / 2, levels, is_open=True, taken=first.schema["properties"])
        is_shared = self.chance(0.6)
        parts = [self.hoisted(first) if is_shared else first, second]
        if is_shared:
            # Another object that has these members, too, would have to be open.
            self.references.pop()
        schema = {"allOf": [part.schema for part in parts]}
        if self.chance(0.2):
            schema = {"type": "object"} | schema
        if self.version >= 2019 and self.chance(0.25):
            schema["unevaluatedProperties"] = False

        def spoil(left):
            broken = self.random.choice([first, second])
            made = broken.spoil(left)
            whole = (second if broken is first else first).make(left)
            return whole | made if isinstance(made, dict) else made

        return Block(schema, lambda left: first.make(left) | second.make(left), spoil)

    # What has itself as a part.

    def link(self, address, target):
        """A reference to a block that is still to be made: `target` is to get it."""
        make = lambda left: target[0].make(left) if left > 2 else ABSENT
        return Block({"$ref": address}, make, lambda left: self.other())

    def links(self, link):
        """Optional members that lead to further such values."""
        ways = {"children": self.array(link, True), "next": link, "nested": self.table(link)}
        null = lambda left: None if (made := link.make(left)) is ABSENT else made
        ways["parent"] = Block({"anyOf": [link.schema, {"type": "null"}]}, null, link.spoil)
        names = self.random.sample(list(ways), self.any_of((1, 2), (80, 20)))
        return {name: ways[name] for name in names}

    def recursive(self, room, levels):
        name, target = self.definition_name(), []
        # Its place is taken while its parts are made.
        self.definitions[name] = {}
        link = self.link(self.address_of(name), target)
        if self.chance(0.7):
            block = self.record(room, levels, also=self.links(link))
        else:
            operands = self.array(link, True)
            node = self.record(room, levels, {"op": self.choice()}, {"args": operands})
            simple = self.random.choice([self.plain_text, self.whole, self.flag])()
            block = self.either("anyOf", [simple, node])
        target.append(block)
        self.definitions[name] = block.schema
        self.references.append(block._replace(schema=link.schema))
        return self.references[-1]

    # Parts of objects.

    def deep(self, room, levels):
        """A value that has objects in it."""
        record = lambda: self.record(room, levels)
        kinds = [record, lambda: self.array(self.record(room - 40, levels)),
                 lambda: self.table(self.record(room - 60, levels)),
                 lambda: self.tagged(room - 30, levels), lambda: self.joined(room - 30, levels),
                 lambda: self.recursive(room - 30, levels),
                 lambda: self.nullable(self.record(room - 50, levels), 1)]  # fmt: skip
        is_roomy = room > 300
        weights = (48, 24, 7, 9, 6, 4, 3) if is_roomy else (70, 25, 5, 0, 0, 0, 0)
        block = self.any_of(kinds, weights)()
        if "$ref" not in block.schema and is_roomy and self.chance(0.18):
            block = self.hoisted(block)
        return self.noted(block)

    def value(self, room, levels):
        """Any value, of no more than some `room` bytes."""
        if levels > 0 and room > 250 and self.chance(0.4 if room < 1500 else 0.8):
            return self.deep(room * self.random.uniform(0.3, 0.7), levels)
        kinds = [self.simple, lambda: self.array(self.simple()), lambda: self.table(self.simple()),
                 self.mixed, self.pair, self.reused]  # fmt: skip
        weights = (72, 14, 5, 4, 1.5, 14 if self.references else 0)
        return self.noted(self.any_of(kinds, weights)())

    def reused(self):
        block = self.random.choice(self.references)
        return self.array(block) if self.chance(0.3) else block

    # Whole schemas.

    def plain(self, room, levels):
        if not self.chance(0.06):
            return self.record(room, levels)
        target = []
        target.append(self.record(room, levels, also=self.links(self.link("#", target))))
        return target[0]

    def call(self, room, levels):
        """A call of a function."""
        arguments = self.noted(self.record(room - 120, levels - 1))
        return self.record(60, 1, {"name": self.single(), "arguments": arguments})

    def resource(self, room, levels):
        """An object as clusters keep them."""
        metadata = {"name": self.patterned(), "labels": self.table(self.plain_text())}
        fixed = {"apiVersion": self.single(self.random.choice(["v1", "apps/v1", "example.org/v2"])),
                 "kind": self.single(), "metadata": self.record(150, 1, None, metadata),
                 "spec": self.noted(self.record(room - 450, levels - 1))}  # fmt: skip
        return self.record(60, 1, fixed)

    def manifest(self, room, levels):
        dependencies = self.table(self.random.choice([self.plain_text, self.patterned])())
        fixed = {"name": self.patterned(), "version": self.patterned()}
        also = {"dependencies": dependencies, "scripts": self.table(self.plain_text())}
        return self.record(room, levels, fixed, also)

    def workflow(self, room, levels):
        steps = self.array(self.tagged(room - 250, levels - 2))
        job = {"needs": self.array(self.plain_text()), "steps": steps}
        jobs = self.table(self.record(100, 1, {"runs-on": self.choice()}, job))
        return self.record(80, 1, {"name": self.plain_text(), "jobs": jobs})

    def answer(self, room, levels):
        """A page of what was asked for."""
        items = self.array(self.deep(room - 150, levels - 1))
        also = {"total": self.whole(), "nextCursor": self.nullable(self.plain_text(), 1)}
        return self.record(80, 1, {"items": items}, also)

    def messages(self, room, levels):
        return self.array(self.tagged(room - 60, levels))

    def document(self):
        """A whole schema; also what makes its values."""
        room = self.random.lognormvariate(math.log(BYTES_MIDDLE), BYTES_SPREAD)
        room = min(max(room, BYTES_MIN), BYTES_MAX)
        levels = self.any_of(LEVELS, LEVEL_WEIGHTS)
        head = {"$schema": self.address} if self.address else {}
        if self.chance(0.3):
            address = f"https://example.com/schemas/{quote(self.name())}.json"
            head["id" if self.version == 4 else "$id"] = address
        if self.chance(0.6):
            head["title"] = self.name()
        if self.chance(0.4):
            head["description"] = self.sentence()
        kinds = [self.plain, self.call, self.resource, self.manifest, self.workflow, self.answer,
                 self.joined, self.tagged, self.messages]  # fmt: skip
        kind = self.any_of(kinds, (36, 12, 12, 8, 8, 12, 4, 5, 3))
        block = kind(max(room - size(head), 200), levels)
        definitions = {self.place: self.definitions} if self.definitions else {}
        first, last = (definitions, {}) if self.chance(0.4) else ({}, definitions)
        return block._replace(schema=head | first | block.schema | last)


def instances(maker, block, is_valid):
    """Values that are valid and ones that are not, each once."""
    found = {True: {}, False: {}}
    wanted = {True: maker.random.randint(VALID_MIN, VALID_MAX - 1),
              False: maker.random.randint(INVALID_MIN, INVALID_MAX)}  # fmt: skip
    for make, kind in ((block.make, True), (block.spoil, False)):
        for _ in range(TRIES):
            if len(found[kind]) >= wanted[kind]:
                break
            value = make(maker.random.randint(5, 9))
            is_right = is_valid(value)
            # What was to be broken may be valid all the same, and says as much.
            if is_right == kind or is_right and len(found[True]) < VALID_MAX:
                found[is_right][json.dumps(value, sort_keys=True)] = value
    return list(found[True].values()), list(found[False].values())


def generate(count, seed, judge):
    """So many of (field, name, schema, valid, invalid); `judge(schema)` says what is valid."""
    for index in range(count):
        source = random.Random(f"{seed} {index}")
        valid = invalid = ()
        while len(valid) < VALID_MIN or len(invalid) < INVALID_MIN:
            maker = Maker(source)
            block = maker.document()
            valid, invalid = instances(maker, block, judge(block.schema))
        yield "generated", str(index), block.schema, valid, invalid
