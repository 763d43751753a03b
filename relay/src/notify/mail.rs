//! Alerts by mail: through a server of their own, because the inbox that is lost mails nothing. Each recipient is a
//! channel, so that one whose server refuses keeps nobody else waiting.

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, MessageBuilder};
use protocol::alert::Alert;
use protocol::inbox::Address;
use protocol::timestamp::Timestamp;

use super::{Answer, Channel, Way};
use crate::config::notify::{self, Notify};
use crate::sign_in::SignIn;
use crate::smtp::{Envelope, Outcome, Session};
use crate::tls::Dialer;

/// Inboxes that one mail names.
const NAMED_AT_MOST: usize = 50;

/// One recipient.
#[derive(Debug)]
pub(super) struct Mail {
    config: notify::Mail,
    to: Address,
}

pub(super) fn list_channels(config: &Notify) -> Vec<Channel> {
    let Some(mail) = &config.mail else {
        return Vec::new();
    };
    let channel = |to: &Address| Channel {
        name: format!("mail:{}", to.as_str().to_lowercase()),
        target: format!("{to} by {}", mail.server),
        gathers: Some(mail.gather),
        way: Way::Mail(Box::new(Mail {
            config: mail.clone(),
            to: to.clone(),
        })),
    };
    mail.to.iter().map(channel).collect()
}

impl Mail {
    pub(super) async fn tell(
        &self,
        dialer: &Dialer,
        alerts: &[Alert],
        relay: &str,
        now: Timestamp,
    ) -> Answer {
        let not_taken = |words: String| Answer::NotTaken {
            words,
            retry_after: None,
        };
        let message = match compose(&self.config.from, &self.to, alerts, relay, now) {
            Ok(message) => message,
            Err(words) => return not_taken(words),
        };
        let sign_in = SignIn::Password {
            user: self.config.user.clone(),
            password: self.config.password.clone(),
        };
        let hello = self.config.from.domain();
        let server = &self.config.server;
        let session = Box::pin(Session::open(dialer, server, hello, &sign_in)).await;
        let mut session = match session {
            Ok(session) => session,
            Err(failure) => return not_taken(failure.said.to_string()),
        };
        let envelope = Envelope {
            from: self.config.from.clone(),
            to: self.to.clone(),
        };
        let outcome = Box::pin(session.send(&envelope, &message)).await;
        session.quit().await;
        match outcome {
            Outcome::Accepted { reply } => Answer::Taken {
                words: format!("{} {}", reply.code, reply.text),
            },
            Outcome::Refused { reply, .. } => not_taken(format!("{} {}", reply.code, reply.text)),
            Outcome::Unsendable { words, .. } => not_taken(words),
            Outcome::NotHandedOver(failure) | Outcome::InDoubt(failure) => {
                not_taken(failure.said.to_string())
            }
        }
    }
}

/// The message that tells these. Its id is that of the first and of how many there are: the same message has the same id
/// at every try, and one that tells more is another.
fn compose(
    from: &Address,
    to: &Address,
    alerts: &[Alert],
    relay: &str,
    now: Timestamp,
) -> Result<Vec<u8>, String> {
    let Some(first) = alerts.first() else {
        return Err("there is nothing to tell".to_owned());
    };
    let n_others = alerts.len() - 1;
    let id = match n_others {
        0 => first.key.clone(),
        _ => format!("{}.{}", first.key, alerts.len()),
    };
    let keys: Vec<&str> = alerts.iter().map(|alert| alert.key.as_str()).collect();
    let words = first.words();
    let subject = match n_others {
        0 => words.title.clone(),
        1 => format!("{}, and one more", words.title),
        n => format!("{}, and {n} more", words.title),
    };
    let mailbox = |address: &Address| {
        let parsed = address.as_str().parse();
        parsed
            .map(|parsed| Mailbox::new(None, parsed))
            .map_err(|_| format!("{address} is no address that mail can be written for"))
    };
    let ms = u64::try_from(now.as_ms()).unwrap_or(0);
    let message = MessageBuilder::new()
        .from(mailbox(from)?)
        .to(mailbox(to)?)
        .subject(format!("[Unpause] {}", in_a_line(&subject)))
        .date(std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms))
        .message_id(Some(format!("<{id}@{}>", from.domain())))
        .header(AutoSubmitted)
        .header(Keys(keys.join(" ")))
        .header(MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN)
        .body(render(alerts, &words, relay))
        .map_err(|error| error.to_string())?;
    Ok(message.formatted())
}

