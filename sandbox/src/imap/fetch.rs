//! FETCH and STORE.

use std::num::NonZeroU32;

use chrono::{DateTime as Instant, Timelike as _};
use imap_codec::imap_types::core::{NString, Vec1};
use imap_codec::imap_types::datetime::DateTime;
use imap_codec::imap_types::fetch::{
    MacroOrMessageDataItemNames, MessageDataItem, MessageDataItemName, Section,
};
use imap_codec::imap_types::flag::{Flag, FlagFetch, StoreResponse, StoreType};
use imap_codec::imap_types::response::{Data, Response};
use imap_codec::imap_types::sequence::SequenceSet;

use super::view::View;
use super::{Outcome, Session};
use crate::locked;
use crate::mail::{Stored, fields, header_end};

impl Session {
    pub(super) fn fetch(
        &mut self,
        address: &str,
        view: &View,
        set: &SequenceSet,
        names: MacroOrMessageDataItemNames<'static>,
        is_uid: bool,
    ) -> Outcome {
        let mut names = match names {
            MacroOrMessageDataItemNames::Macro(many) => {
                many.expand().iter().filter_map(own_simple_name).collect()
            }
            MacroOrMessageDataItemNames::MessageDataItemNames(names) => names,
        };
        if is_uid && !names.contains(&MessageDataItemName::Uid) {
            names.insert(0, MessageDataItemName::Uid);
        }
        if !names.iter().all(is_offered) {
            return Outcome::no("an item is not offered by this sandbox").with_other("CANNOT");
        }
        let uids = view.resolve(set, is_uid);
        let mail = &self.connection.provider.mail;
        // RFC 3501 §6.4.5: reading a body without PEEK sets \Seen.
        let marks_seen = !view.read_only && names.iter().any(reads_body);
        if marks_seen {
            mail.change_flags(address, &view.folder, &uids, |flags| {
                flags.insert("\\Seen".to_owned());
            });
            if !names.contains(&MessageDataItemName::Flags) {
                names.push(MessageDataItemName::Flags);
            }
        }
        let messages = mail.read_folder(address, &view.folder, |folder| {
            uids.iter()
                .filter_map(|uid| folder.find(*uid))
                .cloned()
                .collect::<Vec<_>>()
        });
        let unreadable = locked(&self.connection.provider.faults)
            .unreadable
            .clone()
            .filter(|_| names.iter().any(holds_text));
        for stored in messages.unwrap_or_default() {
            if unreadable
                .as_ref()
                .is_some_and(|text| holds(&stored.raw, text))
            {
                return Outcome::no("a message cannot be read").with_other("SERVERBUG");
            }
            self.say_message(view, &stored, &names);
        }
        Outcome::ok("done")
    }

