//! Where in a list the table is: the row with the column names, which may stand below a preamble, and the column
//! that holds the addresses. A name is a hint in any language; what decides is what stands in the cells.

use std::collections::{HashMap, HashSet};

use super::cell::{NoAddress, clean, parse_address};
use super::{ADDRESS_COLUMN, LeadsError};
use crate::text::field::fold;

/// A row of the sample that is not blank.
pub(super) type SampleRow = (u64, Vec<String>);

/// Where the table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// The row with the names; `None` where the list begins with a lead.
    pub(super) header_row: Option<u64>,
    /// A name for each column, unique; `None` for one that has none.
    pub(super) names: Vec<Option<String>>,
    /// Names that more than one column has, as they were written.
    pub(super) doubled: Vec<String>,
    /// The column with the addresses.
    pub(super) address_idx: usize,
}

/// How much a column's name says that leads are written to there. The least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hint {
    /// "email".
    Ours,
    /// Mail and address and nothing else, as in "E-Mail-Adresse".
    Mail,
    /// Mail among other words, as in "work email".
    Some,
    /// Nothing.
    None,
    /// The second of several, or a copy.
    Second,
    /// Somebody else's: who sells to the lead, or wrote the list.
    Other,
}

/// Parts of a word for mail, in letters of any case without separators.
const MAIL: &[&str] = &[
    "mail",
    "courriel",
    "correo",
    "correu",
    "eposta",
    "posta",
    "epost",
    "sähköposti",
    "почта",
    "пошта",
    "имейл",
    "мейл",
    "メール",
    "邮箱",
    "邮件",
    "郵箱",
    "郵件",
    "電郵",
    "信箱",
    "이메일",
    "메일",
    "بريد",
    "דואל",
    "אימייל",
    "ईमेल",
    "อีเมล",
];

/// Words that say no more than mail does.
const ADDRESS: &[&str] = &[
    "e",
    "address",
    "addresses",
    "adresse",
    "adres",
    "adresa",
    "adress",
    "adresi",
    "adrese",
    "adresy",
    "direccion",
    "dirección",
    "de",
    "di",
    "of",
    "indirizzo",
    "endereço",
    "endereco",
    "cím",
    "osoite",
    "electronico",
    "electrónico",
    "elettronica",
    "eletrônico",
    "eletronico",
    "electronique",
    "électronique",
    "адрес",
    "адреса",
    "электронная",
    "электронной",
    "почты",
    "アドレス",
    "电子",
    "地址",
    "電子",
    "子",
    "주소",
    "id",
    "1",
    "value",
    "primary",
    "elektronische",
    "the",
    "d",
    "l",
    "your",
    "contact",
];

/// Words of a column that holds somebody else's address.
const OTHER: &[&str] = &[
    "owner",
    "manager",
    "assistant",
    "sender",
    "from",
    "created",
    "modified",
    "rep",
    "referrer",
    "executive",
    "seller",
    "assigned",
    "assignee",
    "agent",
    "besitzer",
    "propriétaire",
    "propietario",
    "proprietario",
    "verantwortlicher",
];

/// Words of a column that holds one address beside another.
const SECOND: &[&str] = &[
    "cc",
    "bcc",
    "backup",
    "secondary",
    "second",
    "additional",
    "alternate",
    "alternative",
    "other",
    "old",
    "2",
    "3",
    "4",
    "5",
    "zweite",
    "autre",
    "otro",
];

impl Hint {
    fn of(name: &str) -> Self {
        let folded = fold(name.trim_matches('"'));
        if folded == ADDRESS_COLUMN {
            return Self::Ours;
        }
        let is_mail = MAIL.iter().any(|word| folded.contains(word));
        let words: Vec<String> = words_of(name);
        let has = |of: &[&str]| words.iter().any(|word| of.contains(&word.as_str()));
        if has(OTHER) {
            return Self::Other;
        }
        if has(SECOND) {
            return Self::Second;
        }
        if !is_mail {
            return Self::None;
        }
        let is_told = |word: &String| {
            ADDRESS.contains(&word.as_str())
                || MAIL.iter().any(|mail| {
                    let (before, after) = word.split_once(mail).unwrap_or((word, "x"));
                    before.len() < 2 && (after.len() < 2 || ADDRESS.contains(&after))
                        || !word.is_ascii() && word.contains(mail)
                })
        };
        if words.iter().all(is_told) {
            Self::Mail
        } else {
            Self::Some
        }
    }
}

/// The words of a name, in small letters: at separators and where a large letter follows a small one.
pub(super) fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (was_small && c.is_uppercase()) {
            words.push(String::new());
        }
        was_small = c.is_lowercase();
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A column of the sample.
#[derive(Default)]
struct Column {
    /// Its addresses; several in one cell count as one.
    addresses: HashSet<String>,
    /// How many cells hold them.
    n_cells: usize,
    /// The place of the first among the rows.
    first: usize,
}

impl Column {
    /// Whether its addresses come again and again, as those of the few who write to many do.
    fn is_repeated(&self) -> bool {
        self.addresses.len() < self.n_cells
    }
}

