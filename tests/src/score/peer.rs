//! A conversation with a server: played against the real adapters, IMAP as far as reading goes, SMTP as far as one
//! message goes. What is expected stands in the table in words; the words that are read are named here.

use protocol::card::Persistence;
use protocol::cause::classify;
use protocol::evidence::Said;
use protocol::provider::ProviderId;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use relay::failure::Failure;
use relay::imap::{self, Folder, find_sent_folder};
use relay::sign_in::SignIn;
use relay::smtp::reading::find_wire_id;
use relay::smtp::{self, Envelope};

use super::Outcome;
use super::player::Player;

pub(super) async fn play(file: &str, bytes: &[u8], expected: &str) -> anyhow::Result<Outcome> {
    let script = std::str::from_utf8(bytes)?;
    let player = Player::start(script).await?;
    let dialer = player.dialer()?;
    let sign_in = SignIn::Password {
        user: super::world::JANE.to_owned(),
        password: Secret::new("correct horse"),
    };
    let expected = expected.to_lowercase();
    if file.starts_with("smtp") {
        let met = talk_smtp(&dialer, &player, &sign_in).await?;
        let ended = player.finish().await;
        return Ok(judge_smtp(met.as_ref(), &ended, &expected));
    }
    let mut met = Met::default();
    let failure = talk_imap(&dialer, &player, &sign_in, &mut met).await.err();
    let ended = player.finish().await;
    Ok(judge_imap(&met, failure, &ended, &expected))
}

/// What reading met before it ended.
#[derive(Debug, Default)]
struct Met {
    is_open: bool,
    sent_folder: bool,
    uid_next: Option<u32>,
    read: Vec<u32>,
}

async fn talk_imap(
    dialer: &relay::tls::Dialer,
    player: &Player,
    sign_in: &SignIn,
    met: &mut Met,
) -> Result<(), Failure> {
    let mut session = imap::Session::open(dialer, &player.server, sign_in).await?;
    met.is_open = true;
    met.sent_folder = find_sent_folder(&session.list_folders().await?).is_some();
    met.uid_next = Some(session.examine(&Folder::inbox()).await?.uid_next);
    let uids = session.list_uids(1).await?;
    let headers = session.fetch_headers_of(&uids).await?;
    met.read = headers.iter().map(|header| header.uid).collect();
    session.logout().await;
    Ok(())
}

fn judge_imap(
    met: &Met,
    failure: Option<Failure>,
    ended: &anyhow::Result<()>,
    expected: &str,
) -> Outcome {
    let words = match (&failure, ended) {
        (Some(failure), _) => format!("{failure:?}"),
        (None, Err(error)) => format!("{met:?}; {error:#}"),
        (None, Ok(())) => format!("{met:?}"),
    };
    let is_expected = if expected.contains("101 and 102 are read") {
        met.read == [101, 102]
    } else if expected.contains("101 is read") {
        // Reading the other one as well is no less than passing it over.
        failure.is_none() && met.read.first() == Some(&101)
    } else if expected.contains("no imap server") {
        failure.is_some_and(is_lasting)
    } else if expected.contains("sent is found") {
        met.sent_folder
    } else if expected.contains("says id") {
        met.sent_folder && ended.is_ok()
    } else if expected.contains("next way") {
        met.is_open
    } else if expected.contains("inbox is read all the same") {
        failure.is_none() && !met.read.is_empty()
    } else if expected.contains("arrives later is read") {
        // The worker reads from where the folder says the next message will be: 0 is no such place.
        met.uid_next.is_some_and(|next| next > 0)
    } else {
        return Outcome::new(format!("no rule reads this expectation; {words}"), false);
    };
    Outcome::new(words, is_expected)
}

/// Whether it is told at once, and not tried again without a word.
fn is_lasting(failure: Failure) -> bool {
    let evidence = failure.at(ProviderId::new("imap"), Timestamp::from_ms(0));
    classify(&evidence).card().persistence == Persistence::Permanent
}

/// How a submission ended: the failure of the sign-in, or the outcome of one message.
type Submitted = Result<smtp::Outcome, Failure>;

async fn talk_smtp(
    dialer: &relay::tls::Dialer,
    player: &Player,
    sign_in: &SignIn,
) -> anyhow::Result<Option<Submitted>> {
    let mut session =
        match smtp::Session::open(dialer, &player.server, "relay.example", sign_in).await {
            Ok(session) => session,
            Err(failure) => return Ok(Some(Err(failure))),
        };
    let envelope = Envelope {
        from: super::world::JANE.parse()?,
        to: "ann@a.example".parse()?,
    };
    let message = b"Message-ID: <one@acme.example>\r\nSubject: Hello\r\n\r\nHi\r\n";
    // A script that is over after the sign-in hears no message.
    let outcome = if player.hears_data {
        Some(Ok(session.send(&envelope, message).await))
    } else {
        None
    };
    session.quit().await;
    Ok(outcome)
}

fn judge_smtp(met: Option<&Submitted>, ended: &anyhow::Result<()>, expected: &str) -> Outcome {
    let words = match ended {
        Ok(()) => format!("{met:?}"),
        Err(error) => format!("{met:?}; {error:#}"),
    };
    let wire_id = match met {
        Some(Ok(smtp::Outcome::Accepted { reply })) => Some(find_wire_id(reply)),
        _ => None,
    };
    let is_expected = if expected.contains("no id of the server") {
        wire_id == Some(None)
    } else if expected.contains("server's id") {
        matches!(wire_id, Some(Some(_)))
    } else if expected.contains("next way") {
        !matches!(met, Some(Err(_)))
    } else if expected.contains("last line") {
        matches!(met, Some(Err(failure)) if matches!(&failure.said, Said::Smtp(reply) if reply.code == 521))
    } else {
        return Outcome::new(format!("no rule reads this expectation; {words}"), false);
    };
    Outcome::new(words, is_expected)
}
