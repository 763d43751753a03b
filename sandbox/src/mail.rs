//! Every inbox and what was delivered, in memory. Nothing here knows SMTP or IMAP.

mod header;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use serde::Serialize;
use tokio::sync::watch;

pub(crate) use header::{fields, find_field, header_end, replace_field, unfolded_fields};

use crate::locked;
use crate::profile::FolderSpec;

/// A message handed over to a recipient.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The envelope's recipient, in small letters.
    pub recipient: String,
    /// The envelope's sender.
    pub envelope_from: String,
    /// The `Message-ID` field as the recipient sees it.
    pub message_id: Option<String>,
    /// The message, header and body.
    pub raw: Arc<[u8]>,
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: u64,
    /// The SMTP connection that brought it.
    pub session: u64,
}

impl Delivered {
    /// The first header field of that name, unfolded and trimmed.
    pub fn header(&self, name: &str) -> Option<String> {
        find_field(&self.raw, name)
    }

    /// Every header field, unfolded, in order.
    pub fn headers(&self) -> Vec<(String, String)> {
        unfolded_fields(&self.raw)
    }
}

/// A folder as it is now.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Its name.
    pub name: String,
    /// Its special use (RFC 6154) without the backslash.
    pub special_use: Option<String>,
    /// RFC 9051 §2.3.1.1.
    pub uid_validity: u32,
    /// The UID that the next message will get.
    pub uid_next: u32,
    /// In the order of their UIDs.
    pub messages: Vec<Stored>,
}

impl Folder {
    /// The message of that UID.
    pub fn find(&self, uid: u32) -> Option<&Stored> {
        let at = self
            .messages
            .binary_search_by_key(&uid, |stored| stored.uid)
            .ok()?;
        self.messages.get(at)
    }
}

/// A message in a folder.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its UID there.
    pub uid: u32,
    /// Its flags as IMAP writes them, with the backslash.
    pub flags: BTreeSet<String>,
    /// When it came, in milliseconds since 1970 UTC.
    pub received_at_ms: u64,
    /// Header and body.
    pub raw: Arc<[u8]>,
}

/// A folder's numbers, without its messages.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FolderSummary {
    pub(crate) name: String,
    pub(crate) special_use: Option<String>,
    pub(crate) n_messages: usize,
    pub(crate) n_unseen: usize,
    pub(crate) uid_validity: u32,
    pub(crate) uid_next: u32,
}

/// All inboxes by address; one is made when it is first needed.
#[derive(Debug)]
pub(crate) struct MailStore {
    folders: &'static [FolderSpec],
    uid_validity: u32,
    inboxes: Mutex<HashMap<String, Inbox>>,
    delivered: Mutex<Vec<Delivered>>,
}

#[derive(Debug)]
struct Inbox {
    folders: Vec<Folder>,
    /// Counts the changes; IDLE waits on it.
    changes: watch::Sender<u64>,
}

impl MailStore {
    /// `uid_validity` is given to every folder of this run.
    pub(crate) fn new(folders: &'static [FolderSpec], uid_validity: u32) -> Self {
        Self {
            folders,
            uid_validity,
            inboxes: Mutex::default(),
            delivered: Mutex::default(),
        }
    }

    /// Puts a message into a folder, INBOX where the folder does not exist, and says its UID. Where there is a
    /// folder of all mail, it gets what is neither junk nor trash nor a draft.
    pub(crate) fn append(
        &self,
        address: &str,
        folder: &str,
        raw: Arc<[u8]>,
        flags: &[&str],
        received_at_ms: u64,
    ) -> u32 {
        self.with(address, |inbox| {
            let at = inbox
                .folders
                .iter()
                .position(|candidate| same_folder(&candidate.name, folder))
                .unwrap_or(0);
            let Some(folder) = inbox.folders.get_mut(at) else {
                return 0;
            };
            let special_use = folder.special_use.clone();
            let uid = put(folder, Arc::clone(&raw), flags, received_at_ms);
            if !matches!(
                special_use.as_deref(),
                Some("All" | "Junk" | "Trash" | "Drafts")
            ) && let Some(all) = inbox
                .folders
                .iter_mut()
                .find(|folder| folder.special_use.as_deref() == Some("All"))
            {
                put(all, raw, flags, received_at_ms);
            }
            uid
        })
    }

    /// Gives a folder another UIDVALIDITY and its messages other UIDs (RFC 3501 §2.3.1.1); false where there is
    /// no such folder.
    pub(crate) fn renumber(&self, address: &str, folder: &str) -> bool {
        self.with(address, |inbox| {
            let found = inbox
                .folders
                .iter_mut()
                .find(|candidate| same_folder(&candidate.name, folder));
            let Some(folder) = found else {
                return false;
            };
            folder.uid_validity = folder.uid_validity.saturating_add(1);
            folder.uid_next = 1;
            for stored in &mut folder.messages {
                stored.uid = folder.uid_next;
                folder.uid_next = folder.uid_next.saturating_add(1);
            }
            true
        })
    }

    /// Remembers that a message was handed over; it stands in the recipient's INBOX then.
    pub(crate) fn deliver(&self, delivered: Delivered) {
        self.append(
            &delivered.recipient,
            "INBOX",
            Arc::clone(&delivered.raw),
            &[],
            delivered.at_ms,
        );
        locked(&self.delivered).push(delivered);
    }

