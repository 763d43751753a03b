//! Which encoding the bytes of a list are in, where no mark says so: that in which every word is one of a language
//! that is written so. Where several are, the countries of the addresses decide, then how words are built, then, for
//! many words, what the statistics of letters guess (`chardetng`); else nobody knows, and a person is asked.

use std::collections::{BTreeMap, HashSet};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, EUC_KR, Encoding, GBK};

use super::alphabets::{BY_RANGE, LANGUAGES, OTHERS, USUAL, VOWELS};
use super::{WRONG_ONE_IN, is_wrong, words_of};

/// From so many different words on, statistics of letters are believed.
const TELLING_WORDS: usize = 8;

/// Words that are looked at: more of them say nothing new.
const WORDS_MAX: usize = 2_000;

/// What fits.
#[derive(Debug)]
pub(super) enum Chosen {
    /// One encoding.
    One(&'static Encoding),
    /// Several, the likelier first.
    Several(Vec<&'static Encoding>),
    /// None of those that are listed; what the statistics guess.
    None(&'static Encoding),
}

/// Whether the letters of its languages are listed.
pub(super) fn is_listed(encoding: &'static Encoding) -> bool {
    let name = encoding.name();
    USUAL.contains(&name) || OTHERS.contains(&name)
}

/// How well a reading fits; the least fits best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    /// Words of no language of this encoding.
    n_foreign: usize,
    /// How much words are built unlike words: consonants or vowels in a row, rare letters.
    strangeness: usize,
}

struct Reading {
    encoding: &'static Encoding,
    words: Vec<String>,
    fit: Fit,
}

pub(super) fn choose(bytes: &[u8]) -> Chosen {
    let countries = count_countries(bytes);
    let bytes = &*sample(bytes);
    let country = countries
        .iter()
        .max_by_key(|(_, n)| **n)
        .map(|(country, _)| country.as_bytes());
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    let guess = detector.guess(country, Utf8Detection::Deny);
    let read = |names: &[&str]| -> Vec<Reading> {
        let encodings = names
            .iter()
            .filter_map(|name| Encoding::for_label(name.as_bytes()));
        encodings
            .filter_map(|encoding| Reading::of(encoding, bytes))
            .collect()
    };
    let mut fitting = read(USUAL);
    if !USUAL.contains(&guess.name()) && is_listed(guess) {
        fitting.extend(Reading::of(guess, bytes));
    }
    if fitting.is_empty() {
        fitting = read(OTHERS);
    }
    // Readings that say the same are one.
    let mut told: HashSet<Vec<String>> = HashSet::new();
    fitting.sort_by_key(|reading| (reading.encoding != guess, reading.fit));
    fitting.retain(|reading| told.insert(reading.words.clone()));
    if let [only] = fitting.as_slice() {
        return Chosen::One(only.encoding);
    }
    if fitting.is_empty() {
        return Chosen::None(guess);
    }
    if let Some(encoding) = of_countries(&fitting, &countries) {
        return Chosen::One(encoding);
    }
    let best = fitting.iter().map(|reading| reading.fit).min();
    fitting.retain(|reading| Some(reading.fit) == best);
    if let [only] = fitting.as_slice() {
        return Chosen::One(only.encoding);
    }
    // Of so many syllables that each is one of Korean, chance makes none.
    let korean = fitting.iter().find(|reading| {
        let letters = reading.words.iter().flat_map(|word| word.chars());
        reading.encoding == EUC_KR && letters.filter(|c| !c.is_ascii()).count() >= TELLING_WORDS
    });
    if let Some(korean) = korean {
        return Chosen::One(korean.encoding);
    }
    let differing: HashSet<&String> = match fitting.as_slice() {
        [first, others @ ..] => (0..)
            .zip(&first.words)
            .filter(|(at, word)| {
                others
                    .iter()
                    .any(|other: &Reading| other.words.get(*at) != Some(*word))
            })
            .map(|(_, word)| word)
            .collect(),
        [] => HashSet::new(),
    };
    let is_guessed = fitting.iter().any(|reading| reading.encoding == guess);
    if is_guessed && differing.len() >= TELLING_WORDS {
        return Chosen::One(guess);
    }
    Chosen::Several(fitting.iter().map(|reading| reading.encoding).collect())
}

/// How much of a list is read in every encoding.
const SAMPLE_BYTES: usize = 512 * 1024;

/// The lines that have more than ASCII: no encoding here has a line end within a letter.
fn sample(bytes: &[u8]) -> Vec<u8> {
    let mut sample = Vec::new();
    let lines = bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r'));
    for line in lines.filter(|line| !line.is_ascii()) {
        if !sample.is_empty() && sample.len() + line.len() > SAMPLE_BYTES {
            break;
        }
        sample.extend_from_slice(line);
    }
    sample
}

impl Reading {
    /// The words beyond ASCII, where most of them can be words.
    fn of(encoding: &'static Encoding, bytes: &[u8]) -> Option<Self> {
        let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
        if had_errors {
            return None;
        }
        let mut seen: HashSet<&str> = HashSet::new();
        let words: Vec<&str> = words_of(&text)
            .filter(|word| !word.is_ascii() && seen.insert(word))
            .take(WORDS_MAX)
            .collect();
        let name = encoding.name();
        let has_kana = words.iter().any(|word| word.contains(is_kana));
        // Chinese has none; a list from Japan has some, if only in the names of its columns.
        if has_kana && matches!(name, "GBK" | "Big5") || !has_kana && name == "EUC-JP" {
            return None;
        }
        // Its small letters are where others have large ones: without any, another encoding is read as this one.
        if name == "KOI8-R" && !words.iter().any(|word| word.contains(char::is_lowercase)) {
            return None;
        }
        let n_foreign = words
            .iter()
            .filter(|word| !is_known(word, encoding))
            .count();
        if n_foreign * WRONG_ONE_IN > words.len() {
            return None;
        }
        let strangeness = words.iter().map(|word| strangeness(word, name)).sum();
        Some(Self {
            encoding,
            words: words.into_iter().map(str::to_owned).collect(),
            fit: Fit {
                n_foreign,
                strangeness,
            },
        })
    }
}

/// The one of these that is written in the countries of most addresses.
fn of_countries(
    fitting: &[Reading],
    countries: &BTreeMap<String, usize>,
) -> Option<&'static Encoding> {
    let total: usize = countries.values().sum();
    let in_country = |encoding: &'static Encoding| -> usize {
        let ranges = BY_RANGE
            .iter()
            .filter(|(name, _)| *name == encoding.name())
            .flat_map(|(_, countries)| *countries);
        let languages = LANGUAGES
            .iter()
            .filter(|language| language.encodings.contains(&encoding.name()))
            .flat_map(|language| language.countries);
        let of: HashSet<&&str> = ranges.chain(languages).collect();
        of.iter()
            .filter_map(|country| countries.get(**country))
            .sum()
    };
    fitting
        .iter()
        .map(|reading| reading.encoding)
        .find(|encoding| total > 0 && 2 * in_country(encoding) > total)
}

