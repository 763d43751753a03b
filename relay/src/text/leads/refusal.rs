//! What a list itself says of people who must not be written to: a column that asks ("unsubscribed", "opt out") and a
//! cell that says yes, a column that asks whether they agreed and a cell that says no, or words in a column of
//! standings. By the form, not by phrases; the words are data.

mod words;

use words::{ASIDE, GRANTS, NEGATIONS, NOES, STANDINGS, STOPS, STOPS_ALONE, STOPS_WITHIN, WRITES};

use super::table::words_of;
use crate::text::field::is_void;

/// What a column asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// Whether a person is not to be written to.
    WhetherNot,
    /// Whether a person agreed.
    Whether,
    /// How a person stands.
    Standing,
}

/// What words say of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Stop,
    Go,
}

/// What a column asks by its name; `None` for all other columns.
pub(super) fn find_question(name: &str) -> Option<Asks> {
    let words = words_of(name);
    let has = |of: &[&str]| words.iter().any(|word| of.contains(&word.as_str()));
    if has(ASIDE) {
        return None;
    }
    match read(&words, name) {
        Some(Says::Stop) => Some(Asks::WhetherNot),
        Some(Says::Go) => Some(Asks::Whether),
        None => has(STANDINGS).then_some(Asks::Standing),
    }
}

/// Whether a cell of such a column says that this person must not be written to.
pub(super) fn is_refusal(asks: Asks, cell: &str) -> bool {
    let words = words_of(cell);
    let small = cell.trim().to_lowercase();
    let says = read(&words, cell);
    let is_no = NOES.contains(&small.as_str()) || is_nought(&small);
    match asks {
        Asks::WhetherNot => {
            // Whatever else is noted there, a date or a reason, is noted because of it.
            !is_void(cell) && !is_no && says != Some(Says::Go) && !is_link(&small)
        }
        Asks::Whether => is_no && !is_void(cell) || says == Some(Says::Stop),
        Asks::Standing => says == Some(Says::Stop),
    }
}

/// `0`, `0.0`, `0000-00-00`.
fn is_nought(cell: &str) -> bool {
    cell.contains('0')
        && cell
            .chars()
            .all(|c| matches!(c, '0' | '.' | ',' | '-' | '/' | ':' | ' ' | '%'))
}

/// What is put into a message.
fn is_link(cell: &str) -> bool {
    cell.contains("://") || cell.starts_with("www.") || cell.contains('@') && !cell.contains(' ')
}

fn read(words: &[String], text: &str) -> Option<Says> {
    let behind = |from: usize| words.get(from..).unwrap_or_default();
    for at in 0..words.len() {
        let is_negated = at > 0 && {
            let before = words.get(at.saturating_sub(2)..at).unwrap_or_default();
            before.iter().any(|word| NEGATIONS.contains(&word.as_str()))
        };
        let said = if starts_any(behind(at), STOPS) {
            Some(Says::Stop)
        } else if starts_any(behind(at), GRANTS) {
            Some(Says::Go)
        } else {
            None
        };
        match (said, is_negated) {
            (Some(Says::Stop), false) | (Some(Says::Go), true) => return Some(Says::Stop),
            (Some(Says::Go), false) | (Some(Says::Stop), true) => return Some(Says::Go),
            (None, true) if starts_any(behind(at), WRITES) => return Some(Says::Stop),
            (None, _) => {}
        }
    }
    let is_alone = matches!(words, [only] if STOPS_ALONE.contains(&only.as_str()));
    let is_within = STOPS_WITHIN.iter().any(|stop| text.contains(stop));
    (is_alone || is_within).then_some(Says::Stop)
}

fn starts_any(words: &[String], all: &[&str]) -> bool {
    all.iter().any(|said| {
        let mut words = words.iter();
        said.split(' ').all(|part| {
            words
                .next()
                .is_some_and(|word| match part.strip_suffix('-') {
                    Some(stem) => word.starts_with(stem),
                    None => word == part,
                })
        })
    })
}

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
        "notes",
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
}
