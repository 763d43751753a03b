//! What a list itself says of people who must not be written to: a column that asks ("unsubscribed", "opt out") and a
//! cell that says yes, a column that asks whether they agreed and a cell that says no, or words in a column of
//! standings or notes. By the form, not by phrases; the words are data. A column that speaks of something else beside
//! ("blocked hours") asks nothing.

mod columns;
#[cfg(test)]
mod pairs;
mod words;

use std::collections::HashSet;
use std::sync::LazyLock;

use columns::{
    ALONE, ASIDE, BOUNCES, FILLERS, MAY, NOTES, PREFERENCES, ROSTERS, STANDINGS, TOPICS,
};
use words::{
    ALLOWS, DENIES, GRANTS, INTERESTS, NEGATIONS, NOES, STOPS, STOPS_ALONE, STOPS_OF_MAIL,
    STOPS_WITHIN, WEAK, WRITES, YESES,
};

use super::table::words_of;
use crate::text::field::is_void;

/// What a column asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// Whether a person is not to be written to, or since when and why.
    WhetherNot,
    /// The same in a word of other things too: only what affirms it does.
    Marked,
    /// Whether a person agreed.
    Whether,
    /// How a person stands.
    Standing {
        /// Whether it is with mail.
        of_mail: bool,
    },
    /// What was noted of them, or nobody knows what.
    Noted,
}

/// What words say of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Stop,
    Go,
}

/// How sure words are about mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Force {
    /// They speak of it.
    Firm,
    /// They may speak of something else.
    Weak,
    /// To let: of whatever stands beside it.
    Allow,
}

/// What words say in all.
#[derive(Clone, Copy, Debug)]
struct Reading {
    says: Option<(Says, Force)>,
    has_topic: bool,
    /// Whether they speak of something else beside.
    has_other: bool,
}

impl Reading {
    fn is_stop(self) -> bool {
        matches!(self.says, Some((Says::Stop, _)))
    }

    /// Nothing but a word to write.
    fn is_pure_go(self) -> bool {
        matches!(self.says, Some((Says::Go, _))) && !self.has_other
    }
}

/// What a column asks by its name; `None` for all other columns.
pub(super) fn find_question(name: &str) -> Option<Asks> {
    let words = split_joined(words_of(name));
    let has = |of: &[&str]| words.iter().any(|word| is_any(word, of));
    // One without a name is called by its number.
    if let [column, number, ..] = words.as_slice()
        && column == "column"
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Some(Asks::Noted);
    }
    if has(ASIDE) {
        return None;
    }
    let read = read(&words, name, true);
    let is_plain = !read.has_other;
    let is_no = words.first().is_some_and(|word| word == "no") && words.len() > 1;
    match read.says {
        Some((Says::Stop, Force::Firm)) => return Some(Asks::WhetherNot),
        Some((Says::Stop, Force::Weak)) if is_plain && has(BOUNCES) => {
            return Some(Asks::WhetherNot);
        }
        Some((Says::Stop, Force::Weak)) if is_plain => return Some(Asks::Marked),
        Some((Says::Stop, Force::Allow)) if is_plain && read.has_topic => {
            return Some(Asks::WhetherNot);
        }
        None if is_no && is_plain && read.has_topic => return Some(Asks::WhetherNot),
        Some((Says::Go, Force::Firm)) if is_plain => return Some(Asks::Whether),
        Some((Says::Go, Force::Allow)) if is_plain && read.has_topic => {
            return Some(Asks::Whether);
        }
        _ => {}
    }
    if has(NOTES) {
        return Some(Asks::Noted);
    }
    let of_mail = read.has_topic;
    if has(STANDINGS) || of_mail && has(PREFERENCES) {
        return Some(Asks::Standing { of_mail });
    }
    let is_alone = !words.is_empty() && words.iter().all(|word| is_any(word, ALONE));
    is_alone.then_some(Asks::Whether)
}

