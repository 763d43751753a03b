//! Folders (IMAP mailboxes): what a server says about them, and which one holds what was sent.
//! Reading them over a connection is in `imap`.

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

use super::reading::{Data, Unreadable};
use super::sent_names::SENT_NAMES;
use super::value::Value;

/// A folder as the server lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its name with its parents, as people read it.
    pub name: String,
    /// What the server says it is for; `None` where it says nothing.
    pub special_use: Option<SpecialUse>,
    /// Whether it can hold messages.
    pub selectable: bool,
    /// What stands between the parts of its name; `None` where names have no parts, or it is not told.
    pub delimiter: Option<char>,
    /// Its name as the server wrote it, which is how commands must write it.
    pub(super) wire_name: Vec<u8>,
}

/// What a folder is for (RFC 6154 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialUse {
    /// Every message there is.
    All,
    /// Messages put away.
    Archive,
    /// Messages not sent yet.
    Drafts,
    /// Messages marked as important.
    Flagged,
    /// Messages taken for spam.
    Junk,
    /// Copies of messages that were sent.
    Sent,
    /// Messages that are to be deleted.
    Trash,
}

impl Folder {
    /// The folder that every server has (RFC 9051 §5.1), without asking for it.
    pub fn inbox() -> Self {
        Self::plain("INBOX")
    }

    /// Its name as the server writes it, as text: what a place in it is kept under.
    pub fn key(&self) -> String {
        String::from_utf8_lossy(&self.wire_name).into_owned()
    }

    /// Whether it is the folder that every server has (RFC 9051 §5.1: in any case).
    pub fn is_inbox(&self) -> bool {
        self.wire_name.eq_ignore_ascii_case(b"INBOX")
    }

    /// A selectable folder of this name, which is ASCII and holds no `&`.
    fn plain(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            special_use: None,
            selectable: true,
            delimiter: None,
            wire_name: name.as_bytes().to_vec(),
        }
    }

    /// Reads a `LIST` response (RFC 9051 §7.3.1). What follows the name (RFC 5258) is not asked.
    pub fn parse(data: &Data) -> Result<Self, Unreadable> {
        let values = data.values()?;
        let [Value::List(attributes), delimiter, name, ..] = values.as_slice() else {
            return Err(data.unreadable());
        };
        let wire_name = name.bytes().ok_or_else(|| data.unreadable())?.to_vec();
        let mut folder = Self {
            name: decode_name(&wire_name),
            special_use: None,
            selectable: true,
            delimiter: (!delimiter.is_nil())
                .then(|| delimiter.text()?.chars().next())
                .flatten(),
            wire_name,
        };
        for attribute in attributes {
            match attribute
                .text()
                .unwrap_or_default()
                .to_ascii_lowercase()
                .as_str()
            {
                "\\noselect" | "\\nonexistent" => folder.selectable = false,
                word => folder.special_use = folder.special_use.or(SpecialUse::find(word)),
            }
        }
        Ok(folder)
    }
}

impl SpecialUse {
    /// The use that an attribute names, given in small letters.
    fn find(attribute: &str) -> Option<Self> {
        Some(match attribute {
            "\\all" => Self::All,
            "\\archive" => Self::Archive,
            "\\drafts" => Self::Drafts,
            "\\flagged" => Self::Flagged,
            "\\junk" => Self::Junk,
            "\\sent" => Self::Sent,
            "\\trash" => Self::Trash,
            _ => return None,
        })
    }
}

/// Parents under which servers keep the folders that every inbox has: Courier and some Dovecot
/// set-ups keep all under INBOX, Gmail under a label of its own.
const PARENTS: [&str; 3] = ["inbox", "[gmail]", "[google mail]"];

