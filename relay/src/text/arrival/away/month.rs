//! Names of months as people write them in dates, after the data of Unicode CLDR (`calendars/gregorian/months`): the stems
//! of both forms where a language declines them. Letters are small and without marks, as [`super::plain`] leaves them.

/// The longest ending that a stem takes, as in `joulukuuhun`.
const ENDING_MAX: usize = 5;
/// A name that is shorter than this stands for itself alone: it begins too many other words.
const STEM_MIN: usize = 5;
/// How long a shortened name is, as in `dic.` or `sept.`
const SHORTENED: std::ops::RangeInclusive<usize> = 3..=4;

/// English, January first. These alone stand before their day also where they are shortened.
const ENGLISH: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Other languages, January first. What stands in a month's row is a name or a stem of it.
const OTHERS: [&[&str]; 12] = [
    // Germanic; Romance; Slavic; Baltic, Finnic, Greek, Hungarian, Turkish. So in every row.
    &[
        "januar",
        "janner",
        "jan",
        "janv",
        "janvier",
        "enero",
        "gener",
        "gennaio",
        "janeir",
        "ianuari",
        "stycz",
        "leden",
        "ledna",
        "sijecanj",
        "sijecnj",
        "январ",
        "січен",
        "січн",
        "януар",
        "студзен",
        "sausi",
        "janvar",
        "jaanuar",
        "ιανουαρ",
        "ocak",
    ],
    &[
        "februar",
        "feber",
        "fevrier",
        "febrero",
        "febrer",
        "febbraio",
        "fevereiro",
        "luty",
        "luteg",
        "lutym",
        "unor",
        "unora",
        "veljac",
        "лютии",
        "люты",
        "лютого",
        "лютаг",
        "феврал",
        "февруар",
        "фебруар",
        "vasar",
        "veebruar",
        "φεβρουαρ",
        "subat",
    ],
    &[
        "marz",
        "maart",
        "mrt",
        "mars",
        "marts",
        "marzo",
        "marc",
        "marca",
        "marco",
        "martie",
        "marzec",
        "marcu",
        "brez",
        "brezen",
        "brezna",
        "ozujak",
        "ozujk",
        "март",
        "марта",
        "берез",
        "сакавик",
        "kovo",
        "kovas",
        "marta",
        "marcius",
        "μαρτι",
        "mart",
    ],
    &[
        "avril",
        "abril",
        "aprile",
        "avr",
        "kwiec",
        "kwiet",
        "duben",
        "dubna",
        "dubnu",
        "travanj",
        "travnja",
        "апрел",
        "квітен",
        "квітн",
        "април",
        "красавик",
        "baland",
        "aprilis",
        "aprill",
        "απριλι",
        "nisan",
        "prilis",
    ],
    &[
        "mai",
        "mei",
        "maj",
        "maja",
        "mayo",
        "maig",
        "maggio",
        "maio",
        "maju",
        "kveten",
        "kvetn",
        "svibanj",
        "svibnj",
        "маи",
        "мая",
        "мае",
        "травень",
        "травн",
        "geguz",
        "maijs",
        "maija",
        "μαι",
        "μαιο",
        "μαιου",
        "majus",
        "mayis",
    ],
    &[
        "juni",
        "juin",
        "junio",
        "juny",
        "giugno",
        "junho",
        "iunie",
        "czerwiec",
        "czerwc",
        "cerven",
        "cervna",
        "lipanj",
        "lipnja",
        "июн",
        "июня",
        "июнь",
        "червен",
        "червн",
        "юни",
        "birzel",
        "junij",
        "junijs",
        "jun",
        "juna",
        "junius",
        "juuni",
        "ιουνι",
        "juniu",
        "haziran",
    ],
    &[
        "juli",
        "juillet",
        "julio",
        "juliol",
        "luglio",
        "julho",
        "iulie",
        "lipiec",
        "lipca",
        "lipcu",
        "cervenec",
        "cervenc",
        "srpanj",
        "srpnja",
        "июл",
        "июля",
        "июль",
        "липен",
        "липн",
        "юли",
        "liepa",
        "liepos",
        "julij",
        "julijs",
        "jul",
        "jula",
        "julius",
        "juuli",
        "ιουλι",
        "juliu",
        "temmuz",
    ],
    &[
        "augustus",
        "augusti",
        "aout",
        "agosto",
        "agost",
        "sierp",
        "srpen",
        "srpna",
        "srpnu",
        "kolovoz",
        "август",
        "серпен",
        "серпн",
        "жнив",
        "жнивня",
        "rugpj",
        "augusts",
        "αυγουστ",
        "augusztus",
        "agustos",
        "avgust",
    ],
    &[
        "septemb",
        "septembre",
        "setembr",
        "settembr",
        "septiembr",
        "setiembr",
        "setembre",
        "wrzes",
        "zari",
        "rujan",
        "rujna",
        "сентяб",
        "верес",
        "септемвр",
        "септембар",
        "rugsej",
        "σεπτεμβρ",
        "szeptemb",
        "eylul",
    ],
    &[
        "oktober",
        "oktob",
        "octobre",
        "octubre",
        "ottobre",
        "outubr",
        "octombr",
        "pazdz",
        "rijen",
        "rijna",
        "rijnu",
        "listopad",
        "октяб",
        "жовтен",
        "жовтн",
        "октомвр",
        "октобар",
        "кастрычник",
        "spalis",
        "spali",
        "οκτωβρ",
        "ekim",
    ],
    &[
        "novemb",
        "noviembr",
        "noiembr",
        "listopad",
        "studeni",
        "studeno",
        "ноябр",
        "листопад",
        "ноемвр",
        "новемб",
        "lapkric",
        "νοεμβρ",
        "kasim",
    ],
    &[
        "dezemb",
        "decemb",
        "desemb",
        "dicemb",
        "diciemb",
        "desembre",
        "grudz",
        "grudn",
        "prosin",
        "декаб",
        "груден",
        "грудн",
        "декемвр",
        "децемб",
        "снеж",
        "gruodi",
        "detsemb",
        "δεκεμβρ",
        "aralik",
    ],
];

