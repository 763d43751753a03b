//! Lists as programs export them, a table a kind; what another writer writes is read as it was meant.

use super::*;

mod letters;
mod whose;

/// The list with each address once.
fn parse(bytes: &[u8]) -> Result<LeadList, LeadsError> {
    super::parse(bytes, None).map(|mut list| {
        list.judge(|_| None);
        list
    })
}

/// The leads as `row address`, with the other cells behind it; or the words of the refusal.
fn read(bytes: &[u8]) -> String {
    let list = match parse(bytes) {
        Ok(list) => list,
        Err(error) => return format!("refused: {error}"),
    };
    let lead = |lead: &NewLead| {
        let others = lead
            .fields
            .iter()
            .filter(|(_, value)| value.as_str() != lead.address.as_str() && !value.is_empty());
        let others: Vec<String> = others
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("{} {} [{}]", lead.row, lead.address, others.join("; "))
    };
    let leads = list.leads.iter().map(lead);
    let unusable = list.unusable.iter().map(|unusable| format!("!{unusable}"));
    leads.chain(unusable).collect::<Vec<_>>().join("\n")
}

fn utf16(text: &str, is_little: bool) -> Vec<u8> {
    text.encode_utf16()
        .flat_map(|unit| {
            if is_little {
                unit.to_le_bytes()
            } else {
                unit.to_be_bytes()
            }
        })
        .collect()
}

const TWO: &str = "2 ann@a.example [first_name=Ann]\n3 bob@b.example [first_name=Bob]";

