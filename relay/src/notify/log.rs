//! The channel that is always there: the relay's own log.

use protocol::alert::{Alert, What};

use super::Answer;

pub(super) fn tell(alerts: &[Alert]) -> Answer {
    for alert in alerts {
        let words = alert.words();
        let (inbox, key) = (alert.subject(), alert.key.as_str());
        let cause = alert.what.cause().map(protocol::cause::Cause::code);
        match &alert.what {
            What::AnotherRelay {} => {
                tracing::error!(alert = key, "{}. {}", words.title, words.explanation);
            }
            what if what.is_bad() => {
                tracing::warn!(alert = key, %inbox, cause, at = %alert.at, "{}. {}", words.title, words.explanation);
            }
            _ => {
                tracing::info!(alert = key, at = %alert.at, "{}. {}", words.title, words.explanation);
            }
        }
    }
    Answer::Taken {
        words: "written".to_owned(),
    }
}