/// Whether a cell of such a column says that this person must not be written to.
pub(super) fn is_refusal(asks: Asks, cell: &str) -> bool {
    let small = cell.trim().to_lowercase();
    if is_void(cell) || is_link(&small) {
        return false;
    }
    let words = words_of_cell(cell);
    let is_prose = words.len() > JOINED_WORDS;
    if is_prose
        && matches!(asks, Asks::Standing { .. } | Asks::Noted)
        && !words.iter().any(|word| may_refuse(word))
    {
        return false;
    }
    let whole = read(&words, cell, false);
    let is_no = NOES.contains(&small.as_str()) || is_nought(&small);
    let is_denied = words.first().is_some_and(|word| is_any(word, DENIES));
    let is_purely_stop = || {
        segments_of(cell).any(|segment| {
            let words = words_of_cell(segment);
            let read = read(&words, segment, false);
            words.len() < CELL_WORDS && read.is_stop() && !read.has_other
        })
    };
    let is_alone = |of: &[&str]| matches!(words.as_slice(), [only] if is_any(only, of));
    match asks {
        // Whatever else is noted there, a date or a reason, is noted because of it.
        Asks::WhetherNot => !is_no && !whole.is_pure_go(),
        Asks::Marked => {
            !is_no
                && !whole.is_pure_go()
                && (whole.is_stop()
                    || YESES.contains(&small.as_str())
                    || small.starts_with(|c: char| c.is_ascii_digit()))
        }
        Asks::Whether => is_no || is_denied || whole.is_stop(),
        Asks::Standing { of_mail } => {
            is_purely_stop()
                || is_alone(STOPS_ALONE)
                || of_mail && (is_denied || is_alone(STOPS_OF_MAIL))
        }
        Asks::Noted => is_purely_stop(),
    }
}

/// Whether a word begins as one that refuses does. Most prose is known by it to be none.
fn may_refuse(word: &str) -> bool {
    const REFUSING: [&[&str]; 6] = [STOPS, WEAK, GRANTS, ALLOWS, WRITES, INTERESTS];
    static STARTS: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let all = REFUSING.into_iter().flatten();
        all.map(|said| start_of(said.trim_end_matches('-')))
            .collect()
    });
    STARTS.contains(&start_of(word))
        || !word.is_ascii() && STOPS_WITHIN.iter().any(|stop| word.contains(stop))
}

/// Where words are told apart at first: the first letters of the first.
fn start_of(words: &str) -> String {
    let first = words.split(' ').next().unwrap_or_default();
    first.chars().take(4).collect()
}

/// So many words of a cell are read: a refusal is short.
const CELL_WORDS: usize = 16;

/// So few words of a cell may be joined ones: prose has none.
const JOINED_WORDS: usize = 3;

fn words_of_cell(cell: &str) -> Vec<String> {
    let start = cell
        .char_indices()
        .nth(CELL_CHARS)
        .map_or(cell.len(), |(at, _)| at);
    let mut words = words_of(cell.get(..start).unwrap_or_default());
    words.truncate(CELL_WORDS);
    if words.len() > JOINED_WORDS {
        return words;
    }
    split_joined(words)
}

/// So much of a cell is read.
const CELL_CHARS: usize = 400;

/// What stands between commas and the like.
fn segments_of(cell: &str) -> impl Iterator<Item = &str> {
    cell.split([',', ';', '|', '/', '\n'])
        .flat_map(|segment| segment.split(" - "))
}

/// `0`, `0.0`, `0000-00-00`.
fn is_nought(cell: &str) -> bool {
    cell.contains('0')
        && cell
            .chars()
            .all(|c| matches!(c, '0' | '.' | ',' | '-' | '/' | ':' | ' ' | '%'))
}

/// What is put into a message. An address is somebody, but for one that takes people off.
fn is_link(cell: &str) -> bool {
    let is_address = cell.contains('@') && !cell.contains(' ');
    cell.contains("://")
        || cell.starts_with("www.")
        || cell.starts_with("mailto:")
        || is_address && read(&words_of(cell), "", false).is_stop()
}