/// Finnish, January first: a shortened name would be that of another month elsewhere.
const FINNISH: [&str; 12] = [
    "tammiku", "helmiku", "maalisku", "huhtiku", "toukoku", "kesaku", "heinaku", "eloku", "syysku",
    "lokaku", "marrasku", "jouluku",
];

/// The months, from 1, that a word may name; several where languages differ. Empty where it names none.
pub(super) fn find(word: &str) -> Vec<i8> {
    let n_chars = word.chars().count();
    let whole = |stem: &str| -> usize {
        let n_stem = stem.chars().count();
        let fits = if n_stem < STEM_MIN {
            word == stem
        } else {
            word.starts_with(stem) && n_chars - n_stem <= ENDING_MAX
        };
        if fits { n_stem } else { 0 }
    };
    let names = |month: usize| {
        let others = OTHERS
            .get(month)
            .copied()
            .unwrap_or_default()
            .iter()
            .copied();
        others
            .chain(ENGLISH.get(month).copied())
            .chain(FINNISH.get(month).copied())
    };
    // `cervenec` begins with `cerven`, which is another month: the longest stem counts.
    let best: Vec<usize> = (0..12)
        .map(|month| names(month).map(whole).max().unwrap_or(0))
        .collect();
    let longest = best.iter().copied().max().unwrap_or(0);
    if longest > 0 {
        return months(|month| best.get(month) == Some(&longest));
    }
    if !SHORTENED.contains(&n_chars) {
        return Vec::new();
    }
    months(|month| {
        let others = OTHERS
            .get(month)
            .copied()
            .unwrap_or_default()
            .iter()
            .copied();
        let mut all = others.chain(ENGLISH.get(month).copied());
        all.any(|stem| stem.chars().count() >= STEM_MIN && stem.starts_with(word))
    })
}

/// Stems of Hungarian and Lithuanian, where a month stands before its day.
const FIRST: [&str; 24] = [
    "januar",
    "februar",
    "marcius",
    "aprilis",
    "majus",
    "junius",
    "julius",
    "augusztus",
    "szeptemb",
    "oktob",
    "novemb",
    "decemb",
    "sausi",
    "vasar",
    "kovo",
    "baland",
    "geguz",
    "birzel",
    "liepos",
    "rugpj",
    "rugsej",
    "spali",
    "lapkri",
    "gruodi",
];

/// Whether a month of this name may stand before its day.
pub(super) fn leads(word: &str) -> bool {
    let is_shortened = SHORTENED.contains(&word.chars().count());
    FIRST.iter().any(|stem| word.starts_with(stem))
        || ENGLISH
            .iter()
            .any(|name| *name == word || is_shortened && name.starts_with(word))
}

fn months(is_one: impl Fn(usize) -> bool) -> Vec<i8> {
    (0..12_i8)
        .filter(|month| usize::try_from(*month).is_ok_and(&is_one))
        .map(|month| month + 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_known_whole_declined_and_shortened() {
        for (word, expected) in [
            ("december", &[12][..]),
            ("dezember", &[12]),
            ("dic", &[12]),
            ("dec", &[12]),
            ("sept", &[9]),
            ("janv", &[1]),
            ("stycznia", &[1]),
            ("cervna", &[6]),
            ("cervence", &[7]),
            ("joulukuuta", &[12]),
            ("декабря", &[12]),
            ("aralik", &[12]),
            ("listopada", &[10, 11]),
            ("maerz", &[]),
            ("martes", &[]),
            ("monday", &[]),
            ("office", &[]),
            ("de", &[]),
        ] {
            assert_eq!(find(word), expected, "{word}");
        }
    }
}
