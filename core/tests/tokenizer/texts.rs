//! Random texts that tell pre-tokenizers apart: what their patterns name, in any order and beside
//! everything else that Unicode has.
//!
//! A text depends on its number alone and must stay as it is: hashes of its ids are kept. Only
//! integers, so that all machines make the same.

/// Longest text in characters.
const LONGEST: usize = 60;

const CONTRACTIONS: [&str; 27] = [
    "'s", "'S", "'t", "'T", "'re", "'RE", "'rE", "'ve", "'Ve", "'m", "'M", "'ll", "'LL", "'lL",
    "'d", "'D", "’s", "’S", "’ll", "''s", "'", "'r", "'l", "'v", "'x", "'\u{17F}", "'1",
];

/// White space, and what only looks like it.
const SPACES: [&str; 32] = [
    " ", " ", " ", " ", "  ", "   ", "\t", "\t", "\n", "\n", "\n\n", "\r", "\r\n", "\r\n",
    "\u{A0}", "\u{A0}", "\u{0B}", "\u{0C}", "\u{85}", "\u{1680}", "\u{2003}", "\u{2028}",
    "\u{2029}", "\u{202F}", "\u{205F}", "\u{3000}", "\u{200B}", "\u{FEFF}", "\u{180E}", "\u{1C}",
    "\u{1F}", "\u{2060}",
];

const MARKS: [char; 58] = [
    '…', '。', '，', '、', '।', '۔', '،', '！', '？', '：', '；', '（', '）', '「', '」', '—', '–',
    '‘', '’', '“', '”', '‛', '‟', '«', '»', '¿', '¡', '·', '§', '€', '£', '¢', '©', '®', '™', '°',
    '±', '×', '÷', '≠', '≤', '∑', '√', '→', '⇒', '■', '☃', '〜', '～', '￥', '＄', '＋', '´', '¨',
    '˜', '\u{5BE}', '\u{61F}', '\u{2581}',
];

/// Ends of the ranges that patterns spell out, and their neighbours.
const EDGES: [u32; 44] = [
    0x7F, 0x80, 0xAD, 0xB5, 0xD6, 0xD7, 0xF7, 0x1BA, 0x1BB, 0x1C0, 0x1C4, 0x294, 0x295, 0x373,
    0x376, 0x481, 0x482, 0x52F, 0x530, 0x7FF, 0x800, 0x303F, 0x3040, 0x3097, 0x309F, 0x30A0,
    0x30FB, 0x30FF, 0x3100, 0x4DFF, 0x4E00, 0x9FA5, 0x9FA6, 0xABFF, 0xAC00, 0xD7A3, 0xD7FF, 0xE000,
    0xFF00, 0xFF10, 0xFF5E, 0xFF5F, 0xFFFD, 0x1E943,
];

/// Where scripts, or parts of them, lie.
const SCRIPTS: [(u32, u32); 40] = [
    (0xC0, 0xFF),
    (0x100, 0x24F),
    (0x250, 0x2FF), // phonetic
    (0x370, 0x3FF), // Greek
    (0x400, 0x52F), // Cyrillic
    (0x531, 0x58F), // Armenian
    (0x5D0, 0x5EA), // Hebrew
    (0x620, 0x65F), // Arabic
    (0x660, 0x6FF),
    (0x900, 0x97F),   // Devanagari
    (0x980, 0x9FF),   // Bengali
    (0xB80, 0xBFF),   // Tamil
    (0xE01, 0xE5B),   // Thai
    (0xE81, 0xEDF),   // Lao
    (0xF00, 0xFFF),   // Tibetan
    (0x1000, 0x109F), // Myanmar
    (0x10A0, 0x10FF), // Georgian
    (0x1100, 0x11FF), // Hangul, jamo
    (0x1200, 0x137F), // Ethiopic
    (0x13A0, 0x13FF), // Cherokee
    (0x1780, 0x17FF), // Khmer
    (0x1D00, 0x1DBF), // phonetic
    (0x1E00, 0x1FFF), // Latin, Greek
    (0x2C00, 0x2CFF), // Glagolitic, Latin, Coptic
    (0x3041, 0x309F), // Hiragana
    (0x3041, 0x309F),
    (0x30A0, 0x30FF), // Katakana
    (0x30A0, 0x30FF),
    (0x3400, 0x4DBF), // CJK, extension A
    (0x4E00, 0x9FFF), // CJK
    (0x4E00, 0x9FFF),
    (0x4E00, 0x9FFF),
    (0xA640, 0xA69F),   // Cyrillic
    (0xAB70, 0xABBF),   // Cherokee
    (0xAC00, 0xD7A3),   // Hangul
    (0xAC00, 0xD7A3),   // Hangul
    (0xFF01, 0xFF9F),   // wide and narrow forms
    (0x10400, 0x1044F), // Deseret
    (0x1D400, 0x1D7FF), // mathematical
    (0x1E900, 0x1E95F), // Adlam
];

/// Where numbers other than ASCII's lie.
const NUMBERS: [(u32, u32); 14] = [
    (0xB2, 0xB3),
    (0xB9, 0xB9),
    (0xBC, 0xBE),
    (0x660, 0x669),
    (0x6F0, 0x6F9),
    (0x966, 0x96F),
    (0xE50, 0xE59),
    (0x2070, 0x2089),
    (0x2150, 0x218B),
    (0x2460, 0x24FF),
    (0x3021, 0x3029),
    (0x3220, 0x3229),
    (0xFF10, 0xFF19),
    (0x1D7CE, 0x1D7FF),
];