/// Finds the table in the first rows of a list.
pub(super) fn find_table(sample: &[SampleRow]) -> Result<Table, LeadsError> {
    let columns = read_columns(sample);
    let named = sample.iter().enumerate().find(|(at, (_, cells))| {
        !has_at(cells)
            && cells.iter().enumerate().any(|(idx, cell)| {
                let has_addresses = columns.get(&idx).is_some_and(|column| {
                    column.first > *at || {
                        // A preamble may name an address too.
                        column.addresses.len() > 1
                    }
                });
                has_addresses && Hint::of(cell) < Hint::None
            })
    });
    let best = columns
        .iter()
        .max_by_key(|(idx, column)| (column.addresses.len(), usize::MAX - **idx));
    // Where its rows are shifted, no column has the addresses that its name says.
    let told = best.and_then(|(_, column)| {
        let above = sample.get(..column.first).unwrap_or_default();
        above
            .iter()
            .position(|(_, cells)| cells.iter().any(|cell| Hint::of(cell) <= Hint::Mail))
    });
    let (header, best_idx) = match (named, best) {
        (None, Some(_)) if told.is_some() => (told, None),
        (Some((at, _)), best) => (Some(at), best.map(|(idx, _)| *idx)),
        (None, Some((idx, column))) => (
            find_fullest(sample.get(..column.first).unwrap_or_default(), *idx),
            Some(*idx),
        ),
        (None, None) => (
            sample
                .iter()
                .position(|(_, cells)| cells.iter().any(|cell| Hint::of(cell) <= Hint::Mail)),
            None,
        ),
    };
    let Some(header) = header else {
        let address_idx = best_idx.ok_or_else(|| no_address_column(sample))?;
        // It begins with a lead: its columns have numbers alone.
        return Ok(name_columns(None, &[], address_idx));
    };
    let Some((row, cells)) = sample.get(header) else {
        return Err(no_address_column(sample));
    };
    let address_idx = choose(cells, &columns, best_idx)
        .map_err(|names| LeadsError::Ambiguous { row: *row, names })?;
    let name = cells
        .get(address_idx)
        .map(String::as_str)
        .unwrap_or_default();
    if Hint::of(name) == Hint::Other {
        return Err(LeadsError::NotTheLeads {
            row: *row,
            name: name.to_owned(),
        });
    }
    Ok(name_columns(Some(*row), cells, address_idx))
}

fn has_at(cells: &[String]) -> bool {
    let mut cells = cells.iter().filter(|cell| cell.contains(['@', '＠']));
    cells.any(|cell| parse_address(cell).is_ok())
}

fn no_address_column(sample: &[SampleRow]) -> LeadsError {
    let fullest = sample
        .iter()
        .enumerate()
        .max_by_key(|(at, (_, cells))| (n_filled(cells), usize::MAX - at));
    LeadsError::NoAddressColumn {
        row: fullest.map_or(1, |(_, (row, _))| *row),
        found: fullest.map_or_else(Vec::new, |(_, (_, cells))| cells.clone()),
    }
}

fn n_filled(cells: &[String]) -> usize {
    cells.iter().filter(|cell| !cell.is_empty()).count()
}

fn read_columns(sample: &[SampleRow]) -> HashMap<usize, Column> {
    let mut columns: HashMap<usize, Column> = HashMap::new();
    for (at, (_, cells)) in sample.iter().enumerate() {
        for (idx, cell) in cells
            .iter()
            .enumerate()
            .filter(|(_, cell)| cell.contains(['@', '＠']))
        {
            let held = match parse_address(cell) {
                Ok(address) => address.as_str().to_owned(),
                // The rows will be complained of; the column is the one all the same.
                Err(NoAddress::Several | NoAddress::Hidden) => cell.clone(),
                Err(NoAddress::Other) => continue,
            };
            let column = columns.entry(idx).or_insert_with(|| Column {
                first: at,
                ..Column::default()
            });
            column.addresses.insert(held);
            column.n_cells += 1;
        }
    }
    columns
}

/// The first of the rows above the leads that has the most cells: a preamble has fewer.
fn find_fullest(above: &[SampleRow], address_idx: usize) -> Option<usize> {
    let may_be = |cells: &[String]| {
        let name = cells
            .get(address_idx)
            .map(String::as_str)
            .unwrap_or_default();
        !name.contains('@')
            && cells.iter().any(|cell| cell.contains(char::is_alphabetic))
            && cells.len() > address_idx
    };
    above
        .iter()
        .enumerate()
        .filter(|(_, (_, cells))| may_be(cells))
        .max_by_key(|(at, (_, cells))| (n_filled(cells), usize::MAX - at))
        .map(|(at, _)| at)
}

