//! LIST, STATUS, SELECT, CREATE, APPEND and IDLE.

use std::borrow::Cow;
use std::num::NonZeroU32;

use imap_codec::imap_types::core::{Atom, QuotedChar};
use imap_codec::imap_types::datetime::DateTime;
use imap_codec::imap_types::extensions::binary::LiteralOrLiteral8;
use imap_codec::imap_types::flag::{Flag, FlagNameAttribute, FlagPerm};
use imap_codec::imap_types::mailbox::{ListMailbox, Mailbox};
use imap_codec::imap_types::response::{Code, Data, Response, StatusKind};
use imap_codec::imap_types::status::{StatusDataItem, StatusDataItemName};

use super::view::View;
use super::{Outcome, Session};
use crate::clock;
use crate::connection::Gone;
use crate::control::{Gate, Point};
use crate::locked;
use crate::mail::FolderSummary;

/// The longest line during IDLE, where only `DONE` may come.
const LONGEST_IDLE_LINE: usize = 1024;

impl Session {
    /// Special uses stand in every LIST answer, as RFC 6154 §2 allows.
    pub(super) fn list_folders(
        &mut self,
        address: &str,
        reference: &Mailbox<'_>,
        wildcard: &ListMailbox<'_>,
    ) -> Outcome {
        let pattern = match wildcard {
            ListMailbox::Token(token) => token.as_ref(),
            ListMailbox::String(string) => string.as_ref(),
        };
        let pattern = String::from_utf8_lossy(pattern).into_owned();
        let profile = self.connection.provider.profile;
        let delimiter = QuotedChar::try_from(profile.delimiter).ok();
        if pattern.is_empty() {
            // RFC 3501 §6.3.8: only the delimiter is asked for.
            if let Ok(mailbox) = Mailbox::try_from("") {
                let items = vec![FlagNameAttribute::Noselect];
                self.say(&Response::Data(Data::List {
                    items,
                    delimiter,
                    mailbox,
                }));
            }
            return Outcome::ok("done");
        }
        let pattern = match reference {
            Mailbox::Inbox => format!("INBOX{pattern}"),
            Mailbox::Other(_) => name_of(reference) + &pattern,
        };
        for name in profile.no_select {
            if !matches_pattern(&pattern, name) {
                continue;
            }
            if let Ok(mailbox) = Mailbox::try_from((*name).to_owned()) {
                // RFC 3501 §7.2.2
                let has_children = Atom::try_from("HasChildren").map(FlagNameAttribute::from);
                let items = has_children
                    .into_iter()
                    .chain([FlagNameAttribute::Noselect])
                    .collect();
                self.say(&Response::Data(Data::List {
                    items,
                    delimiter,
                    mailbox,
                }));
            }
        }
        for folder in self.connection.provider.mail.folders(address) {
            if !matches_pattern(&pattern, &folder.name) {
                continue;
            }
            let attributes = ["HasNoChildren"]
                .into_iter()
                .chain(folder.special_use.as_deref());
            let items = attributes
                .filter_map(|name| Atom::try_from(name.to_owned()).ok())
                .map(FlagNameAttribute::from)
                .collect();
            if let Ok(mailbox) = Mailbox::try_from(folder.name) {
                self.say(&Response::Data(Data::List {
                    items,
                    delimiter,
                    mailbox,
                }));
            }
        }
        Outcome::ok("done")
    }

    pub(super) fn say_folder_status(
        &mut self,
        address: &str,
        mailbox: Mailbox<'static>,
        names: &[StatusDataItemName],
    ) -> Outcome {
        let Some(folder) = self.find_folder(address, &mailbox) else {
            return Outcome::no("no such folder").with_other("NONEXISTENT");
        };
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let items = names
            .iter()
            .filter_map(|name| match name {
                StatusDataItemName::Messages => {
                    Some(StatusDataItem::Messages(count(folder.n_messages)))
                }
                StatusDataItemName::Recent => Some(StatusDataItem::Recent(0)),
                StatusDataItemName::Unseen => Some(StatusDataItem::Unseen(count(folder.n_unseen))),
                StatusDataItemName::UidNext => {
                    NonZeroU32::new(folder.uid_next).map(StatusDataItem::UidNext)
                }
                StatusDataItemName::UidValidity => {
                    NonZeroU32::new(folder.uid_validity).map(StatusDataItem::UidValidity)
                }
                _ => None,
            })
            .collect::<Vec<_>>();
        if items.len() < names.len() {
            return Outcome::bad("a status item is not offered");
        }
        self.say(&Response::Data(Data::Status {
            mailbox,
            items: Cow::Owned(items),
        }));
        Outcome::ok("done")
    }

