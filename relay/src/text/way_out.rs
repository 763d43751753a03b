//! How a message tells its lead to be written to no more, and what a lead writes who wants that. What follows is the
//! store's.
//!
//! The header names two ways (RFC 2369 §3.2): a message to the inbox itself, whose subject bears the way out, and, where
//! the relay has an https address, a page of the relay's that takes it with one click (RFC 8058). Both headers must be
//! covered by the DKIM signature of the server that sends the message (RFC 8058 §4); that one signs, not the relay.

use lettre::message::MessageBuilder;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use protocol::inbox::Address;

use super::message::{to_listed, to_wire};
use crate::tag::Tags;

/// Where the page is, below the relay's address.
pub const PATH: &str = "/unsubscribe/";
/// What stands in front of the way out in a subject, for whoever sees the message.
const SUBJECT: &str = "unsubscribe";
/// The longest text of an answer's own that is taken for nothing but the wish, in characters.
const OWN_TEXT_MAX: usize = 200;
/// Lines of such a text: the wish, a greeting, a name.
const OWN_LINES_MAX: usize = 6;

/// The ways out that one message tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayOut {
    by_mail: String,
    by_page: Option<String>,
}

impl WayOut {
    /// Those of a message from this inbox to this lead; `relay` is the https address of the relay, where it has one.
    pub fn new(tags: &Tags, from: &Address, to: &Address, relay: Option<&str>) -> Self {
        let way_out = tags.make_way_out(&to_listed(to.as_str()));
        let from = encode(to_wire(from).as_str());
        Self {
            by_mail: format!("<mailto:{from}?subject={SUBJECT}%20{way_out}>"),
            by_page: relay.map(|relay| format!("<{relay}{PATH}{way_out}>")),
        }
    }

    /// The message with the headers that tell them.
    pub fn add_to(&self, message: MessageBuilder) -> MessageBuilder {
        match &self.by_page {
            None => message.header(Told(self.by_mail.clone())),
            Some(by_page) => message
                .header(Told(format!("{}, {by_page}", self.by_mail)))
                .header(OneClick),
        }
    }
}

/// An address as it stands in a URI (RFC 6068 §2).
fn encode(address: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(address.len());
    for byte in address.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@+".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// `List-Unsubscribe` (RFC 2369 §3.2).
#[derive(Clone)]
struct Told(String);

impl Header for Told {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        // ASCII, and folded between the two alone: what reads it need not put a URI together again.
        let folded = self.0.replace(", ", ",\r\n ");
        HeaderValue::dangerous_new_pre_encoded(Self::name(), self.0.clone(), folded)
    }
}

/// `List-Unsubscribe-Post` (RFC 8058 §3.1).
#[derive(Clone)]
struct OneClick;

impl Header for OneClick {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".to_owned())
    }
}

/// The person whom a subject lets out: it bears a way out of ours.
pub fn find_in_subject(subject: &str, tags: &Tags) -> Option<String> {
    subject
        .split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'))
        .find_map(|word| tags.find_way_out(word))
}

