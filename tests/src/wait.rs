//! Waiting until something holds: the only loop of the tests that has a timer.
//!
//! Level-triggered: the condition is asked again and again, so that nothing is missed between
//! two looks. There is no plain sleep here, and none may be added elsewhere.

use std::time::Duration;

/// How long to rest between two looks at a condition.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// A condition did not hold in time.
#[derive(Debug, thiserror::Error)]
#[error("waited {within:?} in vain for {what}")]
pub struct TimedOut {
    /// What was waited for, in the caller's words.
    pub what: String,
    /// How long.
    pub within: Duration,
}

/// The value that `condition` gives as soon as it gives one, or [`TimedOut`] after `within`.
pub async fn wait_for<T>(
    what: &str,
    mut condition: impl AsyncFnMut() -> Option<T>,
    within: Duration,
) -> Result<T, TimedOut> {
    let looks = async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    };
    tokio::time::timeout(within, looks)
        .await
        .map_err(|_| TimedOut {
            what: what.to_owned(),
            within,
        })
}

/// The same for code that cannot be `async`, which is only `Drop`.
/// `within` counts the rests, not the time that `condition` takes.
pub(crate) fn wait_in_drop<T>(
    mut condition: impl FnMut() -> Option<T>,
    within: Duration,
) -> Option<T> {
    let n_looks = within.as_millis() / BETWEEN_LOOKS.as_millis();
    for _ in 0..n_looks {
        if let Some(found) = condition() {
            return Some(found);
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the wait loop is the one that may rest"
        )]
        std::thread::sleep(BETWEEN_LOOKS);
    }
    condition()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_the_value_of_the_first_look_that_has_one() {
        let mut n_looks = 0;
        let look = async || {
            n_looks += 1;
            (n_looks == 3).then_some("here")
        };
        assert_eq!(
            wait_for("it", look, Duration::from_secs(1)).await.unwrap(),
            "here"
        );
    }

    #[tokio::test]
    async fn names_what_it_waited_for() {
        let missed = wait_for("the tide", async || None::<()>, Duration::from_millis(20))
            .await
            .unwrap_err();
        assert_eq!(missed.to_string(), "waited 20ms in vain for the tide");
    }
}
