//! What a command line may say: commands, their flags, and errors that name the known ones.
//!
//! By hand, because seven commands with four flags do not pay for a parser that everybody builds.

use std::fmt::{self, Write as _};
use std::process::ExitCode;

/// One command of `cargo xtask`.
pub(crate) struct Command {
    /// The word that calls it.
    pub(crate) name: &'static str,
    /// One line for the overview.
    pub(crate) summary: &'static str,
    /// The paragraph that `--help` prints above the flags.
    pub(crate) about: &'static str,
    /// The flags it knows.
    pub(crate) accepts: Accepts,
    /// Does it, and says with which status the process ends.
    pub(crate) run: fn(&Given) -> anyhow::Result<ExitCode>,
}

/// Whether a command reads its arguments or hands them to the binary it starts.
pub(crate) enum Accepts {
    /// These flags and nothing else.
    Flags(&'static [Flag]),
    /// One of these names, each with a line for the help. A name that ends in a word in capitals, as in
    /// `causes FILE`, takes a value.
    OneOf(&'static [(&'static str, &'static str)]),
    /// What the named binary reads, with the flags that it knows: what it does not know is refused here, before
    /// minutes of building. `tests/tests/flags.rs` holds both equal.
    PassedOnTo(&'static str, &'static [Flag]),
}

/// One flag of a command.
pub(crate) struct Flag {
    /// With its dashes: `--only`. In capitals, as `TARGET`, it is a word that stands by itself.
    pub(crate) name: &'static str,
    /// The name of its value in the help; `None` when it takes no value. `a|b` is one of these, `N` a whole number,
    /// `1..9` one from 1 to 9.
    pub(crate) value: Option<&'static str>,
    /// One line for the help.
    pub(crate) help: &'static str,
}

/// The arguments of one call, already checked against the command's flags.
#[derive(Debug, Default)]
pub(crate) struct Given {
    flags: Vec<(&'static str, String)>,
    name: Option<&'static str>,
    passed_on: Vec<String>,
}

impl Given {
    /// Whether the flag was given.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|(name, _)| *name == flag)
    }

    /// Every value that was given for the flag, in order.
    pub(crate) fn values(&self, flag: &str) -> Vec<&str> {
        self.flags
            .iter()
            .filter(|(name, _)| *name == flag)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The name that was given to a command that takes one.
    pub(crate) fn name(&self) -> Option<&'static str> {
        self.name
    }

    /// The arguments for the binary that the command starts, or the values behind a name.
    pub(crate) fn passed_on(&self) -> &[String] {
        &self.passed_on
    }
}

/// A command line that cannot be understood. It ends the process with status 2.
#[derive(Debug)]
pub(crate) struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

impl UsageError {
    /// The arguments do not fit together, in these words.
    pub(crate) fn new(words: &str) -> Self {
        Self(words.to_owned())
    }

    /// No command was given.
    pub(crate) fn no_command(known: &[Command]) -> Self {
        Self(format!("no command; known commands: {}", names(known)))
    }

    /// The command does not exist.
    pub(crate) fn unknown_command(name: &str, known: &[Command]) -> Self {
        Self(format!(
            "unknown command `{name}`; known commands: {}",
            names(known)
        ))
    }

    /// A flag's value is none of those that exist.
    pub(crate) fn unknown_value(flag: &str, value: &str, known: &[&str]) -> Self {
        Self(format!(
            "unknown value `{value}` of {flag}; known values: {}",
            known.join(", ")
        ))
    }
}

impl Command {
    /// Checks the arguments against the flags that the command knows.
    pub(crate) fn read(&self, words: &[String]) -> Result<Given, UsageError> {
        match self.accepts {
            Accepts::Flags(flags) => self.read_flags(words, flags),
            Accepts::OneOf(names) => self.read_name(words, names),
            Accepts::PassedOnTo(_, flags) => {
                let own = words.strip_prefix(&["--".to_owned()]).unwrap_or(words);
                let asks = own.iter().any(|word| word == "--help" || word == "-h");
                let mut given = if asks {
                    Given::default()
                } else {
                    self.read_flags(own, flags)?
                };
                given.passed_on = own.to_vec();
                Ok(given)
            }
        }
    }

    fn read_flags(&self, words: &[String], flags: &'static [Flag]) -> Result<Given, UsageError> {
        let mut given = Given::default();
        let mut words = words.iter();
        let by_itself = flags.iter().find(|flag| !flag.name.starts_with('-'));
        while let Some(word) = words.next() {
            if let Some(flag) = by_itself
                && !word.starts_with('-')
            {
                given.flags.push((flag.name, word.clone()));
                continue;
            }
            let (name, attached) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let flag = flags
                .iter()
                .find(|flag| flag.name == name)
                .ok_or_else(|| self.unknown_flag(word, flags))?;
            let value = match (flag.value, attached) {
                (None, None) => String::new(),
                (None, Some(_)) => {
                    return Err(UsageError(format!("{name} takes no value")));
                }
                (Some(_), Some(value)) => value,
                (Some(what), None) => words
                    .next()
                    .cloned()
                    .ok_or_else(|| UsageError(format!("{name} needs a value: {name} {what}")))?,
            };
            flag.check(&value)?;
            given.flags.push((flag.name, value));
        }
        Ok(given)
    }

    /// The text of `--help`.
    pub(crate) fn help(&self) -> String {
        let mut text = format!(
            "cargo xtask {}: {}\n\n{}\n",
            self.name, self.summary, self.about
        );
        match self.accepts {
            Accepts::Flags(flags) => text.push_str(&list(flags)),
            Accepts::OneOf(names) => {
                text.push_str("\nNames:\n");
                for (name, help) in names {
                    let _ = writeln!(text, "  {name:<16} {help}");
                }
            }
            Accepts::PassedOnTo(binary, flags) => {
                text.push_str(&list(flags));
                let _ = writeln!(
                    text,
                    "\nAll arguments go to the binary `{binary}`; \
                     `cargo xtask {} -- --help` builds it and prints its own help.",
                    self.name
                );
            }
        }
        text
    }

    fn read_name(
        &self,
        words: &[String],
        names: &'static [(&'static str, &'static str)],
    ) -> Result<Given, UsageError> {
        let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        let found = words.split_first().and_then(|(word, values)| {
            let is_meant = |name: &&&str| {
                let mut parts = name.split(' ');
                parts.next() == Some(word) && parts.count() == values.len()
            };
            let name = known.iter().find(is_meant)?;
            Some((name.split(' ').next()?, values))
        });
        let (name, values) = found.ok_or_else(|| {
            UsageError(format!(
                "`cargo xtask {}` takes one name; known: {}",
                self.name,
                known.join(", ")
            ))
        })?;
        Ok(Given {
            name: Some(name),
            passed_on: values.to_vec(),
            ..Given::default()
        })
    }

    fn unknown_flag(&self, word: &str, flags: &[Flag]) -> UsageError {
        let known: Vec<&str> = flags
            .iter()
            .map(|flag| flag.name)
            .chain(std::iter::once("--help"))
            .collect();
        UsageError(format!(
            "unknown argument `{word}` of `cargo xtask {}`; known: {}",
            self.name,
            known.join(", ")
        ))
    }
}

impl Flag {
    /// Refuses a value that it cannot have.
    fn check(&self, value: &str) -> Result<(), UsageError> {
        let what = self.value.unwrap_or_default();
        let refused = |expected: String| {
            let name = self.name;
            Err(UsageError(format!(
                "{name}: expected {expected}, found {value:?}"
            )))
        };
        let number = value.parse::<u64>().ok();
        if what == "N" && number.is_none() {
            return refused("a whole number".to_owned());
        }
        if let Some((from, to)) = what.split_once("..") {
            let is_within = |n: u64| {
                from.parse().is_ok_and(|from: u64| from <= n)
                    && to.parse().is_ok_and(|to: u64| n <= to)
            };
            if !number.is_some_and(is_within) {
                return refused(format!("a whole number from {from} to {to}"));
            }
        }
        if what.contains('|') && !what.split('|').any(|known| known == value) {
            return refused(format!("one of {}", what.replace('|', ", ")));
        }
        Ok(())
    }
}

/// Flags as `--help` has them.
fn list(flags: &[Flag]) -> String {
    let mut text = "\nFlags:\n".to_owned();
    for flag in flags {
        let shown = flag.value.map_or_else(
            || flag.name.to_owned(),
            |value| format!("{} {value}", flag.name),
        );
        let _ = writeln!(text, "  {shown:<16} {}", flag.help);
    }
    let _ = writeln!(text, "  {:<16} this text", "--help");
    text
}

/// What `cargo xtask --help` prints.
pub(crate) fn overview(commands: &[Command]) -> String {
    let mut text = "cargo xtask COMMAND\n\nCommands:\n".to_owned();
    for command in commands {
        let _ = writeln!(text, "  {:<8} {}", command.name, command.summary);
    }
    text.push_str("\n`cargo xtask COMMAND --help` says more.\n");
    text
}

fn names(commands: &[Command]) -> String {
    commands
        .iter()
        .map(|command| command.name)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: Command = Command {
        name: "test",
        summary: "runs the tests",
        about: "About.",
        accepts: Accepts::Flags(&[
            Flag {
                name: "--only",
                value: Some("NAME"),
                help: "one phase",
            },
            Flag {
                name: "--release",
                value: None,
                help: "optimised",
            },
        ]),
        run: |_| Ok(ExitCode::SUCCESS),
    };

    const PASSING: Command = Command {
        accepts: Accepts::PassedOnTo(
            "demo",
            &[
                Flag {
                    name: "--kills",
                    value: Some("N"),
                    help: "how often",
                },
                Flag {
                    name: "--leads",
                    value: Some("16..99"),
                    help: "how many",
                },
                Flag {
                    name: "--browser",
                    value: Some("none|firefox"),
                    help: "where",
                },
                Flag {
                    name: "--headless",
                    value: None,
                    help: "without a window",
                },
            ],
        ),
        ..COMMAND
    };

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_flag_and_its_values_are_read_in_both_spellings() {
        let given = COMMAND
            .read(&words("--only fmt --release --only=tidy"))
            .unwrap();
        assert_eq!(given.values("--only"), ["fmt", "tidy"]);
        assert!(given.has("--release"));
    }

    #[test]
    fn an_unknown_flag_names_the_known_ones() {
        let error = COMMAND.read(&words("--onyl fmt")).unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown argument `--onyl` of `cargo xtask test`; known: --only, --release, --help"
        );
    }

    #[test]
    fn a_flag_without_its_value_is_refused() {
        assert_eq!(
            COMMAND.read(&words("--only")).unwrap_err().to_string(),
            "--only needs a value: --only NAME"
        );
        assert_eq!(
            COMMAND
                .read(&words("--release=yes"))
                .unwrap_err()
                .to_string(),
            "--release takes no value"
        );
    }

    #[test]
    fn a_passing_command_passes_on_what_its_binary_knows_and_refuses_the_rest_before_it_is_built() {
        let passed = |text: &str| PASSING.read(&words(text)).map(|given| given.passed_on);
        assert_eq!(passed("-- --kills 4").unwrap(), ["--kills", "4"]);
        let all = "--kills=1 --leads 16 --browser firefox --headless";
        assert_eq!(passed(all).unwrap(), words(all));
        assert_eq!(passed("-- --help").unwrap(), ["--help"]);
        for (text, expected) in [
            (
                "--browsr none",
                "unknown argument `--browsr` of `cargo xtask test`; known: --kills, --leads, --browser, --headless, --help",
            ),
            (
                "chromium",
                "unknown argument `chromium` of `cargo xtask test`; known: --kills, --leads, --browser, --headless, --help",
            ),
            ("--kills", "--kills needs a value: --kills N"),
            (
                "--kills many",
                "--kills: expected a whole number, found \"many\"",
            ),
            (
                "--leads=15",
                "--leads: expected a whole number from 16 to 99, found \"15\"",
            ),
            (
                "--leads 100",
                "--leads: expected a whole number from 16 to 99, found \"100\"",
            ),
            (
                "-- --browser frefox",
                "--browser: expected one of none, firefox, found \"frefox\"",
            ),
            ("--headless=yes", "--headless takes no value"),
        ] {
            assert_eq!(passed(text).unwrap_err().to_string(), expected, "{text}");
        }
        let help = PASSING.help();
        assert!(help.contains("--browser none|firefox where"), "{help}");
    }

    #[test]
    fn a_name_must_be_one_of_the_known() {
        let command = Command {
            name: "bench",
            accepts: Accepts::OneOf(&[("extension", "sizes"), ("send FILE", "speed")]),
            ..COMMAND
        };
        let given = command.read(&words("extension")).unwrap();
        assert_eq!(
            (given.name(), given.passed_on()),
            (Some("extension"), &[][..])
        );
        let given = command.read(&words("send a.txt")).unwrap();
        assert_eq!(given.name(), Some("send"));
        assert_eq!(given.passed_on(), ["a.txt"]);
        for wrong in ["", "sizes", "send", "send a b", "extension a.txt"] {
            assert_eq!(
                command.read(&words(wrong)).unwrap_err().to_string(),
                "`cargo xtask bench` takes one name; known: extension, send FILE"
            );
        }
        assert!(command.help().contains("extension        sizes"));
    }

    #[test]
    fn help_lists_every_flag() {
        let help = COMMAND.help();
        for flag in ["--only NAME", "--release", "--help"] {
            assert!(help.contains(flag), "{flag} is missing in {help}");
        }
    }
}