/// What people write who want no more messages, in small letters and without signs: nothing else stands in the line.
const WISHES: &[&str] = &[
    "unsubscribe",
    "unsubscribed",
    "unsub",
    "stop",
    "stop it",
    "stop this",
    "stop mailing",
    "stop mailing me",
    "stop emailing",
    "stop emailing me",
    "stop e mailing me",
    "stop writing to me",
    "stop contacting me",
    "stop sending me emails",
    "stop sending emails",
    "remove",
    "remove me",
    "remove me from your list",
    "remove me from this list",
    "remove me from the list",
    "remove me from your mailing list",
    "take me off your list",
    "take me off this list",
    "take me off",
    "opt out",
    "optout",
    "do not contact me",
    "do not contact me again",
    "don t contact me",
    "don t contact me again",
    "do not email me",
    "do not email me again",
    "don t email me",
    "don t email me again",
    "no more emails",
    "abmelden",
    "abbestellen",
    "austragen",
    "abmeldung",
    "stopp",
    "keine weiteren mails",
    "keine weiteren e mails",
    "keine mails mehr",
    "keine e mails mehr",
    "kein interesse stop",
    "nehmen sie mich aus dem verteiler",
    "désabonner",
    "désinscrire",
    "désinscription",
    "désabonnement",
    "me désabonner",
    "me désinscrire",
    "se désabonner",
    "se désinscrire",
    "arrêtez",
    "baja",
    "darse de baja",
    "dar de baja",
    "darme de baja",
    "dame de baja",
    "deme de baja",
    "cancelar suscripción",
    "cancelar la suscripción",
    "no me escriba más",
    "no me escriban más",
    "cancelar inscrição",
    "cancelar subscrição",
    "descadastrar",
    "remover",
    "sair da lista",
    "disiscriviti",
    "disiscrivimi",
    "disiscrizione",
    "cancellami",
    "cancellatemi",
    "annulla iscrizione",
    "afmelden",
    "uitschrijven",
    "schrijf me uit",
    "avregistrera",
    "avprenumerera",
    "avsluta",
    "afmeld",
    "frameld",
    "avmeld",
    "meld meg av",
    "peru",
    "poista",
    "poista listalta",
    "wypisz",
    "wypisz mnie",
    "rezygnuję",
    "odhlásit",
    "odhlásit se",
    "odhlásiť",
    "leiratkozás",
    "leiratkozom",
    "dezabonare",
    "отписаться",
    "отпишите",
    "отпишите меня",
    "отписка",
    "стоп",
    "відписатися",
    "відпишіть",
    "відпишіть мене",
    "отписване",
    "διαγραφή",
    "abonelikten çık",
    "listeden çıkar",
    "çık",
    "取消订阅",
    "退订",
    "退訂",
    "取消訂閱",
    "配信停止",
    "購読解除",
    "수신거부",
    "구독 취소",
    "הסר",
    "הסרה",
    "إلغاء الاشتراك",
    "لغو اشتراک",
    "hủy đăng ký",
    "berhenti berlangganan",
];

/// What people put before and behind it.
const POLITE: &[&str] = &[
    "please",
    "pls",
    "plz",
    "kindly",
    "thanks",
    "thank you",
    "thx",
    "now",
    "me please",
    "hi",
    "hello",
    "bitte",
    "danke",
    "merci",
    "s il vous plaît",
    "s il vous plait",
    "svp",
    "por favor",
    "gracias",
    "obrigado",
    "obrigada",
    "per favore",
    "per piacere",
    "grazie",
    "alstublieft",
    "aub",
    "graag",
    "bedankt",
    "tack",
    "takk",
    "tak",
    "kiitos",
    "proszę",
    "prosím",
    "köszönöm",
    "пожалуйста",
    "спасибо",
    "lütfen",
    "me",
];

/// More than a wish with all that is polite around it: what is longer is not looked at, since a subject has no bound.
const WISH_MAX_BYTES: usize = 512;

/// Whether a line is nothing but the wish to be written to no more.
pub fn is_wish(line: &str) -> bool {
    if line.len() > WISH_MAX_BYTES {
        return false;
    }
    let plain: String = line
        .to_lowercase()
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    let mut words: Vec<&str> = plain.split_whitespace().collect();
    loop {
        let text = words.join(" ");
        if WISHES.contains(&text.as_str()) {
            return true;
        }
        let before = POLITE.iter().find_map(|polite| {
            let rest = text.strip_prefix(polite)?.strip_prefix(' ')?;
            Some(rest.len())
        });
        let behind = POLITE.iter().find_map(|polite| {
            let rest = text.strip_suffix(polite)?.strip_suffix(' ')?;
            Some(rest.split(' ').count())
        });
        match (before, behind) {
            (Some(n_bytes), _) => {
                let n_left = text
                    .get(text.len() - n_bytes..)
                    .map_or(0, |rest| rest.split(' ').count());
                words.drain(..words.len() - n_left);
            }
            (None, Some(n_words)) => words.truncate(n_words),
            (None, None) => return false,
        }
    }
}

/// Whether an answer's own text, above what it quotes, is short and one of its lines is nothing but the wish.
pub fn asks(text: &str) -> bool {
    let own: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !begins_quote(line))
        .filter(|line| !line.is_empty())
        .collect();
    let n_chars: usize = own.iter().map(|line| line.chars().count()).sum();
    own.len() <= OWN_LINES_MAX
        && n_chars <= OWN_TEXT_MAX
        // Who writes a sentence first and "stop" below it may mean something else.
        && own.iter().take(2).any(|line| is_wish(line))
}

