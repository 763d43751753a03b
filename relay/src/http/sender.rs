//! How inboxes present themselves: showing it, and changing it at any time.

use protocol::request::sender::{GetSender, SenderOf, UpdateSender};
use protocol::sender::{NAME_CHARS_MAX, SIGNATURE_BYTES_MAX, Sender};

use super::{Context, Serve, ServeError};
use crate::store::inbox::Inbox;
use crate::text::field::{find_hidden, is_unseen};

impl Serve for GetSender {
    async fn serve(self, context: Context) -> Result<SenderOf, ServeError> {
        let inbox = context.sight().inbox(&self.inbox_id).await?;
        Ok(view(inbox.into_inner()))
    }
}

impl Serve for UpdateSender {
    async fn serve(self, context: Context) -> Result<SenderOf, ServeError> {
        let app = context.app()?;
        let inbox = app.store.load_inbox(&self.inbox_id).await?;
        let sender = read_sender(self.sender)?;
        app.store.update_sender(&inbox.id, &sender).await?;
        Ok(view(Inbox { sender, ..inbox }))
    }
}

fn view(inbox: Inbox) -> SenderOf {
    SenderOf {
        inbox_id: inbox.id,
        address: inbox.address,
        sender: inbox.sender,
    }
}

/// A sender as it can stand in a message; what is empty says nothing.
pub(super) fn read_sender(told: Sender) -> Result<Sender, ServeError> {
    let told_text = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let name = told_text(told.name).map(|name| name.trim().to_owned());
    if let Some(name) = &name {
        let n_chars = name.chars().count();
        if n_chars > NAME_CHARS_MAX {
            let detail =
                format!("expected a name of at most {NAME_CHARS_MAX} characters, found {n_chars}");
            return Err(ServeError::invalid("sender.name", detail));
        }
        let breaks = |c: &char| matches!(c, '\n' | '\r' | '\t') || is_unseen(*c);
        let hidden = name.chars().find(breaks).or_else(|| find_hidden(name));
        if let Some(found) = hidden {
            let detail = format!(
                "expected a name of characters that are seen, on one line, found {}",
                found.escape_unicode()
            );
            return Err(ServeError::invalid("sender.name", detail));
        }
    }
    let signature = |field: &str, text: Option<String>| {
        let text = told_text(text);
        let Some(told) = &text else { return Ok(None) };
        if told.len() > SIGNATURE_BYTES_MAX {
            let found = told.len();
            let detail = format!("expected at most {SIGNATURE_BYTES_MAX} bytes, found {found}");
            return Err(ServeError::invalid(field, detail));
        }
        if let Some(found) = find_hidden(told) {
            let detail = format!(
                "expected characters that are seen, found {}",
                found.escape_unicode()
            );
            return Err(ServeError::invalid(field, detail));
        }
        Ok(text)
    };
    Ok(Sender {
        name,
        reply_to: told.reply_to,
        signature: signature("sender.signature", told.signature)?,
        signature_html: signature("sender.signature_html", told.signature_html)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_stand_in_a_message_is_refused_at_its_field() {
        let named = |name: &str| Sender {
            name: Some(name.to_owned()),
            ..Sender::default()
        };
        let signed = |signature: String| Sender {
            signature: Some(signature),
            ..Sender::default()
        };
        for (sender, field) in [
            (named("Jane\r\nBcc: all@acme.example"), "sender.name"),
            (named("Jane\nDoe"), "sender.name"),
            (named("Jane\u{2028}Doe"), "sender.name"),
            (named("Jane\u{0}"), "sender.name"),
            (named("enaJ\u{202E}"), "sender.name"),
            (named(&"x".repeat(NAME_CHARS_MAX + 1)), "sender.name"),
            (signed("a\u{1B}[31m".to_owned()), "sender.signature"),
            (
                signed("x".repeat(SIGNATURE_BYTES_MAX + 1)),
                "sender.signature",
            ),
        ] {
            let Err(ServeError::Refused(problem)) = read_sender(sender.clone()) else {
                panic!("{sender:?}")
            };
            assert_eq!(problem.field.as_deref(), Some(field), "{sender:?}");
        }
        let kept = read_sender(named(" Jürgen \"J\" Müller, CEO ")).unwrap();
        assert_eq!(kept.name.as_deref(), Some("Jürgen \"J\" Müller, CEO"));
        assert!(read_sender(named(" ")).unwrap().is_none());
        assert!(read_sender(signed("Jane\r\nAcme\tUlm".to_owned())).is_ok());
        assert!(read_sender(named(&"ü".repeat(NAME_CHARS_MAX))).is_ok());
    }
}