    pub(crate) fn delivered(&self) -> Vec<Delivered> {
        locked(&self.delivered).clone()
    }

    /// The folder with its messages; `None` where it does not exist.
    pub(crate) fn folder(&self, address: &str, name: &str) -> Option<Folder> {
        self.read_folder(address, name, Folder::clone)
    }

    /// Reads the folder in place; `None` where it does not exist. `read` must be short.
    pub(crate) fn read_folder<T>(
        &self,
        address: &str,
        name: &str,
        read: impl FnOnce(&Folder) -> T,
    ) -> Option<T> {
        self.read(address, |inbox| {
            inbox
                .folders
                .iter()
                .find(|folder| same_folder(&folder.name, name))
                .map(read)
        })
    }

    pub(crate) fn folders(&self, address: &str) -> Vec<FolderSummary> {
        self.read(address, |inbox| {
            inbox
                .folders
                .iter()
                .map(|folder| FolderSummary {
                    name: folder.name.clone(),
                    special_use: folder.special_use.clone(),
                    n_messages: folder.messages.len(),
                    n_unseen: folder
                        .messages
                        .iter()
                        .filter(|stored| !stored.flags.contains("\\Seen"))
                        .count(),
                    uid_validity: folder.uid_validity,
                    uid_next: folder.uid_next,
                })
                .collect()
        })
    }

    /// The name of the folder with that special use.
    pub(crate) fn find_special(&self, address: &str, special_use: &str) -> Option<String> {
        self.read(address, |inbox| {
            inbox
                .folders
                .iter()
                .find(|folder| folder.special_use.as_deref() == Some(special_use))
                .map(|folder| folder.name.clone())
        })
    }

    /// Makes a folder; false where one of that name exists.
    pub(crate) fn create_folder(&self, address: &str, name: &str) -> bool {
        let uid_validity = self.uid_validity;
        self.with(address, |inbox| {
            if inbox
                .folders
                .iter()
                .any(|folder| same_folder(&folder.name, name))
            {
                return false;
            }
            inbox.folders.push(new_folder(name, None, uid_validity));
            true
        })
    }

    /// Changes the flags of these messages by `change`.
    pub(crate) fn change_flags(
        &self,
        address: &str,
        folder: &str,
        uids: &[u32],
        change: impl Fn(&mut BTreeSet<String>),
    ) {
        self.with(address, |inbox| {
            for folder in inbox
                .folders
                .iter_mut()
                .filter(|other| same_folder(&other.name, folder))
            {
                for uid in uids {
                    let Ok(at) = folder
                        .messages
                        .binary_search_by_key(uid, |stored| stored.uid)
                    else {
                        continue;
                    };
                    if let Some(stored) = folder.messages.get_mut(at) {
                        change(&mut stored.flags);
                    }
                }
            }
        });
    }

    /// Removes the messages flagged `\Deleted`, only these UIDs where some are given.
    pub(crate) fn expunge(&self, address: &str, folder: &str, only: Option<&[u32]>) {
        self.with(address, |inbox| {
            for folder in inbox
                .folders
                .iter_mut()
                .filter(|other| same_folder(&other.name, folder))
            {
                folder.messages.retain(|stored| {
                    !stored.flags.contains("\\Deleted")
                        || only.is_some_and(|uids| !uids.contains(&stored.uid))
                });
            }
        });
    }

    /// Tells when anything in the inbox changes.
    pub(crate) fn changes(&self, address: &str) -> watch::Receiver<u64> {
        self.read(address, |inbox| inbox.changes.subscribe())
    }

    fn read<T>(&self, address: &str, read: impl FnOnce(&Inbox) -> T) -> T {
        let mut inboxes = locked(&self.inboxes);
        let inbox = inboxes
            .entry(address.to_lowercase())
            .or_insert_with(|| self.new_inbox());
        read(inbox)
    }

    fn with<T>(&self, address: &str, change: impl FnOnce(&mut Inbox) -> T) -> T {
        let mut inboxes = locked(&self.inboxes);
        let inbox = inboxes
            .entry(address.to_lowercase())
            .or_insert_with(|| self.new_inbox());
        let outcome = change(inbox);
        inbox.changes.send_modify(|count| *count += 1);
        outcome
    }

    fn new_inbox(&self) -> Inbox {
        Inbox {
            folders: self
                .folders
                .iter()
                .map(|spec| new_folder(spec.name, spec.special_use, self.uid_validity))
                .collect(),
            changes: watch::Sender::new(0),
        }
    }
}

fn new_folder(name: &str, special_use: Option<&str>, uid_validity: u32) -> Folder {
    Folder {
        name: name.to_owned(),
        special_use: special_use.map(str::to_owned),
        uid_validity,
        uid_next: 1,
        messages: Vec::new(),
    }
}

fn put(folder: &mut Folder, raw: Arc<[u8]>, flags: &[&str], received_at_ms: u64) -> u32 {
    let uid = folder.uid_next;
    folder.uid_next = uid.saturating_add(1);
    folder.messages.push(Stored {
        uid,
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        received_at_ms,
        raw,
    });
    uid
}

/// INBOX is the same in any case, other names are not (RFC 9051 §5.1).
fn same_folder(one: &str, other: &str) -> bool {
    one == other || (one.eq_ignore_ascii_case("INBOX") && other.eq_ignore_ascii_case("INBOX"))
}