/// Whether what is quoted begins with this line, by its form: signs of a quotation, a rule, the field of a head, a line
/// that names a sender and ends with a colon ("On …, Ann <ann@a.example> wrote:").
fn begins_quote(line: &str) -> bool {
    let is_rule = |sign: char| line.chars().filter(|c| *c == sign).count() >= 5;
    let is_head = line.split_once(':').is_some_and(|(name, value)| {
        !name.is_empty() && name.chars().count() <= 12 && value.contains('@')
    });
    let is_attribution =
        line.ends_with([':', '：']) && line.chars().any(|c| c.is_ascii_digit() || c == '@');
    line.starts_with('>')
        || line == "--"
        || is_rule('-')
        || is_rule('_')
        || is_head
        || is_attribution
        || line.starts_with("On ") && line.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_no_more_is_understood_by_form_and_who_writes_of_something_else_is_not() {
        for text in [
            "unsubscribe",
            "Unsubscribe.",
            "STOP!",
            "Please unsubscribe me",
            "Hi,\n\nplease remove me from your list. Thanks\n\nAnn",
            "Unsubscribe\r\n\r\nAnn Smith\r\nAcme\r\n\r\n> On Monday you wrote\n> unsubscribe",
            "Bitte abmelden, danke!",
            "Désabonner, merci",
            "BAJA",
            "Отпишите меня, пожалуйста",
            "配信停止",
            "Stop\n\nOn Mon, 30 Nov 2026 at 08:00, Jane <jane@acme.example> wrote:\n> Hello there, this is a long text",
            "stop\n________________________________\nFrom: Jane\nHello",
            "stop\n-----Original Message-----\nHello",
            "Von: x\nstop",
        ] {
            assert!(asks(text), "{text}");
        }
        for text in [
            "",
            "Yes, let us talk.",
            "Stop by on Friday",
            "I will not stop, and never unsubscribe",
            "How do people unsubscribe from your product?",
            "We want to remove the old system.",
            "Thanks\n\n> unsubscribe",
            "On Mon, 30 Nov 2026, Jane <jane@acme.example> wrote:\nunsubscribe",
            "please",
            "Hi\nGreat offer\nplease call me\nstop",
        ] {
            assert!(!asks(text), "{text}");
        }
        // A subject has no bound but that of a message's head.
        assert!(!is_wish(&"me ".repeat(80_000)));
        let long = format!("unsubscribe\n{}", "We are interested indeed. ".repeat(20));
        assert!(!asks(&long));
    }

    #[test]
    fn a_subject_lets_out_whom_it_names_however_it_is_forwarded() {
        let tags = Tags::new([1; 32]);
        let way_out = tags.make_way_out("ann@a.example");
        for subject in [
            format!("unsubscribe {way_out}"),
            format!("Fwd: unsubscribe {way_out}"),
            format!("<{way_out}>"),
        ] {
            assert_eq!(
                find_in_subject(&subject, &tags).as_deref(),
                Some("ann@a.example")
            );
        }
        assert_eq!(find_in_subject("unsubscribe", &tags), None);
        assert_eq!(find_in_subject(&way_out, &Tags::new([2; 32])), None);
    }

    #[test]
    fn a_message_names_both_ways_where_there_are_two_and_no_line_is_too_long() {
        let tags = Tags::new([1; 32]);
        let (from, to) = (
            "jane+x@bücher.example".parse().unwrap(),
            "Ann@A.example".parse().unwrap(),
        );
        let told = |relay| {
            let builder = lettre::Message::builder()
                .from("jane@acme.example".parse().unwrap())
                .to("ann@a.example".parse().unwrap());
            let builder = WayOut::new(&tags, &from, &to, relay).add_to(builder);
            String::from_utf8(builder.body(String::new()).unwrap().formatted()).unwrap()
        };
        let way_out = tags.make_way_out("ann@a.example");
        let by_mail = format!(
            "List-Unsubscribe: <mailto:jane+x@xn--bcher-kva.example?subject=unsubscribe%20{way_out}>"
        );
        let alone = told(None);
        assert!(alone.contains(&format!("{by_mail}\r\n")), "{alone}");
        assert!(!alone.contains("List-Unsubscribe-Post"), "{alone}");
        let both = told(Some("https://relay.acme.example"));
        let page = format!("<https://relay.acme.example/unsubscribe/{way_out}>");
        assert!(
            both.contains(&format!("{by_mail},\r\n {page}\r\n")),
            "{both}"
        );
        assert!(
            both.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"),
            "{both}"
        );
    }
}
