//! Signing in to SMTP (RFC 4954): XOAUTH2, PLAIN, LOGIN. lettre's own `auth` gives up at XOAUTH2's 334
//! and never reads the refusal, so the commands are ours. Keeping quiet what servers repeat is [`super`]'s.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::evidence::{Finding, Party, Said, Stage};
use protocol::reply::SmtpReply;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::AUTH_WITHIN;
use super::conversation::{Conversation, Line, said_of_unexpected};
use super::reading::Offer;
use crate::failure::Failure;
use crate::sign_in::SignIn;

/// Signs in by the first mechanism that both sides know and the server takes. What an access token is for never goes
/// on to a password.
pub(super) async fn sign_in(
    conversation: &mut Conversation,
    offer: &Offer,
    sign_in: &SignIn,
) -> Result<(), Failure> {
    match sign_in {
        SignIn::Bearer { .. } if offer.has_auth("XOAUTH2") => {
            xoauth2(conversation, &sign_in.encode()).await
        }
        SignIn::Bearer { .. } => Err(not_offered(offer, "XOAUTH2")),
        SignIn::Password { user, password } => {
            let (has_plain, has_login) = (offer.has_auth("PLAIN"), offer.has_auth("LOGIN"));
            if !has_plain && !has_login {
                return Err(not_offered(offer, "PLAIN or LOGIN"));
            }
            let mut refused = None;
            if has_plain {
                match plain(conversation, &sign_in.encode()).await {
                    Err(failure) if has_login && refuses_the_way(&failure) => {
                        refused = Some(failure);
                    }
                    answered => return answered,
                }
            }
            let answered = login(conversation, user, &encode(password.expose())).await;
            match (answered, refused) {
                // Neither is taken: the first refusal says so. A verdict on who signs in says more.
                (Err(failure), Some(refused))
                    if refuses_the_way(&failure) || !matches!(failure.said, Said::Smtp(_)) =>
                {
                    Err(refused)
                }
                (answered, _) => answered,
            }
        }
    }
}

/// Whether a refusal is of the mechanism and not of who signs in: 504 (RFC 4954 §4), or a command that is not known
/// (RFC 5321 §4.2.4).
fn refuses_the_way(failure: &Failure) -> bool {
    match &failure.said {
        Said::Smtp(reply) => {
            matches!(reply.code, 500..=504)
                || reply.is_permanent() && reply.text.to_ascii_lowercase().contains("mechanism")
        }
        _ => false,
    }
}

/// No server refused anything here, so this is no SMTP verdict.
fn not_offered(offer: &Offer, needed: &str) -> Failure {
    let offered = match offer.auth.as_slice() {
        [] => "no AUTH at all".to_owned(),
        mechanisms => format!("AUTH {}", mechanisms.join(" ")),
    };
    failed(Said::Found(Finding::NoSignInOffered {
        needed: format!("AUTH {needed}"),
        offered,
    }))
}

/// XOAUTH2 with its initial response
/// (<https://developers.google.com/workspace/gmail/imap/xoauth2-protocol>). A refused token is answered
/// with 334 and base64 of a JSON object; the client sends an empty line and only then is refused.
async fn xoauth2(conversation: &mut Conversation, response: &str) -> Result<(), Failure> {
    let reply = ask(conversation, &format!("AUTH XOAUTH2 {response}")).await?;
    if reply.code != 334 {
        return finish(reply);
    }
    let explained = explain_challenge(&reply.text);
    match ask(conversation, "").await {
        Ok(mut refusal) => {
            if let Some(words) = explained {
                refusal.text.push('\n');
                refusal.text.push_str(&words);
            }
            finish(refusal)
        }
        Err(Failure {
            said: Said::Io { fault, detail },
            ..
        }) => {
            let words = explained
                .map(|words| format!(" after {words}"))
                .unwrap_or_default();
            let detail = format!("{detail}{words}");
            Err(failed(Said::Io { fault, detail }))
        }
        Err(other) => Err(other),
    }
}

/// PLAIN with its initial response (RFC 4616 §2).
async fn plain(conversation: &mut Conversation, response: &str) -> Result<(), Failure> {
    finish(ask(conversation, &format!("AUTH PLAIN {response}")).await?)
}

/// LOGIN, which no RFC describes (draft-murchison-sasl-login §2): two questions, two answers.
async fn login(conversation: &mut Conversation, user: &str, password: &str) -> Result<(), Failure> {
    for answer in ["AUTH LOGIN", &encode(user)] {
        let reply = ask(conversation, answer).await?;
        if reply.code != 334 {
            return Err(failed(said_of_unexpected(reply, "334")));
        }
    }
    finish(ask(conversation, password).await?)
}

async fn ask(conversation: &mut Conversation, line: &str) -> Result<SmtpReply, Failure> {
    let line = Line(line.to_owned());
    conversation.ask(line, Stage::Auth, AUTH_WITHIN).await
}

fn finish(reply: SmtpReply) -> Result<(), Failure> {
    if reply.is_positive() {
        return Ok(());
    }
    Err(failed(said_of_unexpected(reply, "2yz")))
}

fn failed(said: Said) -> Failure {
    Failure::new(Party::Smtp, Stage::Auth, said)
}

fn encode(text: &str) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(text))
}

/// What a 334 of XOAUTH2 carries; each server fills some of it.
#[derive(Deserialize)]
struct Challenge {
    status: Option<String>,
    schemes: Option<String>,
    scope: Option<String>,
}

/// The words of the challenge; `None` where it is not the JSON object it should be.
fn explain_challenge(text: &str) -> Option<String> {
    let json = STANDARD.decode(text.trim()).ok()?;
    let challenge: Challenge = serde_json::from_slice(&json).ok()?;
    let parts = [
        ("status", challenge.status),
        ("schemes", challenge.schemes),
        ("scope", challenge.scope),
    ];
    let named: Vec<String> = parts
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", value?.escape_debug())))
        .collect();
    if named.is_empty() {
        None
    } else {
        Some(named.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_explained_only_where_it_explains() {
        let google =
            encode(r#"{"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}"#);
        let dovecot = encode(r#"{"status":"invalid_token"}"#);
        for (text, expected) in [
            (
                google.as_str(),
                Some("status 401, schemes bearer mac, scope https://mail.google.com/"),
            ),
            (dovecot.as_str(), Some("status invalid_token")),
            ("e30=", None),
            ("not base64", None),
            ("", None),
        ] {
            assert_eq!(explain_challenge(text).as_deref(), expected, "{text}");
        }
    }
}
