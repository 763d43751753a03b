//! Words for what a list knows of a person, in several languages: where the form of a marker is ordinary writing
//! too, they tell the two apart.

use super::super::super::field::fold;

/// What a column holds.
const HELD: &[&str] = &[
    "name",
    "names",
    "firstname",
    "lastname",
    "fullname",
    "surname",
    "forename",
    "fname",
    "lname",
    "nickname",
    "username",
    "company",
    "companyname",
    "organisation",
    "organization",
    "employer",
    "city",
    "town",
    "country",
    "region",
    "title",
    "jobtitle",
    "position",
    "role",
    "job",
    "department",
    "industry",
    "email",
    "website",
    "phone",
    "mobile",
    "salutation",
    "recipient",
    "prospect",
    "customer",
    "client",
    "sender",
    "sendername",
    "signature",
    "unsubscribe",
    "vorname",
    "nachname",
    "anrede",
    "firma",
    "unternehmen",
    "firmenname",
    "stadt",
    "prénom",
    "prenom",
    "nom",
    "société",
    "societe",
    "entreprise",
    "ville",
    "civilité",
    "civilite",
    "nombre",
    "apellido",
    "apellidos",
    "empresa",
    "ciudad",
    "nome",
    "cognome",
    "azienda",
    "città",
    "cidade",
    "sobrenome",
    "voornaam",
    "achternaam",
    "bedrijf",
    "bedrijfsnaam",
    "imię",
    "imie",
    "nazwisko",
    "förnamn",
    "efternamn",
    "fornavn",
    "etternavn",
    "etunimi",
    "sukunimi",
    "jméno",
    "jmeno",
    "příjmení",
    "soyad",
    "isim",
    "имя",
    "фамилия",
    "компания",
    "姓名",
    "名前",
    "氏名",
    "会社名",
    "公司",
    "公司名称",
    "名字",
    "이름",
    "회사",
    "회사명",
    "icebreaker",
    "firstline",
    "opener",
    "placeholder",
    "date",
    "product",
    "link",
    "linkedin",
    "url",
    "domain",
    "location",
    "address",
    "zip",
    "postcode",
    "birthday",
    "ort",
    "datum",
    "lien",
    "enlace",
    "topic",
    "event",
    "competitor",
    "benefit",
    "pain",
];

/// Words that stand beside those.
const BESIDE: &[&str] = &[
    "first",
    "last",
    "full",
    "given",
    "family",
    "middle",
    "your",
    "their",
    "his",
    "her",
    "my",
    "the",
    "insert",
    "enter",
    "add",
    "contact",
    "lead",
    "person",
    "user",
    "subscriber",
    "account",
    "business",
    "work",
    "home",
    "personal",
    "current",
    "number",
    "link",
    "address",
    "merge",
    "field",
    "custom",
    "variable",
    "var",
    "line",
    "of",
    "here",
    "s",
    "de",
    "la",
    "du",
    "del",
    "da",
    "do",
    "model",
    "recipients",
    "data",
    "point",
];

/// Words that ask for a text to be put in.
const COMMANDS: &[&str] = &[
    "insert",
    "enter",
    "fill",
    "todo",
    "tbd",
    "placeholder",
    "replace",
    "add",
];

/// Words that ask for one beside a noun, and stand in prose too.
const POSSESSIVE: &[&str] = &["your", "their"];

/// Words of sentences, and of no name of a field: articles, pronouns, prepositions, conjunctions, auxiliaries and
/// adverbs of degree. Each class is closed: a language gets no new ones.
const FUNCTION: &[&str] = &[
    "a", "an", "the", "this", "that", "these", "those", "it", "they", "them", "we", "us", "i",
    "he", "she", "one", "and", "or", "but", "nor", "if", "in", "on", "at", "by", "for", "from",
    "to", "with", "as", "into", "than", "is", "are", "was", "were", "be", "been", "has", "have",
    "had", "do", "does", "did", "can", "will", "not", "no", "so", "very", "too", "quite", "only",
    "just", "even", "really", "what", "who", "which", "when", "where", "how", "see", "der", "die",
    "das", "dem", "den", "des", "ein", "eine", "einen", "einer", "und", "oder", "le", "les", "un",
    "une", "et", "ou", "el", "los", "las", "una", "y", "o", "il", "lo", "gli", "um", "uma", "het",
    "een", "en",
];