/// The column to write to; the names of those among which nothing decides.
fn choose(
    names: &[String],
    columns: &HashMap<usize, Column>,
    best_idx: Option<usize>,
) -> Result<usize, Vec<String>> {
    let n_addresses = |idx: usize| columns.get(&idx).map_or(0, |column| column.addresses.len());
    // Leads are written to once; who writes to them stands in many rows, whatever the column is called.
    let is_varied = |column: &Column| !column.is_repeated() && column.addresses.len() > 1;
    let has_varied = columns.values().any(is_varied);
    let hint_of = |idx: usize, name: &str| match Hint::of(name) {
        hint @ (Hint::Some | Hint::None | Hint::Second)
            if has_varied && columns.get(&idx).is_some_and(Column::is_repeated) =>
        {
            hint.max(Hint::Other)
        }
        hint => hint,
    };
    let is_somebodys = |idx: usize| {
        names
            .get(idx)
            .is_some_and(|name| hint_of(idx, name) == Hint::Other)
    };
    let best_is_other = columns.keys().all(|idx| is_somebodys(*idx));
    let mut hinted: Vec<(Hint, usize)> = names
        .iter()
        .enumerate()
        .map(|(idx, name)| (hint_of(idx, name), idx))
        // A column that says "email" is the one, also where it holds none; so is any that says mail and nothing else
        // where the others are somebody else's.
        .filter(|(hint, idx)| {
            *hint == Hint::Ours
                || n_addresses(*idx) > 0
                || (best_idx.is_none() || best_is_other) && *hint <= Hint::Mail
        })
        .collect();
    hinted.sort_by_key(|(hint, idx)| (*hint, usize::MAX - n_addresses(*idx), *idx));
    let Some((hint, first)) = hinted.first().copied() else {
        return best_idx.ok_or_else(Vec::new);
    };
    let rivals: Vec<usize> = hinted
        .iter()
        .filter(|(other, idx)| {
            // Mail among other words says not whose: "account executive email" beside "contact".
            (*other == hint || hint == Hint::Some && *other == Hint::None)
                && 2 * n_addresses(*idx) > n_addresses(first)
                && differ(columns, first, *idx)
        })
        .map(|(_, idx)| *idx)
        .collect();
    if rivals.is_empty() || best_idx.is_none() {
        return Ok(first);
    }
    let told = [first].into_iter().chain(rivals);
    Err(told.filter_map(|idx| names.get(idx)).cloned().collect())
}

fn differ(columns: &HashMap<usize, Column>, one: usize, other: usize) -> bool {
    match (columns.get(&one), columns.get(&other)) {
        (Some(first), Some(second)) => one != other && first.addresses != second.addresses,
        _ => false,
    }
}

/// Each column's name, in small letters; a repeated one is numbered.
fn name_columns(header_row: Option<u64>, cells: &[String], address_idx: usize) -> Table {
    let written: Vec<String> = cells.iter().map(|cell| tidy(cell)).collect();
    let mut n_seen: HashMap<&str, usize> = HashMap::new();
    let mut doubled = Vec::new();
    for name in written.iter().filter(|name| !name.is_empty()) {
        let n = n_seen.entry(name).or_insert(0);
        *n += 1;
        if *n == 2 {
            doubled.push(name.clone());
        }
    }
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut given: HashSet<String> = HashSet::new();
    let mut names = Vec::with_capacity(written.len());
    for name in &written {
        let number = numbers.entry(name).or_insert(0);
        let unique = loop {
            *number += 1;
            if *number == 1 {
                break name.clone();
            }
            let unique = format!("{name} {number}");
            if !n_seen.contains_key(unique.as_str()) && !given.contains(&unique) {
                break unique;
            }
        };
        given.insert(unique.clone());
        names.push(Some(unique).filter(|_| !name.is_empty()));
    }
    if names.len() <= address_idx {
        names.resize(address_idx + 1, None);
    }
    Table {
        header_row,
        names,
        doubled,
        address_idx,
    }
}

/// A name in small letters, without quotes around it, with one space where it has several, or a line break.
fn tidy(name: &str) -> String {
    let name = clean(name).trim_matches('"');
    let words: Vec<&str> = name.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

impl Table {
    /// The name of the column with the addresses.
    pub(super) fn address_name(&self) -> &str {
        self.names
            .get(self.address_idx)
            .and_then(Option::as_deref)
            .unwrap_or(ADDRESS_COLUMN)
    }

    /// Names the columns that have no name, where something stands in them, by their number; that of the addresses
    /// by what it holds.
    pub(super) fn number(&mut self, is_used: &[bool]) {
        self.names.resize(is_used.len().max(self.names.len()), None);
        let taken: HashSet<String> = self.names.iter().flatten().cloned().collect();
        for (idx, name) in self.names.iter_mut().enumerate() {
            if name.is_some() {
                continue;
            }
            if idx == self.address_idx && !taken.contains(ADDRESS_COLUMN) {
                *name = Some(ADDRESS_COLUMN.to_owned());
            } else if is_used.get(idx).copied().unwrap_or(false) {
                let number = idx + 1;
                let free = [
                    format!("column {number}"),
                    format!("column {number} of the file"),
                ];
                *name = free.into_iter().find(|name| !taken.contains(name));
            }
        }
    }
}
