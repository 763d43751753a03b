//! Why a delivery is not sent although nothing failed. Each reason is a file and a line here: its code, what it means,
//! what a person reads, and whether it can be taken back. Who gives one, and when, is the relay's.

use serde::{Deserialize, Serialize};

/// A reason as its file defines it.
struct Reason {
    /// What a person reads of such a delivery.
    words: &'static str,
    /// It stands for what an earlier step met, and goes when that turns out not to be the lead's.
    goes_back: bool,
}

macro_rules! suppressions {
    ($($file:ident => $variant:ident: $meaning:literal,)*) => {
        $(mod $file;)*

        /// Why a delivery is not sent although nothing failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum Suppression {
            $(
                #[doc = $meaning]
                $variant,
            )*
        }

        /// Every reason, in the order of the list.
        pub static SUPPRESSIONS: &[Suppression] = &[$(Suppression::$variant,)*];

        impl Suppression {
            fn reason(self) -> &'static Reason {
                match self {
                    $(Self::$variant => &$file::REASON,)*
                }
            }

            /// The reason's name on the wire and in rows.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($file),)*
                }
            }
        }

        /// What the list and the file of each reason say that it means.
        #[cfg(test)]
        static MEANINGS: &[(&str, &str)] = &[$(
            ($meaning, include_str!(concat!("suppression/", stringify!($file), ".rs"))),
        )*];
    };
}

// One line for each reason: the file's name is its code, and what it means stands in the API as here.
suppressions! {
    replied => Replied: "The lead answered.",
    bounced => Bounced: "An earlier step bounced.",
    complained => Complained: "The lead reported a message as abuse (RFC 5965).",
    rejected => Rejected: "An earlier step was refused.",
    person => Person: "A person ended the lead.",
    unsubscribed => Unsubscribed: "The lead asked not to be written to any more.",
}

impl Suppression {
    /// The reason of that code.
    pub fn parse(code: &str) -> Option<Self> {
        SUPPRESSIONS.iter().copied().find(|why| why.code() == code)
    }

    /// What a person reads of a delivery that is not sent for this reason.
    pub fn words(self) -> &'static str {
        self.reason().words
    }

    /// Whether it stands for what an earlier step met, and goes when that turns out not to be the lead's.
    pub fn goes_back(self) -> bool {
        self.reason().goes_back
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_reason_keeps_its_code_on_the_wire_and_in_rows() {
        for why in SUPPRESSIONS {
            assert_eq!(serde_json::to_value(why).unwrap(), why.code());
            assert_eq!(Suppression::parse(why.code()), Some(*why));
        }
        assert_eq!(Suppression::parse("Replied"), None);
    }

    #[test]
    fn a_reason_means_in_the_api_what_its_file_says_and_reads_like_no_other() {
        for (meaning, file) in MEANINGS {
            let first = file.lines().next().unwrap_or_default();
            assert_eq!(first.strip_prefix("//! "), Some(*meaning));
        }
        let words: BTreeSet<_> = SUPPRESSIONS.iter().map(|why| why.words()).collect();
        assert_eq!(words.len(), SUPPRESSIONS.len());
        assert_eq!(MEANINGS.len(), SUPPRESSIONS.len());
    }
}
