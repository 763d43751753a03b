//! The letters of a list: read in the encoding that they were written in, asked for where nothing decides, or refused.

use super::super::parse as parse_told;
use super::*;

#[test]
fn letters_are_read_in_the_encoding_they_were_written_in_or_not_at_all() {
    use encoding_rs::{
        EUC_JP, GB18030, GBK, IBM866, KOI8_R, MACINTOSH, SHIFT_JIS, WINDOWS_1250, WINDOWS_1251,
        WINDOWS_1252, WINDOWS_1253, WINDOWS_1254,
    };
    let list = |names: &[&str]| {
        let rows: Vec<String> = (0..)
            .zip(names)
            .map(|(n, name)| format!("a{n}@a.example;{name}"))
            .collect();
        format!("email;name\r\n{}\r\n", rows.join("\r\n"))
    };
    let western = [
        "Jörg Müller",
        "Zoë",
        "François Lefèvre",
        "Peña",
        "Søren Ærø",
        "Straße",
        "João",
        "D’Arcy – Œuvre",
    ];
    let central = [
        "Jiří Dvořák",
        "Łukasz Wiśniewski",
        "Željko Đorđević",
        "Szőke Gyűrű",
        "Ľubomír Hlaváček",
        "Zbyněk Šťastný",
    ];
    let cyrillic = [
        "Алексей Иванов",
        "Мария Петрова",
        "Ольга Кузнецова",
        "Сергей",
    ];
    let greek = ["Γιώργος Παπαδόπουλος", "Ελένη Νικολάου", "Κώστας"];
    let turkish = [
        "Şükrü Yılmaz",
        "Çağla Öztürk",
        "İbrahim Güneş",
        "Ayşe Kılıç",
    ];
    let japanese = ["山田太郎", "鈴木花子", "株式会社サンプル", "佐藤さくら"];
    let chinese = ["王小明", "李娜", "北京示例有限公司", "张伟"];
    let mut wrong = Vec::new();
    for (names, encoding) in [
        (&western[..], WINDOWS_1252),
        (&western[..1], WINDOWS_1252),
        (&western[1..2], WINDOWS_1252),
        (&western[2..3], WINDOWS_1252),
        (&western[4..5], WINDOWS_1252),
        (&western[..7], MACINTOSH),
        (&central[..], WINDOWS_1250),
        (&cyrillic[..], WINDOWS_1251),
        (&cyrillic[..1], WINDOWS_1251),
        (&cyrillic[..], KOI8_R),
        (&cyrillic[..], IBM866),
        (&greek[..], WINDOWS_1253),
        (&turkish[..], WINDOWS_1254),
        (&japanese[..], SHIFT_JIS),
        (&japanese[..], EUC_JP),
        (&chinese[..], GBK),
        (&chinese[..], GB18030),
    ] {
        let text = list(names);
        let (bytes, _, is_unmappable) = encoding.encode(&text);
        assert!(!is_unmappable);
        match parse(&bytes) {
            Ok(read) => {
                let found: Vec<&str> = read
                    .leads
                    .iter()
                    .map(|lead| lead.fields["name"].as_str())
                    .collect();
                if found != names {
                    wrong.push(format!(
                        "{} read as {}: {found:?}",
                        encoding.name(),
                        read.form.encoding
                    ));
                }
            }
            Err(error) => wrong.push(format!("{}: {error}", encoding.name())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Names in what programs of their country write, a few of them only, so that little speaks for any encoding.
const FEW: &[(&str, &[&str])] = &[
    (
        "windows-1254",
        &[
            "Ayşe Yıldız",
            "Oğuz",
            "İbrahim Çağlar",
            "Gülşen Şahin",
            "Işık",
        ],
    ),
    (
        "windows-1251",
        &[
            "Иван Петров",
            "Юлия",
            "Дмитрий",
            "Олена Ткаченко",
            "ООО Ромашка",
        ],
    ),
    ("KOI8-R", &["Иван Петров", "Юлия", "Дмитрий"]),
    ("GBK", &["张伟", "王芳", "李娜", "刘洋", "北京科技有限公司"]),
    ("Big5", &["陳怡君", "林志豪", "台北股份有限公司"]),
    ("EUC-KR", &["김철수", "이영희", "주식회사 한국"]),
    ("Shift_JIS", &["山田太郎", "鈴木花子", "株式会社サンプル"]),
    (
        "windows-1250",
        &[
            "Jiří Dvořák",
            "Václav Čapek",
            "Łukasz",
            "Gergő Szűcs",
            "Kovačić",
        ],
    ),
    (
        "windows-1252",
        &[
            "Jörg",
            "Zoë",
            "François Lefèvre",
            "Muñoz",
            "Bjørn Ås",
            "João",
        ],
    ),
    ("windows-1253", &["Γιώργος", "Ελένη Παπαδοπούλου"]),
    ("windows-1255", &["דוד כהן", "שרה לוי"]),
    ("windows-1256", &["محمد علي", "فاطمة"]),
    ("windows-874", &["สมชาย ใจดี", "มาลี"]),
];

#[test]
fn a_few_names_in_any_encoding_are_read_rightly_or_it_is_asked_for_and_then_told() {
    let (mut wrong, mut n_read, mut n_asked) = (Vec::new(), 0, 0);
    for (label, names) in FEW {
        let encoding = find_encoding(label).unwrap();
        // Each alone, all of them, and each beside the next.
        let mut lists: Vec<Vec<&str>> = names.iter().map(|name| vec![*name]).collect();
        lists.extend(names.windows(2).map(<[&str]>::to_vec));
        lists.push(names.to_vec());
        for names in lists {
            let rows = (0..)
                .zip(&names)
                .map(|(n, name)| format!("a{n}@a.example;{name}"));
            let text = format!("email;name\n{}\n", rows.collect::<Vec<_>>().join("\n"));
            let (bytes, ..) = encoding.encode(&text);
            let found = |told| {
                parse_told(&bytes, told).map(|list| -> Vec<String> {
                    list.leads
                        .into_iter()
                        .map(|lead| lead.fields["name"].clone())
                        .collect()
                })
            };
            match found(None) {
                Ok(found) if found == names => n_read += 1,
                Err(LeadsError::Encoding { readings, .. }) => {
                    n_asked += 1;
                    if !readings
                        .iter()
                        .any(|(_, word)| names.contains(&word.as_str()))
                    {
                        wrong.push(format!("{label} {names:?}: not among {readings:?}"));
                    }
                }
                other => wrong.push(format!("{label} {names:?}: {other:?}")),
            }
            if found(Some(encoding)).as_ref()
                != Ok(&names.iter().map(|name| (*name).to_owned()).collect())
            {
                wrong.push(format!(
                    "{label} {names:?}, told: {:?}",
                    found(Some(encoding))
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{n_read} read, {n_asked} asked for\n{}",
        wrong.join("\n")
    );
    assert!(n_read > 2 * n_asked, "{n_read} read, {n_asked} asked for");
}

#[test]
fn the_countries_of_the_addresses_tell_an_encoding_and_a_person_does_where_nothing_else_can() {
    let list = |domain: &str| {
        let text = format!("email;name\nayse@{domain};Ayşe\n");
        encoding_rs::WINDOWS_1254.encode(&text).0.into_owned()
    };
    let name = |bytes: &[u8], told| {
        parse_told(bytes, told).map(|list| list.leads[0].fields["name"].clone())
    };
    assert_eq!(name(&list("firma.com.tr"), None).as_deref(), Ok("Ayşe"));
    assert_eq!(name(&list("fyrirtaeki.is"), None).as_deref(), Ok("Ayþe"));
    let error = name(&list("a.example"), None).unwrap_err();
    assert_eq!(error.row(), Some(2));
    let words = error.to_string();
    for part in [
        "row 2, column 2",
        "\"Ayşe\" (windows-1254)",
        "\"Ayþe\" (windows-1252)",
        "which encoding is it?",
        "--encoding ",
    ] {
        assert!(words.contains(part), "{words}");
    }
    for label in [
        "windows-1254",
        "Windows 1254",
        "cp1254",
        "ISO-8859-9",
        "latin5",
    ] {
        assert_eq!(
            name(&list("a.example"), find_encoding(label)).as_deref(),
            Ok("Ayşe"),
            "{label}"
        );
    }
    assert_eq!(find_encoding("turkish"), None);
    let error = parse_told(
        "email,name\na@a.example,J\u{F6}rg \u{F6}\u{F6}\n".as_bytes(),
        find_encoding("shift_jis"),
    );
    assert!(error.is_ok() || matches!(error, Err(LeadsError::Letters { .. })));
}

#[test]
fn letters_that_cannot_be_right_are_refused_with_row_column_and_what_to_do() {
    for (case, bytes, row, column) in [
        // CP850, as the command line of Windows writes: ö is 94, ü 81, é 82, ß E1.
        ("the encoding of DOS", &b"email;name\na@a.example;J\x94rg\nb@b.example;M\x81ller\nc@c.example;Andr\x82s\n"[..], 2, 2),
        ("UTF-8 by its mark, and damaged", b"\xEF\xBB\xBFname,email\nAnn,a@a.example\nJ\xF6rg,b@b.example\n", 3, 1),
        ("two encodings in one file", b"email,name\na@a.example,J\xC3\xB6rg Z\xC3\xB6e M\xC3\xBCller \xC3\xA9\nb@b.example,J\xF6rg\n", 3, 2),
    ] {
        let error = parse(bytes).unwrap_err();
        let LeadsError::Letters { row: found_row, column: found_column, .. } = error else {
            panic!("{case}: {error}")
        };
        assert_eq!((found_row, found_column), (row, column), "{case}");
        let words = error.to_string();
        for word in ["encoding", "delimiter", "CSV UTF-8"] {
            assert!(words.contains(word), "{case}: {words}");
        }
    }
}
