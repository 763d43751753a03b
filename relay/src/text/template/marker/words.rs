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
];

/// Words that ask for a text to be put in.
const REQUESTS: &[&str] = &[
    "insert",
    "enter",
    "your",
    "fill",
    "todo",
    "tbd",
    "placeholder",
    "replace",
    "add",
    "their",
];

/// Whether a word only asks.
pub(super) fn is_placeholder(word: &str) -> bool {
    REQUESTS.contains(&word) || matches!(word, "here" | "the" | "my")
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
pub(super) struct Words {
    pub(super) style: Style,
    /// Every word speaks of what is known of a person, or it is the name of a column.
    pub(super) is_held: bool,
    /// Several words, written apart or as one.
    is_several: bool,
    /// It asks for a text to be put in.
    pub(super) is_request: bool,
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
        let is_request = match words.as_slice() {
            // Half a name, as a letter's fields are called.
            [word] => matches!(word.as_str(), "first" | "last"),
            words => words
                .first()
                .is_some_and(|word| REQUESTS.contains(&word.as_str())),
        };
        Some(Self {
            style: style(name),
            is_held: is_column || words.iter().all(is_word) && words.iter().any(is_held),
            is_several: words.len() > 1 || words.iter().all(|word| is_fused(word)),
            is_request,
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
