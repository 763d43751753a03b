//! What the browsers say when `identity.launchWebAuthFlow` ends without an answer. They speak in sentences, so
//! they are told apart by a word that each of them keeps.

/// How a window ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowEnd {
    /// The person closed it, or said no in it.
    Closed,
    /// It did not open, could not load the page, or may not ask: another way may do.
    Failed {
        /// The browser's words.
        words: String,
    },
}

/// Reads the browser's words.
pub fn read(words: &str) -> WindowEnd {
    // "User interaction required." (Chromium) and "Requires user interaction" (Firefox) speak of a silent visit.
    let is_silent = words.contains("nteraction");
    // "The user did not approve access." (Chromium), "User cancelled or denied access." (Firefox).
    let is_closed = ["did not approve", "cancelled", "denied"]
        .iter()
        .any(|word| words.contains(word));
    if is_closed && !is_silent {
        WindowEnd::Closed
    } else {
        WindowEnd::Failed {
            words: words.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observed with Chromium 156 and Firefox ESR 153 on 2026-11-23.
    #[test]
    fn what_the_browsers_say_is_told_apart() {
        for (words, is_closed) in [
            ("The user did not approve access.", true),
            ("User cancelled or denied access.", true),
            ("Authorization page could not be loaded.", false),
            ("redirect_uri not allowed", false),
            ("Only one web auth flow is allowed at a time.", false),
            ("Requires user interaction", false),
            (
                "User interaction required. Try setting `abortOnLoadForNonInteractive` and `timeoutMsForNonInteractive`",
                false,
            ),
            ("this browser has no identity.launchWebAuthFlow", false),
            ("The user said nothing that is known", false),
        ] {
            let expected = if is_closed {
                WindowEnd::Closed
            } else {
                WindowEnd::Failed {
                    words: words.to_owned(),
                }
            };
            assert_eq!(read(words), expected, "{words}");
        }
    }
}