const COMBINING: [(u32, u32); 7] = [
    (0x300, 0x36F),
    (0x483, 0x489),
    (0x591, 0x5C7),
    (0x64B, 0x65F),
    (0x93E, 0x94D),
    (0x20D0, 0x20F0),
    (0xFE00, 0xFE0F),
];

const EMOJI: [&str; 10] =
    ["😀", "👍🏽", "👩‍👩‍👧‍👦", "🇩🇪", "❤️", "☕", "1️⃣", "🏴\u{E0067}\u{E0062}\u{E007F}", "🧑🏿‍💻", "🚀"];

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    /// A number below `end`.
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (((self.0 >> 32) * u64::from(end)) >> 32) as u32
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u32) as usize]
    }

    fn within(&mut self, (first, last): (u32, u32)) -> char {
        character(first + self.below(last - first + 1))
    }

    fn within_one_of(&mut self, ranges: &[(u32, u32)]) -> char {
        let range = self.of(ranges);
        self.within(range)
    }
}

/// U+FFFD in place of a surrogate.
fn character(code: u32) -> char {
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Text number `number`, of 1 to [`LONGEST`] characters.
pub(crate) fn text(number: u32) -> String {
    // An odd multiplier: no seed is 0, and neighbours share no bits to speak of.
    let mut random = Random(u64::from(number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let length = 1 + random.below(LONGEST as u32) as usize;
    // Characters that come in turn: 10^5 texts have nearly all of the first three planes.
    let in_turn = [2 * number, 2 * number + 1];
    let most = length.saturating_sub(in_turn.len());
    let (mut characters, mut tail) = (Vec::new(), Vec::new());
    if random.below(4) == 0 {
        push_spaces(&mut random, &mut characters);
    }
    if random.below(4) == 0 {
        push_spaces(&mut random, &mut tail);
        tail.truncate(most);
    }
    while characters.len() < most - tail.len() {
        push_piece(&mut random, &mut characters);
    }
    characters.truncate(most - tail.len());
    for code in in_turn.into_iter().take(length) {
        let code = if code < 0xD800 { code } else { code + 0x800 };
        let at = random.below(characters.len() as u32 + 1) as usize;
        characters.insert(at, character(code));
    }
    characters.append(&mut tail);
    characters.into_iter().collect()
}

fn push_spaces(random: &mut Random, characters: &mut Vec<char>) {
    for _ in 0..=random.below(4) {
        characters.extend(random.of(&SPACES).chars());
    }
}

fn push_piece(random: &mut Random, characters: &mut Vec<char>) {
    match random.below(20) {
        0..=2 => characters.push(' '),
        3 | 4 => push_word(random, characters),
        5 => {
            for _ in 0..=random.below(3) {
                push_word(random, characters);
                if random.below(3) == 0 {
                    characters.push('_');
                }
            }
        }
        6 | 7 => {
            if random.below(2) == 0 {
                push_word(random, characters);
            }
            characters.extend(random.of(&CONTRACTIONS).chars());
        }
        8 => characters.extend((0..=random.below(8)).map(|_| random.within((0x30, 0x39)))),
        9 => characters.extend((0..=random.below(4)).map(|_| random.within_one_of(&NUMBERS))),
        10 => push_spaces(random, characters),
        11 => characters.extend((0..=random.below(4)).map(|_| random.within((0x21, 0x2F)))),
        12 => characters.extend((0..=random.below(3)).map(|_| {
            let range = random.of(&[(0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)]);
            random.within(range)
        })),
        13 => characters.extend((0..=random.below(3)).map(|_| random.of(&MARKS))),
        14 | 15 => {
            let script = random.of(&SCRIPTS);
            characters.extend((0..=random.below(6)).map(|_| random.within(script)));
        }
        16 => {
            characters.push(random.of(&['e', 'A', 'ö', 'я', 'か', 'क', '한', '1', ' ', '-']));
            characters.extend((0..=random.below(2)).map(|_| random.within_one_of(&COMBINING)));
        }
        17 => characters.extend(random.of(&EMOJI).chars()),
        18 => characters.extend((0..=random.below(2)).map(|_| {
            // Control characters, the basic plane, the next, and all, most of it unassigned.
            let last = random.of(&[0x9F, 0xFFFF, 0x1_FFFF, 0x10_FFFF]);
            random.within((0, last))
        })),
        _ => characters.push(character(random.of(&EDGES))),
    }
}

/// ASCII letters: small, capitals, or as names have them.
fn push_word(random: &mut Random, characters: &mut Vec<char>) {
    const SMALL: (u32, u32) = (0x61, 0x7A);
    const CAPITAL: (u32, u32) = (0x41, 0x5A);
    // Words that vocabularies have, so that merges go far.
    const WORDS: [&str; 12] = [
        "the", "The", "and", "hello", "World", "HTTP", "Response", "getValue", "int", "tion", "I",
        "don",
    ];
    match random.below(4) {
        0 => characters.extend(random.of(&WORDS).chars()),
        1 => characters.extend((0..=random.below(7)).map(|_| random.within(SMALL))),
        2 => characters.extend((0..=random.below(4)).map(|_| random.within(CAPITAL))),
        _ => {
            characters.push(random.within(CAPITAL));
            characters.extend((0..=random.below(5)).map(|_| random.within(SMALL)));
        }
    }
}

#[test]
fn texts_are_short_and_hold_nearly_every_character() {
    let mut seen = vec![false; 0x11_0000];
    for number in 0..100_000 {
        let text = text(number);
        assert!((1..=LONGEST).contains(&text.chars().count()), "{number}: {text:?}");
        text.chars().for_each(|character| seen[character as usize] = true);
    }
    let missing = (0..0x3_0000).filter(|&code| !seen[code as usize]);
    assert!(missing.filter_map(char::from_u32).count() < 0x3_0000 / 32);
}