/// What words say. Those of a column's name know more: what is a name or a month in a cell.
fn read(words: &[String], text: &str, is_name: bool) -> Reading {
    let mut reading = Reading {
        says: None,
        has_topic: false,
        has_other: false,
    };
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let behind = words.get(at..).unwrap_or_default();
        let before = words.get(at.saturating_sub(2)..at).unwrap_or_default();
        let is_negated = before.iter().any(|word| is_any(word, NEGATIONS));
        let (n_words, found) = find_said(behind, is_negated, is_name);
        let is_topic = is_any(word, TOPICS);
        reading.has_topic |= is_topic;
        if let Some((says, force)) = found {
            let says = match (says, is_negated) {
                (says, false) => says,
                (Says::Stop, true) => Says::Go,
                (Says::Go, true) => Says::Stop,
            };
            // To let says less than what is let.
            if reading
                .says
                .is_none_or(|(_, before)| before == Force::Allow && force == Force::Firm)
            {
                reading.says = Some((says, force));
            }
        } else {
            let is_known = is_topic
                || word.chars().any(char::is_numeric)
                || [FILLERS, NEGATIONS, STANDINGS, PREFERENCES, WRITES]
                    .iter()
                    .any(|of| is_any(word, of))
                || word == "no";
            reading.has_other |= !is_known;
        }
        at += n_words;
    }
    if reading.says.is_none() {
        let is_alone = matches!(words, [only] if is_name && STOPS_ALONE.contains(&only.as_str()) && only == "baja");
        let is_within = STOPS_WITHIN.iter().any(|stop| text.contains(stop));
        if is_alone || is_within {
            reading.says = Some((Says::Stop, Force::Firm));
            reading.has_other = false;
        }
    }
    reading
}

/// What the first words say, as if nothing were before them but a negation, and how many they are.
fn find_said(words: &[String], is_negated: bool, is_name: bool) -> (usize, Option<(Says, Force)>) {
    let starts = |of: &[&str]| starts_any(words, of);
    let stop = |force| Some((Says::Stop, force));
    let go = |force| Some((Says::Go, force));
    if let Some(n) = starts(STOPS) {
        return (n, stop(Force::Firm));
    }
    if let Some(n) = starts(ROSTERS).filter(|_| is_name) {
        return (n, stop(Force::Firm));
    }
    if let Some(n) = starts(GRANTS) {
        return (n, go(Force::Firm));
    }
    if let Some(n) = starts(WEAK) {
        return (n, stop(Force::Weak));
    }
    if is_negated && let Some(n) = starts(WRITES).or_else(|| starts(INTERESTS)) {
        return (n, go(Force::Firm));
    }
    if let [no, rest @ ..] = words
        && no == "no"
        && let Some(n) = starts_any(rest, INTERESTS)
    {
        return (n + 1, stop(Force::Firm));
    }
    if let Some(n) = starts(ALLOWS).or_else(|| starts(MAY).filter(|_| is_name)) {
        return (n, go(Force::Allow));
    }
    (1, None)
}

/// How many words the first of these takes that they begin with.
fn starts_any(words: &[String], all: &[&str]) -> Option<usize> {
    all.iter().find_map(|said| {
        let mut words = words.iter();
        said.split(' ')
            .all(|part| words.next().is_some_and(|word| is_word(word, part)))
            .then(|| said.split(' ').count())
    })
}

fn is_any(word: &str, all: &[&str]) -> bool {
    all.iter().any(|said| is_word(word, said))
}

fn is_word(word: &str, said: &str) -> bool {
    match said.strip_suffix('-') {
        Some(stem) => word.starts_with(stem),
        None => word == said,
    }
}

/// Lists of which joined words are made.
const PARTS: &[&[&str]] = &[
    STOPS, WEAK, GRANTS, ALLOWS, MAY, TOPICS, NEGATIONS, STANDINGS, FILLERS, INTERESTS, NOTES,
];

/// The shortest word that may be several.
const JOINED_BYTES: usize = 6;

/// And the longest.
const JOINED_BYTES_MAX: usize = 48;

