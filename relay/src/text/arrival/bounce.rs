//! A message that came back: what a report or a notice says of it, in types. A report says it in fields (`status`),
//! a notice in words (`notice`).
//!
//! A bounce is told by its form: by who sends it, by its parts, by codes. Where only words can tell a failure from
//! a delay, the words are a grammar in `wording`, and one of them alone is never enough.

use protocol::reply::{EnhancedCode, SmtpReply};

use super::head::Head;
use super::parts::Body;
use super::wording::{self, Verdict};
use super::{Named, ORIGINAL_ID_HEADERS, choose};
use super::{address, notice, status};

/// A message that came back for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounce {
    /// Which message of ours it may be.
    pub of: Named,
    /// What failed, a recipient each; never empty.
    pub failures: Vec<Failure>,
    /// Addresses of the same report whose delivery did not fail, or has not yet: for these it is no bounce.
    pub spared: Vec<String>,
    /// The server that gave up (RFC 3464 §2.2.2); `None` where the message does not say.
    pub reporting_mta: Option<String>,
}

/// What a bounce says of one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The address that failed, in small letters; `None` where the message names none. It may be one that the
    /// recipient forwards to.
    pub recipient: Option<String>,
    /// The address that we wrote to, where the report tells both (RFC 3464 §2.3.1).
    pub original_recipient: Option<String>,
    /// The status code (RFC 3464 §2.3.4), also where it stands in the words alone.
    pub status: Option<EnhancedCode>,
    /// Why, as the server that refused said it (RFC 3464 §2.3.6).
    pub diagnostic: Option<Diagnostic>,
    /// The server that refused (RFC 3464 §2.3.5).
    pub remote_mta: Option<String>,
}

/// What the refusing server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Diagnostic {
    /// Its SMTP reply.
    Reply(SmtpReply),
    /// Words without one.
    Words(String),
}

/// Whether the same address may take the same message another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hardness {
    /// The address is not to be written to.
    Hard,
    /// Given up after trying, or a full mailbox (RFC 3463 §3.3): this message has failed, the address has not.
    Soft,
}

impl Bounce {
    /// What it says of a message to this address: its own failure, or, where the report does not name the address
    /// (it is forwarded elsewhere), the first; `None` where the report says that this one did not fail.
    pub fn failure_of(&self, address: &str) -> Option<&Failure> {
        let address = address.to_lowercase();
        let own = self.failures.iter().find(|failure| failure.is_of(&address));
        if own.is_none() && self.spared.contains(&address) {
            return None;
        }
        own.or(self.failures.first())
    }
}

impl Failure {
    fn is_of(&self, address: &str) -> bool {
        [&self.recipient, &self.original_recipient]
            .into_iter()
            .any(|found| found.as_deref() == Some(address))
    }

    /// The status, else the enhanced code of the reply.
    pub fn code(&self) -> Option<EnhancedCode> {
        self.status.or(match &self.diagnostic {
            Some(Diagnostic::Reply(reply)) => reply.enhanced,
            _ => None,
        })
    }

    /// Whether the address itself failed.
    pub fn hardness(&self) -> Hardness {
        let reply = match &self.diagnostic {
            Some(Diagnostic::Reply(reply)) => Some(reply),
            _ => None,
        };
        let is_transient = match (self.status, reply) {
            // RFC 3463 §3.3, §3.5: a full mailbox; given up because the time was over.
            (Some(status), _) if status.is_about(2, 2) || status.is_about(4, 7) => true,
            (Some(status), _) => status.class == 4,
            // RFC 5321 §4.2.2: 552, the mailbox is full.
            (None, Some(reply)) => match reply.enhanced {
                Some(code) => code.class == 4 || code.is_about(2, 2) || code.is_about(4, 7),
                None => reply.is_transient() || reply.code == 552,
            },
            (None, None) => false,
        };
        if is_transient {
            Hardness::Soft
        } else {
            Hardness::Hard
        }
    }

    /// The reason for people: the server's own words, else the code; empty where the message tells neither.
    pub fn words(&self) -> String {
        match (&self.diagnostic, self.status) {
            (Some(Diagnostic::Reply(reply)), _) => reply.to_string(),
            (Some(Diagnostic::Words(words)), Some(status)) => format!("{status} {words}"),
            (Some(Diagnostic::Words(words)), None) => words.clone(),
            (None, Some(status)) => status.to_string(),
            (None, None) => String::new(),
        }
    }
}