/// The folder that holds copies of what was sent: the one the server marks (RFC 6154), else the one
/// that is named as sent folders are. `None` where neither is found.
pub fn find_sent_folder(folders: &[Folder]) -> Option<&Folder> {
    let mut selectable = folders.iter().filter(|folder| folder.selectable);
    let marked = selectable
        .clone()
        .find(|folder| folder.special_use == Some(SpecialUse::Sent));
    marked.or_else(|| {
        let rank = |folder: &Folder| {
            let name = folder.name.to_lowercase();
            let parts_at = folder.delimiter.unwrap_or('/');
            let name = PARENTS
                .iter()
                .find_map(|parent| {
                    name.strip_prefix(parent)?
                        .strip_prefix([parts_at, '.', '/'])
                })
                .unwrap_or(&name)
                .trim();
            let mut known = SENT_NAMES.iter().flat_map(|(_, names)| *names);
            known.position(|sent| *sent == name)
        };
        let ranked = selectable
            .by_ref()
            .filter_map(|folder| Some((rank(folder)?, folder)));
        ranked
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, folder)| folder)
    })
}

/// A folder's name as people read it: modified UTF-7 (RFC 3501 §5.1.3), or UTF-8 as servers write it
/// that have left UTF-7 (RFC 9051 §5.1). What is neither is shown as it is.
fn decode_name(wire_name: &[u8]) -> String {
    let text = String::from_utf8_lossy(wire_name).into_owned();
    if wire_name.is_ascii() {
        decode_utf7(&text).unwrap_or(text)
    } else {
        text
    }
}