/// What stands in it: the true cause, the one thing to do and where.
fn render(alerts: &[Alert], words: &protocol::alert::Words, relay: &str) -> String {
    let mut lines = Vec::new();
    match alerts {
        [one] => {
            lines.push(format!("{}.", words.title));
            lines.push(words.explanation.clone());
            lines.push(format!("At {}.", instant(one.at)));
        }
        many => {
            lines.push(format!("{} alerts of one kind:", many.len()));
            let named = many.iter().take(NAMED_AT_MOST);
            let named = named.map(|one| format!("- {}, at {}", one.words().title, instant(one.at)));
            lines.push(named.collect::<Vec<_>>().join("\n"));
            if many.len() > NAMED_AT_MOST {
                lines.push(format!("And {} more.", many.len() - NAMED_AT_MOST));
            }
            lines.push(format!("Of the first: {}", words.explanation));
        }
    }
    let link = format!("{relay}{}", words.page);
    match &words.remedy {
        Some(remedy) => lines.push(format!("What to do: {remedy}\n{link}")),
        None => lines.push(format!("Nothing has to be done.\n{link}")),
    }
    lines.push(format!("-- \nThe Unpause relay at {relay}"));
    lines
        .iter()
        .map(|text| clean(text))
        .collect::<Vec<_>>()
        .join("\n\n")
        + "\n"
}

/// An instant as people read it.
fn instant(at: Timestamp) -> String {
    let text = at.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {} UTC", time.get(..5).unwrap_or(time))
}

/// Line ends aside, without control characters: a campaign may be called anything.
fn clean(text: &str) -> String {
    let clean = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    text.chars().map(clean).collect()
}

fn in_a_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

/// RFC 3834 §5: nobody answers by a machine what a machine wrote.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The keys of all that it tells, parted by spaces: whoever reads by machine knows what was told before.
#[derive(Clone)]
struct Keys(String);

impl Header for Keys {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Unpause-Alerts")
    }

    fn parse(keys: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(keys.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use protocol::alert::{About, What};
    use protocol::cause::Cause;
    use protocol::id::{CampaignId, InboxId};
    use protocol::provider::ProviderId;

    use super::*;

    fn lost(n: usize) -> Alert {
        let at = Timestamp::from_ms(1_796_029_920_000);
        let what = What::Disconnected {
            cause: Cause::PermissionEnded,
            since: at,
            paused: 2,
        };
        Alert {
            key: Alert::key_of(&what, &format!("inb_{n}"), at),
            at,
            inbox: Some(About {
                id: InboxId::new(format!("inb_{n}")),
                address: format!("jane{n}@acme.example"),
                provider: ProviderId::new("google"),
            }),
            what,
        }
    }

    fn written(alerts: &[Alert]) -> String {
        let (from, to) = ("relay@acme.example", "ops@acme.example");
        let now = Timestamp::from_ms(1_796_029_930_000);
        let relay = "http://127.0.0.1:7411";
        let bytes = compose(
            &from.parse().unwrap(),
            &to.parse().unwrap(),
            alerts,
            relay,
            now,
        );
        // Long lines are broken so (RFC 2045 §6.7).
        String::from_utf8(bytes.unwrap())
            .unwrap()
            .replace("=\r\n", "")
    }

    #[test]
    fn one_loss_is_told_with_its_cause_the_one_thing_to_do_and_where() {
        let text = written(&[lost(1)]);
        for part in [
            "Subject: [Unpause] jane1@acme.example",
            "Auto-Submitted: auto-generated\r\n",
            "Message-ID: <disconnected_inb_1_1796029920000@acme.example>\r\n",
            "What to do: Reconnect with Google.",
            "http://127.0.0.1:7411/inboxes",
            "2 campaigns wait; nothing is lost.",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(text, written(&[lost(1)]), "the same at every try");
    }

    #[test]
    fn many_of_one_cause_are_told_in_one_and_its_id_says_how_many() {
        let all: Vec<Alert> = (1..=60).map(lost).collect();
        let text = written(&all);
        assert!(
            text.contains("Message-ID: <disconnected_inb_1_1796029920000.60@"),
            "{text}"
        );
        assert!(text.contains("and 59 more"), "{text}");
        assert!(text.contains("- jane50@acme.example"), "{text}");
        assert!(
            !text.contains("jane51@") && text.contains("And 10 more."),
            "{text}"
        );
        // A folded line is one line (RFC 5322 §2.2.3).
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.lines().all(|line| line.len() < 998), "{head}");
        let unfolded = head.replace("\r\n ", " ");
        let mut headers = unfolded.lines();
        let keys = headers
            .find_map(|line| line.strip_prefix("X-Unpause-Alerts: "))
            .unwrap();
        let expected: Vec<&str> = all.iter().map(|alert| alert.key.as_str()).collect();
        let found: Vec<&str> = keys.split_whitespace().collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_name_with_line_ends_makes_no_header() {
        let mut alert = lost(1);
        alert.what = What::Finished {
            campaign: CampaignId::new("cmp_1"),
            name: "Warm\r\nBcc: all@acme.example\r\n\r\nHello".to_owned(),
            leads: 1,
            accepted: 1,
        };
        let text = written(&[alert]);
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            !head
                .lines()
                .any(|line| line.to_lowercase().starts_with("bcc:")),
            "{head}"
        );
    }
}