/// How many addresses end in the domain of a country that says something.
fn count_countries(bytes: &[u8]) -> BTreeMap<String, usize> {
    let mut countries = BTreeMap::new();
    for behind in bytes.split(|byte| *byte == b'@').skip(1) {
        let is_domain = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        let domain: Vec<u8> = behind.iter().take_while(is_domain).copied().collect();
        let last = domain.rsplit(|byte| *byte == b'.').next();
        let last = String::from_utf8_lossy(last.unwrap_or_default()).to_ascii_lowercase();
        let says_something = LANGUAGES
            .iter()
            .flat_map(|language| language.countries)
            .chain(BY_RANGE.iter().flat_map(|(_, countries)| *countries))
            .any(|country| *country == last);
        if says_something {
            *countries.entry(last).or_insert(0) += 1;
        }
    }
    countries
}

fn is_kana(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}')
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{4E00}'..='\u{9FFF}')
}

/// Whether a word is one of a language of this encoding, as far as its letters and their case show.
fn is_known(word: &str, encoding: &'static Encoding) -> bool {
    if is_wrong(word) || is_mixed_case(word) {
        return false;
    }
    let name = encoding.name();
    if BY_RANGE.iter().any(|(known, _)| *known == name) {
        return is_in_range(word, name);
    }
    let letters: Vec<char> = word.chars().collect();
    if letters
        .windows(2)
        .any(|pair| matches!(pair, [one, next] if is_odd(*one, *next)))
    {
        return false;
    }
    word.split(|c: char| !c.is_alphabetic())
        .filter(|part| !part.is_ascii())
        .all(|part| {
            LANGUAGES
                .iter()
                .filter(|language| language.encodings.contains(&name))
                .any(|language| {
                    part.chars().flat_map(small).all(|c| {
                        if c.is_ascii() {
                            !language.never.contains(c)
                        } else {
                            language.letters.contains(c)
                        }
                    })
                })
        })
}