    pub(super) fn store(
        &mut self,
        address: &str,
        view: &View,
        set: &SequenceSet,
        (kind, response): (StoreType, StoreResponse),
        flags: &[Flag<'_>],
        is_uid: bool,
    ) -> Outcome {
        let uids = view.resolve(set, is_uid);
        let given: Vec<_> = flags.iter().map(ToString::to_string).collect();
        let mail = &self.connection.provider.mail;
        mail.change_flags(address, &view.folder, &uids, |flags| {
            if kind == StoreType::Replace {
                flags.clear();
            }
            for flag in &given {
                if kind == StoreType::Remove {
                    flags.remove(flag);
                } else {
                    flags.insert(flag.clone());
                }
            }
        });
        if response == StoreResponse::Answer {
            let mut names = vec![MessageDataItemName::Flags];
            if is_uid {
                names.insert(0, MessageDataItemName::Uid);
            }
            let messages = mail.read_folder(address, &view.folder, |folder| {
                uids.iter()
                    .filter_map(|uid| folder.find(*uid))
                    .cloned()
                    .collect::<Vec<_>>()
            });
            for stored in messages.unwrap_or_default() {
                self.say_message(view, &stored, &names);
            }
        }
        Outcome::ok("done")
    }

    fn say_message(&mut self, view: &View, stored: &Stored, names: &[MessageDataItemName<'_>]) {
        let items: Vec<_> = names
            .iter()
            .filter_map(|name| render_item(name, stored))
            .collect();
        if let (Some(seq), Ok(items)) = (view.seq(stored.uid), Vec1::try_from(items)) {
            self.say(&Response::Data(Data::Fetch { seq, items }));
        }
    }
}

fn holds_text(name: &MessageDataItemName<'_>) -> bool {
    matches!(name, MessageDataItemName::BodyExt { .. })
}

/// Whether some bytes hold others; none are held by all.
fn holds(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|part| part == text)
}

/// The items that macros stand for carry nothing, so they are the same without a lifetime.
fn own_simple_name(name: &MessageDataItemName<'_>) -> Option<MessageDataItemName<'static>> {
    Some(match name {
        MessageDataItemName::Flags => MessageDataItemName::Flags,
        MessageDataItemName::InternalDate => MessageDataItemName::InternalDate,
        MessageDataItemName::Rfc822Size => MessageDataItemName::Rfc822Size,
        MessageDataItemName::Envelope => MessageDataItemName::Envelope,
        MessageDataItemName::Body => MessageDataItemName::Body,
        _ => return None,
    })
}

fn is_offered(name: &MessageDataItemName<'_>) -> bool {
    match name {
        MessageDataItemName::Uid
        | MessageDataItemName::Flags
        | MessageDataItemName::InternalDate
        | MessageDataItemName::Rfc822Size
        | MessageDataItemName::Rfc822
        | MessageDataItemName::Rfc822Header
        | MessageDataItemName::Rfc822Text => true,
        MessageDataItemName::BodyExt { section, .. } => matches!(
            section,
            None | Some(
                Section::Header(None)
                    | Section::HeaderFields(None, _)
                    | Section::HeaderFieldsNot(None, _)
                    | Section::Text(None)
            )
        ),
        _ => false,
    }
}

fn reads_body(name: &MessageDataItemName<'_>) -> bool {
    matches!(
        name,
        MessageDataItemName::BodyExt { peek: false, .. }
            | MessageDataItemName::Rfc822
            | MessageDataItemName::Rfc822Text
    )
}

fn render_item(
    name: &MessageDataItemName<'_>,
    stored: &Stored,
) -> Option<MessageDataItem<'static>> {
    let raw = &*stored.raw;
    let body_at = header_end(raw);
    let header = raw.get(..body_at).unwrap_or_default();
    let text = raw.get(body_at..).unwrap_or_default();
    Some(match name {
        MessageDataItemName::Uid => MessageDataItem::Uid(NonZeroU32::new(stored.uid)?),
        MessageDataItemName::Flags => MessageDataItem::Flags(
            stored
                .flags
                .iter()
                .filter_map(|flag| own_flag(flag))
                .map(FlagFetch::from)
                .collect(),
        ),
        MessageDataItemName::InternalDate => {
            MessageDataItem::InternalDate(internal_date(stored.received_at_ms)?)
        }
        MessageDataItemName::Rfc822Size => {
            MessageDataItem::Rfc822Size(u32::try_from(raw.len()).unwrap_or(u32::MAX))
        }
        MessageDataItemName::Rfc822 => MessageDataItem::Rfc822(string(raw)),
        MessageDataItemName::Rfc822Header => MessageDataItem::Rfc822Header(string(header)),
        MessageDataItemName::Rfc822Text => MessageDataItem::Rfc822Text(string(text)),
        MessageDataItemName::BodyExt {
            section, partial, ..
        } => {
            let whole = match section {
                None => raw.to_vec(),
                Some(Section::Header(None)) => header.to_vec(),
                Some(Section::Text(None)) => text.to_vec(),
                Some(Section::HeaderFields(None, names)) => select_fields(raw, |name| {
                    names
                        .as_ref()
                        .iter()
                        .any(|wanted| same(wanted.as_ref(), name))
                }),
                Some(Section::HeaderFieldsNot(None, names)) => select_fields(raw, |name| {
                    !names
                        .as_ref()
                        .iter()
                        .any(|wanted| same(wanted.as_ref(), name))
                }),
                Some(_) => return None,
            };
            let part = match partial {
                None => whole.as_slice(),
                Some((from, most)) => {
                    let from = usize::try_from(*from).ok()?.min(whole.len());
                    let to = from.saturating_add(usize::try_from(most.get()).ok()?);
                    whole.get(from..to.min(whole.len()))?
                }
            };
            MessageDataItem::BodyExt {
                section: section.clone().map(bounded_section),
                origin: partial.map(|(from, _)| from),
                data: string(part),
            }
        }
        _ => return None,
    })
}

fn bounded_section(section: Section<'_>) -> Section<'static> {
    use imap_codec::imap_types::IntoStatic as _;
    section.into_static()
}

/// The chosen fields and the empty line that ends a header (RFC 3501 §6.4.5).
fn select_fields(raw: &[u8], is_chosen: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut chosen = Vec::new();
    for (name, whole) in fields(raw) {
        if is_chosen(name) {
            chosen.extend_from_slice(whole);
        }
    }
    chosen.extend_from_slice(b"\r\n");
    chosen
}

fn same(one: &[u8], other: &[u8]) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Bytes that IMAP cannot carry in a literal (NUL) make it NIL.
fn string(bytes: &[u8]) -> NString<'static> {
    use imap_codec::imap_types::core::Literal;
    Literal::try_from(bytes.to_vec()).map_or(NString(None), NString::from)
}

fn own_flag(flag: &str) -> Option<Flag<'static>> {
    use imap_codec::imap_types::IntoStatic as _;
    Flag::try_from(flag).ok().map(Flag::into_static)
}

/// To the second, as INTERNALDATE is written.
fn internal_date(at_ms: u64) -> Option<DateTime> {
    let instant = Instant::from_timestamp_millis(i64::try_from(at_ms).ok()?)?;
    DateTime::try_from(instant.with_nanosecond(0)?.fixed_offset()).ok()
}