/// What the head makes a message, before its parts are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A report (RFC 6522 §3) that may be one of deliveries, or a message of a mail server's own sender.
    Server,
    /// Made by a program: its words have to say the failure.
    Machine,
    /// A postmaster's, who may be a person: the words have to show a refusal or what came back, or to say the failure
    /// as the subject does and to quote as no person does.
    Postmaster,
    /// Headed like a failure, by whoever wrote it: its words have to say the failure, and it has to bear what only a
    /// server's notice does, a status or what came back.
    Headed,
    /// Nothing says so.
    Ordinary,
}

/// Who sends it, as far as its head tells.
pub(super) fn form(head: &Head<'_>) -> Form {
    let is_report = head.kind() == "multipart/report"
        && head
            .attribute("report-type")
            .is_none_or(|kind| kind.ends_with("delivery-status"));
    // Exim and cPanel; qmail's own mark of a bounce.
    let is_marked = head.has("X-Failed-Recipients")
        || head
            .values("Received")
            .iter()
            .any(|hop| hop.contains("invoked for bounce"));
    let sender = sender(head);
    if is_report
        || is_marked
        || is_daemon(&sender)
        || ["mail delivery sys", "mail delivery sub"]
            .iter()
            .any(|name| head.sender_name().contains(name))
    {
        return Form::Server;
    }
    // RFC 5321 §4.5.5: notices have a null return path.
    let has_null_path = head.value("Return-Path").is_some_and(|path| path == "<>");
    if has_null_path || super::automatic::is_marked_by_rfc_3834(head) {
        Form::Machine
    } else if sender == "postmaster" {
        Form::Postmaster
    } else if wording::heads_failure(head.subject()) {
        Form::Headed
    } else {
        Form::Ordinary
    }
}

/// The local part of the sender without what separates its words: `mailer-daemon` is `mailerdaemon`.
pub(super) fn sender(head: &Head<'_>) -> String {
    let from = head
        .from()
        .or_else(|| head.value("From"))
        .unwrap_or_default();
    let local = from
        .split_once('@')
        .map_or(from.as_str(), |(local, _)| local);
    local
        .chars()
        .filter(|c| c.is_alphanumeric())
        .collect::<String>()
        .to_lowercase()
}

fn is_daemon(sender: &str) -> bool {
    ["mailerdaemon", "maildaemon", "mdaemon", "maildelivery"]
        .iter()
        .any(|name| sender.contains(name))
}

/// What a message of that form says came back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Bounce(Bounce),
    /// It is a server's word that is no failure: a delay, a success.
    NoFailure,
    Nothing,
}