/// Modified UTF-7 as text; `None` where `text` is not modified UTF-7.
fn decode_utf7(text: &str) -> Option<String> {
    let base64 = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);
    let mut parts = text.split('&');
    let mut decoded = parts.next()?.to_owned();
    for part in parts {
        let (shifted, plain) = part.split_once('-')?;
        if shifted.is_empty() {
            decoded.push('&');
        } else {
            let bytes = base64.decode(shifted).ok()?;
            let (pairs, []) = bytes.as_chunks::<2>() else {
                return None;
            };
            let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
            for character in char::decode_utf16(units) {
                decoded.push(character.ok()?);
            }
        }
        decoded.push_str(plain);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::framing::Piece;
    use crate::imap::reading::{Response, parse_response};

    fn parse(line: &str) -> Result<Folder, Unreadable> {
        match parse_response(vec![Piece::Line(line.into())]) {
            Ok(Response::Data(data)) => Folder::parse(&data),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_are_decoded_and_kept_as_they_were() {
        for (wire_name, name) in [
            ("INBOX", "INBOX"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-", "Отправленные"),
            ("R&-D", "R&D"),
            ("&2D3eAA-", "😀"),
            ("a&b", "a&b"),
            ("&2D0-", "&2D0-"),
            ("&AA-", "&AA-"),
            ("Отправленные", "Отправленные"),
        ] {
            let folder = parse(&format!("* LIST () \"/\" \"{wire_name}\"")).unwrap();
            assert_eq!(folder.name, name);
            assert_eq!(folder.wire_name, wire_name.as_bytes());
        }
    }

    #[test]
    fn attributes_tell_the_use_and_whether_it_can_be_selected() {
        for (line, special_use, selectable) in [
            (
                r#"* LIST (\HasNoChildren \Sent) "/" Sent"#,
                Some(SpecialUse::Sent),
                true,
            ),
            (r"* LIST (\sent) NIL Sent", Some(SpecialUse::Sent), true),
            (
                r#"* LIST (\Noselect \HasChildren) "/" [Gmail]"#,
                None,
                false,
            ),
            (r#"* LIST (\NonExistent) "." Gone"#, None, false),
            (
                r#"* LIST (\All) "/" "[Gmail]/All Mail""#,
                Some(SpecialUse::All),
                true,
            ),
            (
                r#"* LIST (\Junk) "/" Spam ("CHILDINFO" ("SUBSCRIBED"))"#,
                Some(SpecialUse::Junk),
                true,
            ),
        ] {
            let folder = parse(line).unwrap();
            assert_eq!(
                (folder.special_use, folder.selectable),
                (special_use, selectable),
                "{line}"
            );
        }
        assert!(parse("* LIST (\\Sent) \"/\"").is_err());
        assert!(parse("* LIST Sent").is_err());
    }

    /// The names in modified UTF-7 as servers list them, made apart from the code that reads them (by Python's
    /// `utf-16-be` and `base64`).
    #[test]
    fn a_sent_folder_is_known_in_its_language_and_below_its_parent() {
        for line in [
            r#"* LIST () "/" "&XfJT0ZAB-""#,
            r#"* LIST () "." "INBOX.&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-""#,
            r#"* LIST () "/" "[Gmail]/&kAFP4W4IMH8w4TD8MOs-""#,
            r#"* LIST () "|" "INBOX|Elementi inviati""#,
            r#"* LIST () "/" "G&APY-nderilmi&AV8- &ANYBHw-eler""#,
            r#"* LIST () "/" "Wys&AUI-ane""#,
            r#"* LIST () "." "INBOX.Skickat""#,
            r#"* LIST () "/" "L&AOQ-hetetyt""#,
            r#"* LIST () "/" "&vPSwuA- &07jJwNVo-""#,
            r#"* LIST () "/" "Odeslan&AOE- po&AWE-ta""#,
            r#"* LIST () "/" "Отправленные""#,
            r#"* LIST () "/" "Đã gửi""#,
            r#"* LIST () "\\" "inbox\\Enviados""#,
        ] {
            let folder = parse(line).unwrap();
            let folders = [Folder::inbox(), folder.clone()];
            assert_eq!(find_sent_folder(&folders), Some(&folder), "{line}");
        }
        for line in [
            r#"* LIST () "|" "Projects|Sent""#,
            r#"* LIST () "/" "INBOX/Projects/Sent""#,
            r#"* LIST () "/" "Sent to the printer""#,
            r#"* LIST () "/" "Ungesendet""#,
            r#"* LIST () "/" "Postausgang""#,
        ] {
            assert_eq!(find_sent_folder(&[parse(line).unwrap()]), None, "{line}");
        }
    }

    #[test]
    fn the_sent_folder_is_the_marked_one_or_else_known_by_its_name() {
        let marked = |name: &str| Folder {
            special_use: Some(SpecialUse::Sent),
            ..Folder::plain(name)
        };
        let closed = |name: &str| Folder {
            selectable: false,
            ..Folder::plain(name)
        };
        for (folders, expected) in [
            (
                vec![Folder::plain("Sent"), marked("Postausgang")],
                Some("Postausgang"),
            ),
            (
                vec![Folder::plain("Sent Items"), Folder::plain("Sent")],
                Some("Sent"),
            ),
            (
                vec![Folder::plain("INBOX"), Folder::plain("INBOX.Sent")],
                Some("INBOX.Sent"),
            ),
            (
                vec![Folder::plain("[Gmail]/Sent Mail")],
                Some("[Gmail]/Sent Mail"),
            ),
            (
                vec![Folder::plain("[Google Mail]/Sent Mail")],
                Some("[Google Mail]/Sent Mail"),
            ),
            (vec![Folder::plain("SENT ITEMS")], Some("SENT ITEMS")),
            (
                vec![Folder::plain("Éléments envoyés")],
                Some("Éléments envoyés"),
            ),
            (
                vec![closed("Sent"), Folder::plain("Sent Messages")],
                Some("Sent Messages"),
            ),
            (
                vec![Folder::plain("Projects/Sent"), Folder::plain("Unsent")],
                None,
            ),
            (
                vec![Folder {
                    selectable: false,
                    ..marked("Sent")
                }],
                None,
            ),
            (vec![], None),
        ] {
            let found = find_sent_folder(&folders).map(|folder| folder.name.as_str());
            assert_eq!(found, expected, "{folders:?}");
        }
    }
}