/// The words, those taken apart that are several without a sign between: `donotbulkemail`.
fn split_joined(words: Vec<String>) -> Vec<String> {
    let is_known = |word: &str| PARTS.iter().any(|of| is_any(word, of));
    let mut split = Vec::with_capacity(words.len());
    for word in words {
        let may_be = (JOINED_BYTES..=JOINED_BYTES_MAX).contains(&word.len())
            && word.chars().all(char::is_alphabetic)
            && !is_known(&word);
        match may_be.then(|| split_one(&word)).flatten() {
            Some(parts) => split.extend(parts),
            None => split.push(word),
        }
    }
    split
}

/// The fewest known words that this one is made of, if it is.
fn split_one(word: &str) -> Option<Vec<String>> {
    // By where the rest begins: the fewest words up to there.
    let mut fewest: Vec<Option<Vec<String>>> = vec![None; word.len() + 1];
    *fewest.first_mut()? = Some(Vec::new());
    for start in 0..word.len() {
        let (Some(before), Some(rest)) = (fewest.get(start).cloned().flatten(), word.get(start..))
        else {
            continue;
        };
        for part in PARTS
            .iter()
            .copied()
            .flatten()
            .flat_map(|said| said.split(' '))
        {
            let (stem, is_stem) = match part.strip_suffix('-') {
                Some(stem) => (stem, true),
                None => (part, false),
            };
            if stem.len() < 2 || !rest.starts_with(stem) {
                continue;
            }
            let longest = if is_stem { ENDING_BYTES } else { 0 };
            for end in start + stem.len()..=(start + stem.len() + longest).min(word.len()) {
                let Some(place) = fewest.get_mut(end) else {
                    continue;
                };
                let is_fewer = place
                    .as_ref()
                    .is_none_or(|parts| parts.len() > before.len() + 1);
                if is_fewer && let Some(found) = word.get(start..end) {
                    let mut parts = before.clone();
                    parts.push(found.to_owned());
                    *place = Some(parts);
                }
            }
        }
    }
    fewest.pop().flatten()
}