/// Whether two characters never stand side by side: signs in a word or beside one another (`¡÷`, `£ukasz`), marks that
/// nobody sees, and behind what ends a word in Hebrew or Arabic another letter.
fn is_odd(one: char, next: char) -> bool {
    let is_sign =
        |c: char| !c.is_ascii() && !c.is_alphanumeric() && !"’‘´–—‐‑…“”„«»‹›©®™ºª".contains(c);
    let is_near = |c: char| c.is_alphabetic() || is_sign(c);
    let is_catalan = one == 'l' && next == '·' || one == '·' && next == 'l';
    (is_sign(one) && is_near(next) || is_near(one) && is_sign(next)) && !is_catalan
        || "ךםןףץةى".contains(one) && next.is_alphabetic()
}

/// `İ` has a small letter of two characters in Unicode; of its language it is `i`.
fn small(c: char) -> impl Iterator<Item = char> {
    let c = if c == 'İ' { 'i' } else { c };
    c.to_lowercase()
}

/// Large letters behind small ones, as no name has them beyond ASCII.
fn is_mixed_case(word: &str) -> bool {
    let letters: Vec<char> = word.chars().collect();
    letters.windows(2).any(|pair| match pair {
        [before, here] => {
            before.is_lowercase() && here.is_uppercase() && !(before.is_ascii() && here.is_ascii())
        }
        _ => false,
    })
}

fn is_in_range(word: &str, name: &str) -> bool {
    if name == "windows-874" {
        return is_thai_word(word);
    }
    let is_sign = |c: char| {
        c.is_ascii()
            || matches!(c, '\u{2010}'..='\u{2030}' | '\u{3000}'..='\u{3020}' | '\u{FF00}'..='\u{FF5A}' | '·')
    };
    let mut before = ' ';
    for c in word.chars() {
        let fits = match name {
            "GBK" => is_han(c) && is_gb2312(c),
            "Big5" => is_han(c),
            "EUC-KR" => is_hangul(c),
            _ => is_han(c) || is_kana(c) || matches!(c, 'ー' | '々'),
        };
        // `M黮ler`: no word is of both.
        let is_joined =
            fits && before.is_ascii_lowercase() || c.is_ascii_lowercase() && is_han(before);
        if !(fits || is_sign(c)) || is_joined {
            return false;
        }
        before = c;
    }
    true
}

