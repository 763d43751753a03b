//! Whose an address is, how many are in a cell, and files that are no lists at all.

use super::*;

#[test]
fn the_address_of_who_sells_to_the_lead_is_never_the_leads() {
    const ONE: &str = "ann@a.example";
    for (list, address) in [
        (
            "account executive email,contact\nme@us.example,ann@a.example\nme@us.example,bob@b.example",
            Some(ONE),
        ),
        (
            "our contact's email,person\nme@us.example,ann@a.example\nme@us.example,bob@b.example",
            Some(ONE),
        ),
        ("owner email,person\nme@us.example,ann@a.example", Some(ONE)),
        ("sender email,to\nme@us.example,ann@a.example", Some(ONE)),
        (
            "owner email,e-mail address\nme@us.example,ann@a.example",
            Some(ONE),
        ),
        (
            "email,owner email\nann@a.example,me@us.example\nbob@b.example,me@us.example",
            Some(ONE),
        ),
        (
            "sales email,company\nann@a.example,A\nbob@b.example,B",
            Some(ONE),
        ),
        // One row says not whose the columns are.
        ("csm email,person\nme@us.example,ann@a.example", None),
        (
            "owner email,company\nme@us.example,A\nme@us.example,B",
            None,
        ),
        ("company,sender email\nA,me@us.example", None),
    ] {
        let read = read(list.as_bytes());
        let shown = read
            .split_whitespace()
            .nth(1)
            .filter(|_| !read.starts_with("refused"));
        assert_eq!(shown, address, "{list}: {read}");
        if address.is_none() {
            assert!(
                read.starts_with("refused: row 1: ") && read.contains("\"email\""),
                "{list}: {read}"
            );
        }
    }
}

#[test]
fn several_people_in_a_cell_are_named_with_row_and_column_also_beside_an_owners_address() {
    for cell in [
        "Ann <ann@a.example>, Bob <bob@b.example>",
        "Ann <ann@a.example>; Bob <bob@b.example>",
        "ann@a.example and bob@b.example",
        "ann@a.example & bob@b.example",
        "ann@a.example\nbob@b.example",
        "ann@a.example (or bob@b.example)",
        "\"\"Ann\"\" <ann@a.example>, \"\"Bob\"\" <bob@b.example>",
    ] {
        for header in ["e-mail address,owner email", "email,name"] {
            let list = format!("{header}\n\"{cell}\",me@us.example\n");
            let read = read(list.as_bytes());
            let column = header.split(',').next().unwrap();
            let words = format!("!row 2: expected one mail address in column {column:?}, found ");
            assert!(read.starts_with(&words), "{list}: {read}");
            assert!(
                read.ends_with("give each address a row of its own"),
                "{read}"
            );
        }
    }
}

#[test]
fn a_file_of_bytes_is_no_list_and_texts_of_any_encoding_are() {
    let noise: Vec<u8> = (0..3_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1])
        .collect();
    let png = [b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR".as_slice(), &noise].concat();
    let elf = [b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".as_slice(), &noise].concat();
    let database = [
        b"SQLite format 3\0\x10\0\x01\x01\0\x40\x20\x20".as_slice(),
        &[0; 500],
    ]
    .concat();
    for bytes in [png, elf, database, noise, vec![0; 100]] {
        let read = read(&bytes);
        assert!(read.starts_with("refused: the file is no text"), "{read}");
    }
    for text in [
        "email,name\nann@a.example,J\u{f6}rg\n",
        "email,name\nann@a.example,\u{59d3}\u{540d}\n",
    ] {
        for is_little in [true, false] {
            assert!(!is_binary(&utf16(text, is_little)), "{text}");
        }
        assert!(!is_binary(text.as_bytes()));
    }
}