/// The longest ending of a stem within a joined word.
const ENDING_BYTES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns as programs and people name them, with cells that say not to write, and cells that do not.
    const COLUMNS: &[(&str, &[&str], &[&str])] = &[
        (
            "unsubscribed",
            &[
                "yes",
                "TRUE",
                "1",
                "x",
                "ja",
                "2026-01-04",
                "too many mails",
            ],
            &["", "no", "FALSE", "0", "-", "N/A", "nein"],
        ),
        ("Unsubscribed from all email", &["true"], &["false", ""]),
        (
            "UNSUB_TIME",
            &["2025-03-01 10:11:12"],
            &["", "0000-00-00 00:00:00"],
        ),
        ("unsubscribe_date", &["12/31/2025"], &[""]),
        ("HasOptedOutOfEmail", &["1", "true"], &["0", "false"]),
        ("Email Opt Out", &["Yes", "Y"], &["No", "N", "null"]),
        ("opt-out", &["✓", "oui", "sí", "да"], &["non", "нет", ""]),
        ("do not contact", &["yes", "asked in May"], &["no"]),
        ("Do_Not_Email", &["t"], &["f"]),
        ("doNotContact", &["true"], &["false"]),
        ("Don't email", &["yes"], &["no"]),
        (
            "bounced",
            &["hard", "1", "550 no such user"],
            &["0", "none", "false"],
        ),
        ("Bounce count", &["2"], &["0"]),
        ("Blacklisted", &["true"], &["false"]),
        ("Abgemeldet am", &["3.4.2025"], &["", "-"]),
        ("Nicht kontaktieren", &["ja", "x"], &["nein"]),
        ("Ne pas contacter", &["oui"], &["non"]),
        ("Désabonné", &["Oui", "vrai"], &["Non", "faux"]),
        ("Baja", &["sí", "03/2025"], &["no", ""]),
        ("Fecha de baja", &["04/05/2025"], &[""]),
        ("No contactar", &["sí"], &["no"]),
        ("Disiscritto", &["sì"], &["no"]),
        ("Descadastrado", &["sim"], &["não"]),
        ("Uitgeschreven", &["ja"], &["nee"]),
        ("Wypisany", &["tak"], &["nie"]),
        ("Отписан", &["да", "01.02.2025"], &["нет", ""]),
        ("配信停止", &["はい", "1"], &["いいえ", "0", ""]),
        ("退订", &["是"], &["否", ""]),
        // Whether they agreed
        (
            "subscribed",
            &["no", "false", "0"],
            &["yes", "true", "", "1"],
        ),
        ("Accepts Email Marketing", &["no"], &["yes", ""]),
        ("opt_in", &["FALSE"], &["TRUE", "2025-01-01", ""]),
        ("Einwilligung", &["nein"], &["ja", ""]),
        ("Consent", &["withdrawn, unsubscribed"], &["given"]),
        // How they stand
        (
            "status",
            &[
                "Unsubscribed",
                "bounced",
                "opted out",
                "Do not contact",
                "cleaned",
                "complained",
                "Not subscribed",
                "hard bounce",
            ],
            &[
                "subscribed",
                "active",
                "Customer",
                "not bounced",
                "open",
                "",
                "New",
            ],
        ),
        (
            "Lead Status",
            &["DO NOT CONTACT"],
            &[
                "Working - Contacted",
                "Open - Not Contacted yet by us",
                "Qualified",
            ],
        ),
        (
            "Abo-Status",
            &["abgemeldet", "Abgemeldet am 4.5."],
            &["angemeldet"],
        ),
        ("Statut", &["désinscrit"], &["inscrit", "actif"]),
        (
            "Estado",
            &["dado de baja", "rebotado"],
            &["activo", "Baja California"],
        ),
        (
            "tags",
            &["customer; unsubscribed", "dnc"],
            &["customer; newsletter"],
        ),
        ("ステータス", &["配信停止中"], &["有効"]),
    ];

    /// Columns that ask nothing of the kind, whatever stands in them.
    const OTHERS: &[&str] = &[
        "email",
        "first name",
        "company",
        "Contact No",
        "Customer No. Email",
        "unsubscribe_link",
        "Unsubscribe URL",
        "bounce rate",
        "contact",
        "Last contacted",
        "phone",
        "trabajador",
        "optional outfit",
        "priority",
        "subscription plan",
        "block",
        "city",
        "Mailing street",
        "not before",
        "opt",
        "industry",
        "e-mail",
        "Nicht vergessen",
    ];

    #[test]
    fn who_must_not_be_written_to_is_told_by_the_column_and_the_cell() {
        let mut wrong = Vec::new();
        for (name, refused, others) in COLUMNS {
            let Some(asks) = find_question(name) else {
                wrong.push(format!("{name}: asks nothing"));
                continue;
            };
            wrong.extend(
                refused
                    .iter()
                    .filter(|cell| !is_refusal(asks, cell))
                    .map(|cell| format!("{name}: {cell} passes")),
            );
            wrong.extend(
                others
                    .iter()
                    .filter(|cell| is_refusal(asks, cell))
                    .map(|cell| format!("{name}: {cell} refuses")),
            );
        }
        for name in OTHERS {
            if let Some(asks) = find_question(name) {
                wrong.push(format!("{name}: {asks:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn pairs_of_columns_and_cells_that_no_rule_was_written_for_are_told_apart() {
        // A list's names are kept in small letters.
        let refuses = |(name, cell): &(&str, &str)| {
            find_question(&name.to_lowercase()).is_some_and(|asks| is_refusal(asks, cell))
        };
        let missed: Vec<_> = pairs::REFUSING
            .iter()
            .filter(|pair| !refuses(pair))
            .collect();
        let taken: Vec<_> = pairs::HARMLESS
            .iter()
            .filter(|pair| refuses(pair))
            .collect();
        assert!(
            missed.is_empty() && taken.is_empty(),
            "{missed:?} {taken:?}"
        );
    }
}