#[test]
fn every_delimiter_line_end_and_mark_gives_the_same_leads() {
    for delimiter in [",", ";", "\t", "|", "^", "~", ":", "\x1F"] {
        for end in ["\r\n", "\n", "\r"] {
            for told in ["", "\u{FEFF}"] {
                for (first, second) in [("email", "first_name"), ("first_name", "email")] {
                    let (ann, bob) = if first == "email" {
                        (["ann@a.example", "Ann"], ["bob@b.example", "Bob"])
                    } else {
                        (["Ann", "ann@a.example"], ["Bob", "bob@b.example"])
                    };
                    let rows = [[first, second], ann, bob].map(|row| row.join(delimiter));
                    let text = format!("{told}{}", rows.join(end));
                    for text in [text.clone(), format!("{text}{end}")] {
                        assert_eq!(read(text.as_bytes()), TWO, "{text:?}");
                        for is_little in [true, false] {
                            let bytes = utf16(&text, is_little);
                            assert_eq!(read(&bytes), TWO, "UTF-16, little {is_little}, {text:?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn lists_as_programs_export_them_are_read() {
    for (case, text, expected) in [
        (
            "Excel's first line with the delimiter",
            "sep=;\r\nemail;first_name\r\nann@a.example;Ann\r\nbob@b.example;Bob\r\n",
            TWO,
        ),
        (
            "the same in quotes and large letters",
            "\"SEP=|\"\nemail|first_name\nann@a.example|Ann\nbob@b.example|Bob\n",
            TWO,
        ),
        (
            "the same, a tab",
            "sep=\t\nemail\tfirst_name\nann@a.example\tAnn\nbob@b.example\tBob\n",
            TWO,
        ),
        (
            "a first line that says another delimiter than there is",
            "sep=;\nemail,first_name\nann@a.example,Ann\nbob@b.example,Bob\n",
            TWO,
        ),
        (
            "a comma within cells of another delimiter",
            "email;company\nann@a.example;A, Ltd\nbob@b.example;B, Inc, Ltd\n",
            "2 ann@a.example [company=A, Ltd]\n3 bob@b.example [company=B, Inc, Ltd]",
        ),
        (
            "numbers with a comma",
            "Name;E-Mail;Umsatz\nAnn;ann@a.example;1,5\n",
            "2 ann@a.example [name=Ann; umsatz=1,5]",
        ),
        (
            "one column, no delimiter",
            "email\nann@a.example\nbob@b.example\n",
            "2 ann@a.example []\n3 bob@b.example []",
        ),
        (
            "addresses alone, no header",
            "ann@a.example\nbob@b.example\n",
            "1 ann@a.example []\n2 bob@b.example []",
        ),
        (
            "columns, no header",
            "Ann,ann@a.example,A\nBob,bob@b.example,\n",
            "1 ann@a.example [column 1=Ann; column 3=A]\n2 bob@b.example [column 1=Bob]",
        ),
        (
            "empty columns at the right",
            "email,first_name,,\nann@a.example,Ann,,\nbob@b.example,Bob,,\n",
            TWO,
        ),
        (
            "a delimiter behind each row only",
            "email,first_name\nann@a.example,Ann,\nbob@b.example,Bob,\n",
            TWO,
        ),
        (
            "an unnamed column that is filled",
            "email,\nann@a.example,x\n",
            "2 ann@a.example [column 2=x]",
        ),
        (
            "numbers of rows in a column without a name",
            ",email\n1,ann@a.example\n2,bob@b.example\n",
            "2 ann@a.example [column 1=1]\n3 bob@b.example [column 1=2]",
        ),
        (
            "short rows",
            "email,first_name,city\nann@a.example\nbob@b.example,Bob\n",
            "2 ann@a.example []\n3 bob@b.example [first_name=Bob]",
        ),
        (
            "a row with too much",
            "email,first_name\nann@a.example,Ann,x\nbob@b.example,Bob\n",
            "3 bob@b.example [first_name=Bob]\n!row 2: expected at most 2 cells, as in the row of the header, found 3; put quotes around a cell that holds the delimiter",
        ),
        (
            "rows of delimiters",
            "email,first_name\nann@a.example,Ann\n,\nbob@b.example,Bob\n,\n,\n\n \n",
            "2 ann@a.example [first_name=Ann]\n4 bob@b.example [first_name=Bob]",
        ),
        (
            "a break within quotes is no row",
            "email,note\nann@a.example,\"one\r\ntwo\"\nbob@b.example,\"x \"\"y\"\"\"\n",
            "2 ann@a.example [note=one\r\ntwo]\n3 bob@b.example [note=x \"y\"]",
        ),
        (
            "quotes behind a backslash",
            "email,note\nann@a.example,\"A \\\"B\\\" C\"\nbob@b.example,\"x, y\"\n",
            "2 ann@a.example [note=A \"B\" C]\n3 bob@b.example [note=x, y]",
        ),
        (
            "doubled names",
            "email,Phone,phone,Phone 2\nann@a.example,1,2,3\n",
            "2 ann@a.example [phone=1; phone 2=3; phone 3=2]",
        ),
        (
            "a note above the header",
            "Notes:\n\"Some addresses may be missing, see below\"\n\nFirst Name,Last Name,Email Address\nAnn,A,ann@a.example\n",
            "5 ann@a.example [first name=Ann; last name=A]",
        ),
        (
            "a report with a title, filters and footer",
            "Leads by owner,,\nAs of 2026-11-29,,\n\"Generated by:\",jane@acme.example,\n,,\nCompany,Name,Email\nA,Ann,ann@a.example\nB,Bob,bob@b.example\n,,\nTotal,,2\n\"Confidential Information - Do Not Distribute\"\n\"Copyright 2026 Acme\"\n",
            "6 ann@a.example [company=A; name=Ann]\n7 bob@b.example [company=B; name=Bob]",
        ),
        (
            "a footer right below",
            "email,first_name\nann@a.example,Ann\nbob@b.example,Bob\n2 records\n",
            TWO,
        ),
        (
            "a lead without an address at the end is no footer",
            "first_name,email\nAnn,ann@a.example\nCy,\n",
            "2 ann@a.example [first_name=Ann]\n!row 3: expected a mail address such as jane@acme.example in column \"email\", found \"\"; correct it or remove the row",
        ),
        (
            "names repeated in the middle",
            "email,first_name\nann@a.example,Ann\nEmail,First_Name\nbob@b.example,Bob\n",
            "2 ann@a.example [first_name=Ann]\n4 bob@b.example [first_name=Bob]",
        ),
        (
            "names in another order in the middle",
            "email,first_name,company\nann@a.example,Ann,A\nemail,company,first_name\nbob@b.example,Contoso,Bob\n",
            "2 ann@a.example [company=A; first_name=Ann]\n4 bob@b.example [company=Bob; first_name=Contoso]\n!row 3: expected a mail address such as jane@acme.example in column \"email\", found \"email\"; correct it or remove the row",
        ),
        (
            "a mistyped address below a blank row is no footer",
            "email,first_name\nann@a.example,Ann\n\nbob.b.example,Bob\n",
            "2 ann@a.example [first_name=Ann]\n!row 4: expected a mail address such as jane@acme.example in column \"email\", found \"bob.b.example\"; correct it or remove the row",
        ),
        (
            "a table drawn with bars",
            "| email | first_name |\n|---|---|\n| ann@a.example | Ann |\n",
            "3 ann@a.example [first_name=Ann]",
        ),
        (
            "rows without an address before the first with one",
            "email,first_name\n,Cy\nnobody,Di\nann@a.example,Ann\n",
            "4 ann@a.example [first_name=Ann]\n!row 2: expected a mail address such as jane@acme.example in column \"email\", found \"\"; correct it or remove the row\n!row 3: expected a mail address such as jane@acme.example in column \"email\", found \"nobody\"; correct it or remove the row",
        ),
        (
            "numbers kept as text",
            "email,zip\n=\"ann@a.example\",=\"01234\"\nbob@b.example,\"=\"\"09\"\"\"\n",
            "2 ann@a.example [zip=01234]\n3 bob@b.example [zip=09]",
        ),
        (
            "one address twice, by another form of its domain",
            "email\ninfo@müller.example\nINFO@xn--mller-kva.example\n",
            "2 info@müller.example []\n!row 3: expected each address once, found INFO@müller.example, which stands in row 2 already; remove one of them",
        ),
        (
            "every row in quotes as a whole",
            "\"email,first_name\"\n\"ann@a.example,Ann\"\n\"bob@b.example,Bob\"\n",
            TWO,
        ),
        (
            "the same with cells in quotes of their own",
            "\"email,first_name\"\n\"ann@a.example,\"\"Ann\"\"\"\n\"bob@b.example,Bob\"\n",
            TWO,
        ),
        (
            "names in quotes twice",
            "\"\"\"email\"\"\",\"\"\"first_name\"\"\"\nann@a.example,Ann\nbob@b.example,Bob\n",
            TWO,
        ),
        (
            "two marks before the first name",
            "\u{FEFF}\u{FEFF}\"email\",\"first_name\"\nann@a.example,Ann\nbob@b.example,Bob\n",
            TWO,
        ),
        (
            "the end of a file as DOS marks it",
            "email\nann@a.example\n\u{1A}",
            "2 ann@a.example []",
        ),
        (
            "line ends of several kinds",
            "email,first_name\r\nann@a.example,Ann\rbob@b.example,Bob\n",
            TWO,
        ),
        (
            "a remark above the names",
            "# exported 2026-11-29, by jane\nemail,first_name\nann@a.example,Ann\n",
            "3 ann@a.example [first_name=Ann]",
        ),
        (
            "spaces around quotes",
            "\"email\" ; \"first_name\"\n\"ann@a.example\" ; \"Ann\"\n\"bob@b.example\" ; \"Bob\"\n",
            TWO,
        ),
        (
            "commas within names, not quoted",
            "name,email\nSmith, Ann,ann@a.example\n",
            "!row 2: expected a mail address such as jane@acme.example in column \"email\", found \"Ann\"; correct it or remove the row",
        ),
        (
            "a title of two rows",
            "Contact,,Company\nName,E-mail,Name\nAnn,ann@a.example,A\n",
            "3 ann@a.example [name=Ann; name 2=A]",
        ),
        (
            "addresses of which several stand in a cell",
            "Name,E-mail 1 - Value\nAnn,ann@a.example ::: amy@a.example\nBob,bob@b.example\n",
            "3 bob@b.example [name=Bob]\n!row 2: expected one mail address in column \"e-mail 1 - value\", found \"ann@a.example ::: amy@a.example\"; give each address a row of its own",
        ),
        (
            "several addresses in a cell",
            "email;name\nann@a.example, amy@a.example;Ann\nbob@b.example;Bob\n",
            "3 bob@b.example [name=Bob]\n!row 2: expected one mail address in column \"email\", found \"ann@a.example, amy@a.example\"; give each address a row of its own",
        ),
    ] {
        assert_eq!(read(text.as_bytes()), expected, "{case}");
    }
}

#[test]
fn an_address_is_found_in_the_forms_in_which_programs_write_it() {
    for cell in [
        "ann@a.example",
        " ann@a.example ",
        "\u{A0}ann@a.example\u{A0}",
        "\u{200B}ann@a.example\u{FEFF}",
        "ann\u{200B}@a.example",
        "\u{202A}ann@a.example\u{202C}",
        "<ann@a.example>",
        "Ann Smith <ann@a.example>",
        "Ann<ann@a.example>",
        "\"\"\"Smith, Ann\"\" <ann@a.example>\"",
        "mailto:ann@a.example",
        "MAILTO:ann@a.example?subject=Hi",
        "'ann@a.example'",
        "“ann@a.example”",
        "`ann@a.example`",
        "Ann <mailto:ann@a.example>",
        "[ann@a.example](mailto:ann@a.example)",
        "ann@A.EXAMPLE",
        "ann@a.example\u{3000}",
        "ann＠a.example",
        "ａｎｎ＠ａ．ｅｘａｍｐｌｅ",
        "\"ann@a.example\"",
        "\"ann@a.example;\"",
        "=\"ann@a.example\"",
    ] {
        let text = format!("first_name;email\nAnn;{cell}\n");
        assert_eq!(
            read(text.as_bytes()),
            "2 ann@a.example [first_name=Ann]",
            "{cell:?}"
        );
    }
    for cell in [
        "ann@a.example.",
        "ann",
        "@a.example",
        "ann@",
        "ann at a.example",
        "ann @a.example",
        "ann@a.example (left)",
        "not ann@a.example",
        "n/a",
        "ann@a..example",
        "ann@@a.example",
        "Ann <ann@a.example",
        "ann@a.example bob@b.example",
        "<ann@a.example> <bob@b.example>",
        "https://a.example/@ann",
        "ann@[192.0.2.1]",
    ] {
        let text = format!("first_name;email\nBob;bob@b.example\nAnn;{cell}\n");
        let list = parse(text.as_bytes()).unwrap();
        assert_eq!((list.leads.len(), list.unusable.len()), (1, 1), "{cell:?}");
        assert_eq!(list.unusable[0].row, 3, "{cell:?}");
    }
}

#[test]
fn the_column_of_the_addresses_is_found_by_what_it_holds_and_its_name() {
    for (header, row, expected) in [
        (
            "Email Address,First Name",
            "ann@a.example,Ann",
            "email address",
        ),
        (
            "Vorname,E-Mail-Adresse",
            "Ann,ann@a.example",
            "e-mail-adresse",
        ),
        (
            "Prénom,Adresse électronique",
            "Ann,ann@a.example",
            "adresse électronique",
        ),
        (
            "Nome,Indirizzo e-mail",
            "Ann,ann@a.example",
            "indirizzo e-mail",
        ),
        ("名前,メールアドレス", "Ann,ann@a.example", "メールアドレス"),
        ("姓名,电子邮箱", "Ann,ann@a.example", "电子邮箱"),
        (
            "Имя,Электронная почта",
            "Ann,ann@a.example",
            "электронная почта",
        ),
        ("Nev,Elérhetőség", "Ann,ann@a.example", "elérhetőség"),
        ("a,b", "x,ann@a.example", "b"),
        (
            "Owner Email,Name,Email",
            "jane@acme.example,Ann,ann@a.example",
            "email",
        ),
        (
            "Contact Owner,Name,Work email",
            "jane@acme.example,Ann,ann@a.example",
            "work email",
        ),
        (
            "E-mail Address,E-mail Type,E-mail 2 Address",
            "ann@a.example,SMTP,ann@b.example",
            "e-mail address",
        ),
        (
            "E-mail 1 - Value,E-mail 2 - Value",
            "ann@a.example,ann@b.example",
            "e-mail 1 - value",
        ),
        (
            "Secondary Email,Primary Email",
            "ann@b.example,ann@a.example",
            "primary email",
        ),
        (
            "Email,Email status,Personal email",
            "ann@a.example,valid,ann@b.example",
            "email",
        ),
        (
            "Email opt-in,Work address",
            "yes,ann@a.example",
            "work address",
        ),
        ("Name,", "Ann,ann@a.example", "email"),
    ] {
        let list = parse(format!("{header}\n{row}\n").as_bytes()).unwrap();
        assert_eq!(list.form.address_column, expected, "{header}");
        assert_eq!(list.leads.len(), 1, "{header}");
        assert_eq!(list.leads[0].address.as_str(), "ann@a.example", "{header}");
        let (_, email) = crate::text::field::find(&list.leads[0].fields, "email").unwrap();
        assert_eq!(email, "ann@a.example", "{header}");
    }
    // A column that says so is the one, also where another holds addresses.
    let list = parse(b"email,Owner Email\n,jane@acme.example\nnone,jan@acme.example\n").unwrap();
    assert_eq!((list.leads.len(), list.n_unusable), (0, 2));
    let error = parse(
        b"Work email,Private email\nann@a.example,ann@b.example\nbob@a.example,bob@b.example\n",
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 1: several columns hold mail addresses: Work email, Private email; name the one to write to \"email\""
    );
}

#[test]
fn an_address_is_one_of_a_row_above_only_where_that_row_can_be_used() {
    let mut list = super::parse(
        b"email,name\nann@a.example,\nANN@a.example,Ann\nann@a.example,Anna\nbob@b.example,Bob\n",
        None,
    )
    .unwrap();
    list.judge(|lead| {
        let (field, found) = ("name".to_owned(), String::new());
        lead.fields["name"]
            .is_empty()
            .then(|| (Some(field.clone()), Fault::Empty { field, found }))
    });
    let kept: Vec<(u64, &str)> = list
        .leads
        .iter()
        .map(|lead| (lead.row, lead.fields["name"].as_str()))
        .collect();
    assert_eq!(kept, [(3, "Ann"), (5, "Bob")]);
    let told: Vec<String> = list.unusable.iter().map(ToString::to_string).collect();
    assert_eq!((told.len(), list.n_unusable), (2, 2), "{told:?}");
    assert!(
        told[0].starts_with("row 2: expected something for {{name}}"),
        "{told:?}"
    );
    assert!(
        told[1].starts_with("row 4: expected each address once")
            && told[1].contains("row 3 already"),
        "{told:?}"
    );
}

#[test]
fn whom_one_row_refuses_is_left_out_of_every_row_in_any_order_and_spelling_of_the_domain() {
    for csv in [
        "email,unsubscribed\nann@a.example,\nANN@A.Example,yes\nbob@b.example,\n",
        "email,unsubscribed\nAnn@a.example,yes\nann@a.EXAMPLE,\nbob@b.example,\n",
        "email,unsubscribed\nann@xn--mller-kva.example,\nann@müller.example,yes\nbob@b.example,\n",
        "email,unsubscribed\nann@MÜLLER.example,yes\nann@xn--mller-kva.example,\nbob@b.example,\n",
        // The row that refuses has other faults too.
        "email,name,unsubscribed\nann@a.example,Ann,\nann@a.example,Ann,yes,more\nbob@b.example,Bob,\n",
    ] {
        let mut list = super::parse(csv.as_bytes(), None).unwrap();
        list.judge(|_| None);
        let kept: Vec<u64> = list.leads.iter().map(|lead| lead.row).collect();
        assert_eq!(
            (kept, list.n_left_out, list.n_unusable),
            (vec![4], 2, 0),
            "{csv}"
        );
        let told: Vec<String> = list.left_out.iter().map(ToString::to_string).collect();
        assert!(
            told[0].starts_with("row 2: ") && told[1].starts_with("row 3: "),
            "{told:?}"
        );
        assert!(
            told.iter()
                .any(|told| told.contains("says not to write to;")),
            "{told:?}"
        );
    }
}

#[test]
fn who_must_not_be_written_to_by_the_list_itself_is_no_lead_and_told_with_row_and_reason() {
    let list = parse(
        b"email,name,Unsubscribed at,Status\na@a.example,Ann,,active\nb@b.example,Bob,2025-02-03,active\nc@c.example,Cy,,Bounced\nd@d.example,Di,-,\n",
    )
    .unwrap();
    let kept: Vec<u64> = list.leads.iter().map(|lead| lead.row).collect();
    assert_eq!((kept, list.n_left_out, list.n_unusable), (vec![2, 5], 2, 0));
    let told: Vec<String> = list.left_out.iter().map(ToString::to_string).collect();
    assert_eq!(
        told[0],
        "row 3: expected nothing in column \"unsubscribed at\" that says not to write to this person, found \"2025-02-03\"; leave the row out; where the column means something else, rename it"
    );
    assert!(
        told[1].starts_with("row 4: ")
            && told[1].contains("\"status\"")
            && told[1].contains("\"Bounced\""),
        "{told:?}"
    );
}

#[test]
fn a_word_that_was_read_wrongly_before_is_found_and_no_other() {
    for word in [
        "J\u{C3}\u{B6}rg",
        "J\u{FFFD}rg",
        "Zo\u{C3}\u{AB}",
        "d\u{E2}\u{20AC}\u{2122}Arcy",
        "\u{C5}\u{81}ukasz",
    ] {
        assert_eq!(find_garbled(&format!("Dr {word} x")), Some(word));
    }
    for text in [
        "Jörg",
        "São João",
        "Ærøskøbing",
        "Ân Ðào",
        "Straße 5 °C",
        "«Où»",
        "Łukasz",
        "Åsa",
        "Ömer Özgür",
        "L’été",
        "Ñ",
        "£5 – 6 €",
        "naïve café",
        "Ünal",
        "Привет",
        "山田",
        "Château d’Âge",
        "DÉJÀ VU",
        "plain",
    ] {
        assert_eq!(find_garbled(text), None, "{text}");
    }
}

#[test]
fn a_list_that_grows_beyond_its_file_is_refused_at_its_row() {
    let list = |n_rows: usize| {
        let name = "x".repeat(10_000);
        let rows: Vec<String> = (0..n_rows).map(|n| format!("{n}@a.example,")).collect();
        format!("email,{name}\n{}\n", rows.join("\n"))
    };
    let read = parse_within(list(9).as_bytes(), None, 100_000).unwrap();
    assert_eq!(read.leads.len(), 9);
    let error = parse_within(list(10_000).as_bytes(), None, 100_000).unwrap_err();
    assert_eq!(error, LeadsError::TooLarge { row: 11 });
}

#[test]
fn an_error_shows_no_more_than_a_person_reads() {
    let wide: Vec<String> = (0..5_000).map(|n| format!("column{n}")).collect();
    let steering = "na\u{1b}[2Jme,x\nJane,y\n".to_owned();
    for list in [wide.join(","), steering] {
        let error = parse(list.as_bytes()).unwrap_err().to_string();
        assert!(error.len() < 1_000, "{} bytes", error.len());
        assert!(!error.contains(char::is_control), "{error:?}");
    }
    let long = format!("email\na@a.example\n{}\n\u{1b}[2J\n", "x".repeat(100_000));
    let list = parse(long.as_bytes()).unwrap();
    for unusable in &list.unusable {
        let words = unusable.to_string();
        assert!(
            words.len() < 300 && !words.contains(char::is_control),
            "{words:?}"
        );
    }
    assert_eq!(list.n_unusable, 2);
}

#[test]
fn what_is_no_list_is_refused_with_what_it_is_and_its_row() {
    for (bytes, row, words) in [
        (&b""[..], None, "the file is empty"),
        (b"\r\n \r\n,,\r\n", None, "the file is empty"),
        (b"email\n", None, "no leads"),
        (b"email;name\n;\n", None, "no leads"),
        (
            b"email,name\na@b.example,\"x\nb@b.example,y\n",
            Some(2),
            "row 2 has a cell that begins with a quote",
        ),
        (
            b"email,name\na@b.example,x\nb@b.example,\"y\nc@c.example,\"z\"\n",
            Some(3),
            "row 3 has a cell that begins with a quote",
        ),
        (
            b"name,email\n\"Ann,a@b.example\n",
            Some(2),
            "row 2 has a cell that begins with a quote",
        ),
        (
            b"\n\nname;city\nAnn;Ulm\n",
            Some(3),
            "found in row 3: name, city",
        ),
        (
            b"PK\x03\x04\x14\x00\x06\x00",
            None,
            "a spreadsheet in its own format",
        ),
        (
            b"\xD0\xCF\x11\xE0\xA1\xB1",
            None,
            "a spreadsheet in its own format",
        ),
        (
            b"\n<html><table><tr><td>email</td></tr></table>",
            None,
            "a web page",
        ),
        (b"[{\"email\": \"a@b.example\"}]", None, "JSON"),
        (
            b"BEGIN:VCARD\nEMAIL:a@b.example\nEND:VCARD\n",
            None,
            "contact cards",
        ),
        (b"%PDF-1.7", None, "a document"),
    ] {
        let error = parse(bytes).unwrap_err();
        assert_eq!(error.row(), row, "{error}");
        assert!(
            error.to_string().contains(words),
            "{error} should say {words}"
        );
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// A cell of anything that is no delimiter's, no address and not trimmed.
    fn cell() -> impl Strategy<Value = String> {
        "[a-zA-Zäé0-9][a-zA-Zäé0-9 ,;|\"'\n\t.!-]{0,12}[a-zA-Zäé0-9]"
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_a_list_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn whatever_is_made_of_what_lists_are_made_of_keeps_its_rows_apart(
            parts in proptest::collection::vec(prop_oneof![
                Just("a@a.example"), Just("b@b.example"), Just("email"), Just(","), Just(";"), Just("\t"), Just("\""), Just("\n"), Just("\r\n"), Just("x"),
                Just("ö"), Just(" "), Just("sep=;"), Just("<"), Just(">"), Just("\\"), Just("\u{200B}"),
            ], 0..60)
        ) {
            let text = parts.concat();
            if let Ok(list) = parse(text.as_bytes()) {
                let mut above = 0;
                for lead in &list.leads {
                    prop_assert!(lead.row > above);
                    above = lead.row;
                    let names: Vec<&String> = lead.fields.keys().collect();
                    let mut columns: Vec<&String> = list.columns.iter().collect();
                    columns.sort();
                    prop_assert_eq!(names, columns);
                }
                let n_rows = list.leads.len() as u64 + list.n_unusable + list.form.n_passed_over;
                prop_assert!(n_rows <= 1 + text.matches(['\n', '\r']).count() as u64);
            }
        }

        #[test]
        fn what_another_writer_writes_is_read_as_it_was_meant(
            rows in proptest::collection::vec(proptest::collection::vec(cell(), 3), 1..12),
            delimiter in prop_oneof![Just(b','), Just(b';'), Just(b'\t'), Just(b'|')],
            always_quoted in any::<bool>(),
            is_crlf in any::<bool>(),
            encoding in 0..4_usize,
            place in 0..4_usize,
            n_blank in 0..3_usize,
        ) {
            let mut written = csv::WriterBuilder::new()
                .delimiter(delimiter)
                .quote_style(if always_quoted { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary })
                .terminator(if is_crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') })
                .from_writer(Vec::new());
            let put = |mut cells: Vec<String>, cell: String| {
                cells.insert(place, cell);
                cells
            };
            let names = ["first", "second", "third"].map(str::to_owned).to_vec();
            written.write_record(put(names, "E-Mail".to_owned())).unwrap();
            for (n, row) in rows.iter().enumerate() {
                written.write_record(put(row.clone(), format!("lead{n}@a.example"))).unwrap();
            }
            let text = String::from_utf8(written.into_inner().unwrap()).unwrap();
            let text = format!("{}{text}", "\n".repeat(n_blank));
            let bytes = match encoding {
                0 => text.into_bytes(),
                1 => format!("\u{FEFF}{text}").into_bytes(),
                2 => utf16(&text, true),
                _ => utf16(&text, false),
            };
            let list = parse(&bytes).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(list.form.delimiter, char::from(delimiter));
            prop_assert_eq!(list.leads.len(), rows.len(), "{:?}", list.unusable);
            for ((n, row), lead) in rows.iter().enumerate().zip(&list.leads) {
                prop_assert_eq!(lead.row, (n + n_blank + 2) as u64);
                prop_assert_eq!(lead.address.as_str(), format!("lead{n}@a.example"));
                for (name, cell) in ["first", "second", "third"].iter().zip(row) {
                    prop_assert_eq!(&lead.fields[*name], cell);
                }
            }
        }
    }
}
