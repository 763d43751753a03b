//! Which letters beyond ASCII a language is written with, and in which encodings its programs write it (Unicode CLDR,
//! main exemplar characters; WHATWG Encoding). Letters that hardly stand in names are left out: they say nothing.

/// A language.
#[derive(Debug)]
pub(super) struct Language {
    /// Names of encodings.
    pub(super) encodings: &'static [&'static str],
    /// Its letters beyond ASCII, small.
    pub(super) letters: &'static str,
    /// Letters of ASCII that its own words do without.
    pub(super) never: &'static str,
    /// The domains of the countries in which it is written.
    pub(super) countries: &'static [&'static str],
}

const LATIN_1: &[&str] = &["windows-1252", "macintosh"];
const LATIN_2: &[&str] = &["windows-1250", "ISO-8859-2"];
const TURKISH: &[&str] = &["windows-1254"];
const BALTIC: &[&str] = &["windows-1257", "ISO-8859-13"];
const CYRILLIC: &[&str] = &[
    "windows-1251",
    "KOI8-R",
    "KOI8-U",
    "IBM866",
    "ISO-8859-5",
    "x-mac-cyrillic",
];
const GREEK: &[&str] = &["windows-1253", "ISO-8859-7"];

const fn language(
    encodings: &'static [&'static str],
    letters: &'static str,
    countries: &'static [&'static str],
) -> Language {
    Language {
        encodings,
        letters,
        never: "",
        countries,
    }
}

/// The languages that are written with letters of their own beside those of ASCII, or instead of them.
pub(super) const LANGUAGES: &[Language] = &[
    // Western and northern Europe
    language(LATIN_1, "äöüß", &["de", "at", "ch", "li"]),
    language(LATIN_1, "àâçéèêëîïôœùûüÿ", &["fr", "be", "lu"]),
    language(LATIN_1, "áéíóúüñ", &["es", "mx", "ar", "co", "cl", "pe"]),
    language(LATIN_1, "áâãàçéêíóôõú", &["pt", "br"]),
    language(LATIN_1, "àèéìòù", &["it"]),
    language(LATIN_1, "éèëïöü", &["nl"]),
    language(LATIN_1, "åäöéü", &["se", "fi"]),
    language(LATIN_1, "æøåéöäü", &["dk", "no"]),
    Language {
        encodings: LATIN_1,
        letters: "áðéíóúýþæö",
        never: "cqwz",
        countries: &["is"],
    },
    language(LATIN_1, "áéíóú", &["ie", "uk"]),
    language(LATIN_1, "çë", &["al"]),
    // Central Europe
    language(LATIN_2, "ąćęłńóśźż", &["pl"]),
    language(LATIN_2, "áčďéěíňóřšťúůýž", &["cz"]),
    language(LATIN_2, "áäčďéíľňóôšťúýž", &["sk"]),
    language(LATIN_2, "áéíóöőúüű", &["hu"]),
    language(LATIN_2, "čćđšž", &["hr", "si", "ba", "rs", "me"]),
    language(LATIN_2, "ăâîşţ", &["ro", "md"]),
    language(LATIN_2, "äöüß", &[]),
    language(LATIN_2, "éë", &[]),
    // Turkish, and what stands beside it there
    Language {
        encodings: TURKISH,
        letters: "çğıöşüâîû",
        never: "qwx",
        countries: &["tr"],
    },
    language(TURKISH, "äöüßéèç", &[]),
    // The Baltic
    language(BALTIC, "äöõüšž", &["ee"]),
    language(BALTIC, "āčēģīķļņšūž", &["lv"]),
    language(BALTIC, "ąčęėįšųūž", &["lt"]),
    // Cyrillic
    language(
        CYRILLIC,
        "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
        &["ru", "bg", "kz"],
    ),
    language(CYRILLIC, "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя", &["ua"]),
    language(CYRILLIC, "абвгдеёжзійклмнопрстуўфхцчшыьэюя", &["by"]),
    language(CYRILLIC, "абвгдђежзијклљмнњопрстћуфхцчџш", &[]),
    language(CYRILLIC, "абвгдѓежзѕијклљмнњопрстќуфхцчџш", &["mk"]),
    // Others
    language(GREEK, "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋΐΰ", &["gr", "cy"]),
    language(&["windows-1255"], "אבגדהוזחטיכלמנסעפצקרשתךםןףץ", &["il"]),
    language(
        &["windows-1256"],
        "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىيپچژگ",
        &["sa", "ae", "eg", "ir", "ma", "jo", "kw", "qa"],
    ),
];

/// Encodings of scripts that are known by their ranges: with the domains of their countries.
pub(super) const BY_RANGE: &[(&str, &[&str])] = &[
    ("GBK", &["cn", "sg"]),
    ("Big5", &["tw", "hk", "mo"]),
    ("Shift_JIS", &["jp"]),
    ("EUC-JP", &["jp"]),
    ("EUC-KR", &["kr"]),
    ("windows-874", &["th"]),
];

/// What spreadsheets write by themselves, each in its country: any of these may be meant where several fit.
pub(super) const USUAL: &[&str] = &[
    "windows-1252",
    "windows-1250",
    "windows-1254",
    "windows-1251",
    "windows-1253",
    "windows-1255",
    "windows-1256",
    "windows-874",
    "GBK",
    "Big5",
    "Shift_JIS",
    "EUC-KR",
    "KOI8-R",
];

/// What else there is, where none of those fits: other systems, and letters that those have in other places.
pub(super) const OTHERS: &[&str] = &[
    "windows-1257",
    "EUC-JP",
    "ISO-8859-2",
    "ISO-8859-5",
    "ISO-8859-7",
    "ISO-8859-13",
    "KOI8-U",
    "IBM866",
    "x-mac-cyrillic",
];

/// Vowels of the Latin, the Cyrillic and the Greek script; other letters of these are consonants.
pub(super) const VOWELS: &str =
    "aeiouyàáâãäåæāăąèéêëēėęěìíîïīįıòóôõöøőōœùúûüūůűųýÿаеёиоуыэюяіїєαεηιουωάέήίόύώϊϋΐΰ";