pub(super) fn find(head: &Head<'_>, body: &Body, form: Form) -> Found {
    if form == Form::Ordinary {
        return Found::Nothing;
    }
    let text = body.words.join("\n");
    let (words, quoted) = notice::split(&text, form != Form::Server);
    let by_a_program = matches!(form, Form::Server | Form::Machine);
    let report = status::read(&body.statuses);
    let returned = returned(body, &quoted);
    let mut of = named(&returned);
    // Mail programs of people quote a head as well, but for its id.
    let is_returned = if by_a_program {
        !returned.is_empty()
    } else {
        !body.returned.is_empty() || !of.ids.is_empty() || of.delivery.is_some() || of.tag.is_some()
    };
    // What a program sends to people may speak of anything: it has to show a refusal, what came back, or to be headed
    // like a failure. What a person may have written needs more.
    let shows = is_returned
        || match form {
            Form::Server => true,
            Form::Machine => {
                wording::shows_refusal(&words) || wording::heads_failure(head.subject())
            }
            Form::Postmaster => {
                wording::shows_refusal(&words)
                    || wording::heads_failure(head.subject())
                        && wording::judge("", &words) == Verdict::Failed
                        && !notice::is_quoted_by_a_person(&text, &quoted)
            }
            Form::Headed | Form::Ordinary => false,
        };
    // Anybody writes any subject.
    let is_noticed = by_a_program || shows || report.is_told;
    let verdict = wording::judge(if is_noticed { head.subject() } else { "" }, &words);
    of.ids.extend(report.ids);
    of.ids.extend(head.ids("In-Reply-To"));
    of.ids.extend(head.ids("References"));
    of.ids = choose(of.ids);
    let (failures, spared) = if report.is_told {
        let undecided = report.undecided.into_iter();
        let failed = verdict == Verdict::Failed;
        let (mut failures, mut spared) = (report.failed, report.spared);
        if failed {
            failures.extend(undecided);
        } else {
            spared.extend(undecided.filter_map(|failure| failure.recipient));
        }
        (failures, spared)
    } else {
        // A server of mail that hands a message back and speaks of no delay has failed to deliver it, in whatever
        // language it says so.
        let hands_back = form == Form::Server && verdict == Verdict::Silent && is_returned;
        match verdict {
            Verdict::Failed if shows => {}
            Verdict::Silent if hands_back => {}
            Verdict::Delayed | Verdict::Delivered if is_noticed => {
                return Found::NoFailure;
            }
            _ => return Found::Nothing,
        }
        (notice::failures(head, &words), Vec::new())
    };
    if failures.is_empty() {
        return Found::NoFailure;
    }
    of.addresses = addresses(&failures);
    if of.ids.is_empty() && of.delivery.is_none() && of.addresses.is_empty() {
        return Found::NoFailure;
    }
    Found::Bounce(Bounce {
        of,
        failures,
        spared,
        reporting_mta: report.reporting_mta,
    })
}

fn addresses(failures: &[Failure]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let told = failures.iter().flat_map(|failure| {
        [&failure.original_recipient, &failure.recipient]
            .into_iter()
            .flatten()
    });
    for found in told.take(super::ADDRESSES_MAX) {
        if !all.contains(found) {
            all.push(found.clone());
        }
    }
    all
}

/// The heads of what came back: returned parts, and a head that a notice quotes.
pub(super) fn returned(body: &Body, quoted: &[String]) -> Vec<Vec<u8>> {
    let quoted = quoted.iter().map(|head| head.clone().into_bytes());
    body.returned.iter().cloned().chain(quoted).collect()
}

/// What the heads of returned messages say of which message it is.
pub(super) fn named(returned: &[Vec<u8>]) -> Named {
    let mut of = Named::default();
    for bytes in returned {
        let Some(head) = Head::parse(bytes) else {
            continue;
        };
        for name in ["Message-ID"].into_iter().chain(ORIGINAL_ID_HEADERS) {
            of.ids.extend(head.ids(name));
        }
        let delivery = head.value(crate::text::message::DELIVERY_HEADER);
        of.delivery = of.delivery.or(delivery);
        let tag = head.value(crate::text::message::TAG_HEADER);
        of.tag = of.tag.or(tag.filter(|tag| crate::tag::has_form(tag)));
        let subject = Some(head.subject().to_owned()).filter(|subject| !subject.is_empty());
        of.subject = of.subject.or(subject);
        of.addresses.extend(head.addresses("To"));
    }
    of.ids = choose(of.ids);
    of.addresses.truncate(super::ADDRESSES_MAX);
    of
}

/// The reply that stands in a text, where one does: three digits that refuse, and what follows them.
pub(super) fn find_reply(text: &str) -> Option<SmtpReply> {
    let at = status::find_code(text)?;
    let found = text.get(at..)?;
    let code: u16 = found.get(..3)?.parse().ok()?;
    // Lines of one reply repeat the code (RFC 5321 §4.2.1), also where a folded field has joined them.
    let digits = found.get(..3)?;
    let repeated =
        ["\n", " "].map(|before| [format!("{before}{digits}-"), format!("{before}{digits} ")]);
    let mut rest = found
        .get(3..)?
        .trim_start_matches(['-', ':', ' ', '#', ','])
        .to_owned();
    for again in repeated.as_flattened() {
        rest = rest.replace(again.as_str(), "\n");
    }
    let lines: Vec<&str> = rest.lines().map(str::trim).collect();
    Some(SmtpReply::parse(code, lines))
}

/// The address that a field names.
pub(super) fn recipient(value: &str) -> Option<String> {
    address::of_field(value)
}