/// Whether a word only asks.
pub(super) fn is_placeholder(word: &str) -> bool {
    COMMANDS.contains(&word) || POSSESSIVE.contains(&word) || matches!(word, "here" | "the" | "my")
}

/// Whether a word is one of a sentence.
pub(super) fn is_function(word: &str) -> bool {
    FUNCTION.contains(&word)
}

/// The words of a name, in small letters: at what is no letter, and where a large letter follows a small one.
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

/// How the name of a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `first_name`
    Snake,
    /// `firstName`
    Camel,
    /// `FNAME`
    Large,
    /// `First Name`
    Loose,
    /// `name`
    Plain,
}

/// What may be the name of a field.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a mark of its own of one text, and any of them may go with any other"
)]
pub(super) struct Words {
    pub(super) style: Style,
    /// Every word speaks of what is known of a person, or it is the name of a column.
    pub(super) is_held: bool,
    /// Several words, written apart or as one.
    is_several: bool,
    /// It asks for a text to be put in.
    pub(super) is_request: bool,
    /// It asks by a verb: "insert link".
    pub(super) is_command: bool,
    /// A word of sentences is among them.
    pub(super) is_prose: bool,
    /// Its last word is what a column holds, and those before it say which: "calendar link".
    pub(super) is_noun: bool,
    /// Each word begins with a capital letter.
    pub(super) is_titled: bool,
}

impl Words {
    /// `None` for what no field is called.
    pub(super) fn parse(name: &str, columns: &[(String, &str)]) -> Option<Self> {
        let is_named = name.starts_with(char::is_alphabetic)
            && name.chars().count() <= 60
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || " _-./'’".contains(c));
        let words = words_of(name);
        if !is_named || words.len() > 5 {
            return None;
        }
        let is_held = |word: &String| HELD.contains(&word.as_str());
        let is_number = |word: &String| word.bytes().all(|byte| byte.is_ascii_digit());
        let is_word =
            |word: &String| is_held(word) || BESIDE.contains(&word.as_str()) || is_number(word);
        let folded = fold(name);
        let is_column =
            folded.chars().count() > 1 && columns.iter().any(|(column, _)| *column == folded);
        let first = words.first().map(String::as_str).unwrap_or_default();
        let has_function = words.iter().any(|word| is_function(word));
        let is_several = words.len() > 1;
        let is_titled = name
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .all(|word| word.starts_with(char::is_uppercase));
        // "your call" is prose, "your company", "Your Offer" and "your main problem" ask for a text.
        let asks_for = is_several
            && POSSESSIVE.contains(&first)
            && (words.iter().any(is_held) || is_titled || words.len() > 2 && !has_function);
        let is_command = is_several && COMMANDS.contains(&first);
        // Half a name, as a letter's fields are called.
        let is_half = !is_several && matches!(first, "first" | "last");
        let is_noun = is_several
            && words.len() < 5
            && !has_function
            && !POSSESSIVE.contains(&first)
            && words.last().is_some_and(is_held);
        Some(Self {
            style: style(name),
            is_held: is_column || words.iter().all(is_word) && words.iter().any(is_held),
            is_several: is_several || words.iter().all(|word| is_fused(word)),
            is_request: asks_for || is_command || is_half,
            is_command,
            is_prose: has_function,
            is_noun,
            is_titled,
        })
    }

    /// Whether it is the name of a field and nothing else: several words, all of a person.
    pub(super) fn is_strong(self) -> bool {
        self.is_held && self.is_several
    }
}

/// Whether a word is two of them: nobody writes it otherwise.
fn is_fused(word: &str) -> bool {
    let is_long = word.len() > 4 && (word.ends_with("name") || word.ends_with("title"));
    HELD.contains(&word)
        && (is_long
            || matches!(
                word,
                "fname" | "lname" | "prénom" | "prenom" | "apellido" | "cognome"
            ))
}

fn style(name: &str) -> Style {
    let mut letters = name.chars().peekable();
    let mut is_camel = false;
    while let Some(c) = letters.next() {
        is_camel |= c.is_lowercase() && letters.peek().is_some_and(|next| next.is_uppercase());
    }
    let is_large =
        !name.contains(char::is_lowercase) && name.chars().filter(|c| c.is_uppercase()).count() > 1;
    if name.contains(' ') {
        Style::Loose
    } else if name.contains('_') {
        Style::Snake
    } else if is_large {
        Style::Large
    } else if is_camel {
        Style::Camel
    } else {
        Style::Plain
    }
}
