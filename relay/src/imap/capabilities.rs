//! What a server says it can do (RFC 9051 §7.2.2).

use std::collections::BTreeSet;

use super::reading::Code;
use super::wire::Told;

/// The capabilities a server names, in capitals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Capabilities(BTreeSet<String>);

impl Capabilities {
    /// Whether the server names this one, given in capitals.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// The number that a capability names, as in `MESSAGELIMIT=1000`.
    pub(super) fn find_number(&self, name: &str) -> Option<usize> {
        let numbers = self.0.iter().filter_map(|told| {
            let number = told.strip_prefix(name)?.strip_prefix('=')?;
            number.parse().ok().filter(|number| *number > 0)
        });
        numbers.min()
    }

    /// The ways to sign in, as words of a sentence.
    pub(super) fn sign_ins(&self) -> String {
        let offered = self
            .0
            .iter()
            .filter(|name| name.starts_with("AUTH=") || *name == "LOGINDISABLED");
        let offered: Vec<_> = offered.map(String::as_str).collect();
        if offered.is_empty() {
            "no AUTH=".to_owned()
        } else {
            offered.join(", ")
        }
    }

    /// Those that stand in a response code, where it is that code.
    pub(super) fn find_in_code(code: Option<&Code>) -> Option<Self> {
        let code = code.filter(|code| code.name == "CAPABILITY")?;
        Some(
            code.arguments
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
        )
    }

    /// Those that stand in what the server tells beside the end of a command.
    pub(super) fn find_in(told: &Told) -> Option<Self> {
        match told {
            Told::Code(code) => Self::find_in_code(Some(code)),
            Told::Data(data) => (data.kind == "CAPABILITY").then(|| data.words().collect()),
        }
    }
}

impl FromIterator<String> for Capabilities {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Self(
            names
                .into_iter()
                .map(|name| name.to_ascii_uppercase())
                .collect(),
        )
    }
}