/// Whether signs stand where Thai has them: some vowels before a consonant, some on or behind one, tones on either.
fn is_thai_word(word: &str) -> bool {
    let is_consonant = |c: char| matches!(c, '\u{E01}'..='\u{E2E}');
    let is_on = |c: char| matches!(c, '\u{E31}' | '\u{E34}'..='\u{E39}');
    let is_tone = |c: char| matches!(c, '\u{E47}'..='\u{E4C}');
    let mut letters = word.chars().peekable();
    let mut before = ' ';
    while let Some(c) = letters.next() {
        let after = letters.peek().copied().unwrap_or(' ');
        let fits = match c {
            '\u{E40}'..='\u{E44}' => is_consonant(after),
            // This one never ends a word.
            '\u{E31}' => is_consonant(before) && (is_consonant(after) || is_tone(after)),
            '\u{E34}'..='\u{E39}' => is_consonant(before),
            '\u{E47}'..='\u{E4C}' => is_consonant(before) || is_on(before),
            '\u{E30}' | '\u{E32}' | '\u{E33}' => {
                is_consonant(before) || is_tone(before) || before == '\u{E32}'
            }
            c => c.is_ascii() || is_consonant(c),
        };
        if !fits {
            return false;
        }
        before = c;
    }
    true
}

/// The syllables of KS X 1001: others are in no name.
fn is_hangul(c: char) -> bool {
    let mut room = [0; 4];
    let (bytes, _, is_unmappable) = EUC_KR.encode(c.encode_utf8(&mut room));
    matches!(
        (is_unmappable, bytes.as_ref()),
        (false, [0xB0..=0xC8, 0xA1..=0xFE])
    )
}

/// The place of a character in GB 2312, by its bytes; other ones of GBK hardly stand in names.
fn gbk_lead(c: char) -> Option<u8> {
    let mut room = [0; 4];
    let (bytes, _, is_unmappable) = GBK.encode(c.encode_utf8(&mut room));
    match (is_unmappable, bytes.as_ref()) {
        (false, [lead, trail]) if (0xA1..=0xFE).contains(trail) => Some(*lead),
        _ => None,
    }
}

fn is_gb2312(c: char) -> bool {
    gbk_lead(c).is_some_and(|lead| (0xB0..=0xF7).contains(&lead))
}

/// How much a word is built unlike one: three and more consonants or vowels in a row with a letter beyond ASCII among
/// them, none that can be spoken; rare characters.
fn strangeness(word: &str, name: &str) -> usize {
    match name {
        // Those that are in use come first (GB 2312, level 1: B0 to D7; Big5, level 1: A4 to C6).
        "GBK" => {
            let is_rare = |c: &char| gbk_lead(*c).is_some_and(|lead| lead > 0xD7);
            return word.chars().filter(is_rare).count();
        }
        "Big5" => {
            let is_rare = |c: &char| {
                let mut room = [0; 4];
                let (bytes, ..) = BIG5.encode(c.encode_utf8(&mut room));
                is_han(*c) && bytes.first().is_some_and(|lead| *lead > 0xC6)
            };
            return word.chars().filter(is_rare).count();
        }
        _ => {}
    }
    let is_spelt = |c: char| {
        c.is_ascii()
            || matches!(c, '\u{C0}'..='\u{24F}' | '\u{370}'..='\u{3FF}' | '\u{400}'..='\u{52F}')
    };
    if !word.chars().all(is_spelt) {
        return 0;
    }
    word.split(|c: char| !c.is_alphabetic())
        // Letters of an abbreviation are not spoken as a word.
        .filter(|part| !part.is_ascii() && part.contains(char::is_lowercase))
        .map(|part| {
            let letters: Vec<char> = part.chars().flat_map(small).collect();
            let is_vowel = |c: &char| VOWELS.contains(*c);
            let runs = letters.chunk_by(|one, other| is_vowel(one) == is_vowel(other));
            let in_runs: usize = runs
                .filter(|run| run.iter().any(|c| !c.is_ascii()))
                .map(|run| run.len().saturating_sub(2))
                .sum();
            // Every word of Greek that is written small has an accent.
            let is_greek = |c: &char| matches!(c, '\u{370}'..='\u{3FF}');
            let is_bare = letters.len() > 2
                && letters.iter().all(is_greek)
                && !letters.iter().any(|c| "άέήίόύώΐΰ".contains(*c));
            let is_mute = letters.len() > 1 && !letters.iter().any(is_vowel);
            in_runs + usize::from(is_mute) + usize::from(is_bare)
        })
        .sum()
}