    pub(super) async fn select(
        &mut self,
        address: &str,
        mailbox: &Mailbox<'_>,
        read_only: bool,
    ) -> Result<Outcome, Gone> {
        // RFC 3501 §6.3.1: whatever was selected before is left, even where this fails.
        self.view = None;
        let said = self
            .connection
            .meet(Gate::ImapFolder, Some(address))
            .await?;
        if said.is_some() {
            self.instead = said;
            return Ok(Outcome::no("in trouble"));
        }
        let Some(summary) = self.find_folder(address, mailbox) else {
            return Ok(Outcome::no("no such folder").with_other("NONEXISTENT"));
        };
        let is_shut = locked(&self.connection.provider.faults)
            .shut_folders
            .contains(&summary.name);
        if is_shut {
            return Ok(Outcome::no("this folder is shut for now"));
        }
        let uids = self
            .connection
            .provider
            .mail
            .read_folder(address, &summary.name, |folder| {
                let uids = folder
                    .messages
                    .iter()
                    .map(|stored| stored.uid)
                    .collect::<Vec<_>>();
                (uids, folder.uid_next)
            });
        let Some((uids, uid_next)) = uids else {
            return Ok(Outcome::no("no such folder").with_other("NONEXISTENT"));
        };
        let flags = vec![
            Flag::Answered,
            Flag::Flagged,
            Flag::Deleted,
            Flag::Seen,
            Flag::Draft,
        ];
        let mut permanent: Vec<_> = flags.iter().cloned().map(FlagPerm::from).collect();
        permanent.push(FlagPerm::Asterisk);
        self.say(&Response::Data(Data::Flags(flags)));
        self.say(&Response::Data(Data::Exists(
            u32::try_from(uids.len()).unwrap_or(u32::MAX),
        )));
        self.say(&Response::Data(Data::Recent(0)));
        let permanent = if read_only { Vec::new() } else { permanent };
        let codes = [
            Some(Code::PermanentFlags(permanent)),
            NonZeroU32::new(summary.uid_validity).map(Code::UidValidity),
            NonZeroU32::new(uid_next).map(Code::UidNext),
        ];
        for code in codes.into_iter().flatten() {
            self.say_status(None, StatusKind::Ok, Some(code), "as it is");
        }
        self.connection
            .pass(Point::ImapSelected, Some(address))
            .await?;
        self.view = Some(View {
            folder: summary.name,
            read_only,
            uids,
        });
        Ok(if read_only {
            Outcome::ok("open for reading").with(Code::ReadOnly)
        } else {
            Outcome::ok("open").with(Code::ReadWrite)
        })
    }

    pub(super) fn create_folder(&mut self, address: &str, mailbox: &Mailbox<'_>) -> Outcome {
        if self
            .connection
            .provider
            .mail
            .create_folder(address, &name_of(mailbox))
        {
            Outcome::ok("created")
        } else {
            Outcome::no("it exists").with_other("ALREADYEXISTS")
        }
    }

    pub(super) fn append(
        &mut self,
        address: &str,
        mailbox: &Mailbox<'_>,
        flags: &[Flag<'_>],
        date: Option<DateTime>,
        message: &LiteralOrLiteral8<'_>,
    ) -> Outcome {
        let Some(folder) = self.find_folder(address, mailbox) else {
            return Outcome::no("no such folder").with(Code::TryCreate);
        };
        let raw = match message {
            LiteralOrLiteral8::Literal(literal) => literal.as_ref(),
            LiteralOrLiteral8::Literal8(literal) => literal.data.as_ref(),
        };
        let flags: Vec<_> = flags.iter().map(ToString::to_string).collect();
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let received_at_ms = date
            .and_then(|date| u64::try_from(date.as_ref().timestamp_millis()).ok())
            .unwrap_or_else(clock::now_ms);
        let mail = &self.connection.provider.mail;
        let uid = mail.append(address, &folder.name, raw.into(), &flags, received_at_ms);
        let outcome = Outcome::ok("appended");
        match (NonZeroU32::new(folder.uid_validity), NonZeroU32::new(uid)) {
            (Some(uid_validity), Some(uid)) => outcome.with(Code::AppendUid { uid_validity, uid }),
            _ => outcome,
        }
    }

    /// RFC 2177: tells what comes until the client says `DONE`.
    pub(super) async fn idle(&mut self, address: &str) -> Result<Outcome, Gone> {
        let mut changes = self.connection.provider.mail.changes(address);
        let mut ended = match self.person.as_ref() {
            Some(person) => person.ended.clone(),
            None => return Ok(Outcome::bad("sign in first")),
        };
        self.flush().await?;
        self.connection.write(b"+ idling\r\n").await?;
        loop {
            self.end_if_revoked().await?;
            self.tell_changes(true);
            self.flush().await?;
            tokio::select! {
                // The provider outlives every session, so these senders are never gone.
                _ = changes.changed() => {}
                _ = ended.changed() => {}
                line = self.connection.read_piece(LONGEST_IDLE_LINE) => {
                    return Ok(if line?.trim_ascii().eq_ignore_ascii_case(b"DONE") {
                        Outcome::ok("idle no more")
                    } else {
                        Outcome::bad("expected DONE")
                    });
                }
            }
        }
    }

    fn find_folder(&self, address: &str, mailbox: &Mailbox<'_>) -> Option<FolderSummary> {
        let name = name_of(mailbox);
        self.connection
            .provider
            .mail
            .folders(address)
            .into_iter()
            .find(|folder| folder.name == name)
    }
}

fn name_of(mailbox: &Mailbox<'_>) -> String {
    match mailbox {
        Mailbox::Inbox => "INBOX".to_owned(),
        Mailbox::Other(other) => String::from_utf8_lossy(other.as_ref()).into_owned(),
    }
}

/// RFC 3501 §6.3.8: `*` is anything, `%` anything without the delimiter.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty(),
        Some(wildcard @ ('*' | '%')) => {
            let after = rest.as_str();
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            for end in ends {
                let (skipped, remaining) = name.split_at(end);
                if wildcard == '%' && skipped.contains('/') {
                    return false;
                }
                if matches_pattern(after, remaining) {
                    return true;
                }
            }
            false
        }
        Some(wanted) => {
            let mut name = name.chars();
            name.next()
                .is_some_and(|found| found.eq_ignore_ascii_case(&wanted))
                && matches_pattern(rest.as_str(), name.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names() {
        for (pattern, name, matches) in [
            ("*", "INBOX", true),
            ("%", "Sent", true),
            ("%", "Archive/2026", false),
            ("*", "Archive/2026", true),
            ("Archive/%", "Archive/2026", true),
            ("inbox", "INBOX", true),
            ("Sen", "Sent", false),
            ("S*t", "Sent", true),
        ] {
            assert_eq!(matches_pattern(pattern, name), matches, "{pattern} {name}");
        }
    }
}
