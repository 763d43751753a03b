//! One row of the table of refusals: its data, what is met when it is played, and the page that shows
//! them all. The rows themselves stand beside this file, by subject.

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;

use anyhow::Result;

use crate::declared::Declared;
use crate::home::Home;
use crate::stage::Stage;

/// Something that happens over time.
pub(crate) type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

/// Something that is done to a home folder.
pub(crate) type Change = for<'a> fn(&'a Home) -> Pending<'a, ()>;

/// One refusal.
pub(crate) struct Row {
    /// What is wrong.
    pub(crate) case: &'static str,
    /// How it is provoked.
    pub(crate) how: How,
    /// The HTTP status and code of the problem, or the exit status of the command.
    pub(crate) code: &'static str,
    /// The field and the row at fault; empty where there is none.
    pub(crate) place: &'static str,
    /// The words shown, all of them. `…` stands for what differs from run to run or grows with the product.
    pub(crate) words: &'static str,
}

/// How a refusal is provoked.
pub(crate) enum How {
    /// A lead list of this content for the draft, by the command line and by the API: both say the same.
    Import(&'static [u8]),
    /// A file of this content with the steps of a new campaign, by the command line.
    Steps(&'static str),
    /// A command of the operator. `{draft}` and its like stand for what the stage has.
    Command(&'static [&'static str]),
    /// One request to the API.
    Ask(Ask),
    /// A process in a home folder of its own.
    Alone(Alone),
    /// What none of these can say, with its telling.
    Scene(&'static str, for<'a> fn(&'a Stage) -> Pending<'a, Met>),
}

/// One request.
pub(crate) struct Ask {
    /// Method and path.
    pub(crate) line: &'static str,
    /// Who asks.
    pub(crate) who: Who,
    /// The `Host`, where it is not the relay's own.
    pub(crate) host: Option<&'static str>,
    /// The body: JSON, or what claims to be.
    pub(crate) body: Content,
}

/// A body.
pub(crate) enum Content {
    /// This text.
    Text(&'static str),
    /// A JSON object of about so many bytes.
    Bytes(usize),
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The operator.
    Operator,
    /// A paired device.
    Device,
    /// Somebody with a token that the relay never gave.
    Stranger,
    /// Somebody without a token.
    Nobody,
}

/// A process in a home folder of its own.
pub(crate) struct Alone {
    /// The command, as in `serve`.
    pub(crate) arguments: &'static [&'static str],
    /// Its `unpause.toml`; `{taken}` is an address on which another program listens.
    pub(crate) config: &'static str,
    /// A variable and its value.
    pub(crate) variable: Option<(&'static str, &'static str)>,
    /// What was there before.
    pub(crate) before: Before,
    /// What was done to the folder then, in words and in fact.
    pub(crate) then: Option<(&'static str, Change)>,
}

/// What was there before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing but the configuration.
    Nothing,
    /// A relay that was stopped in order.
    Ran,
    /// A relay that was killed.
    Killed,
    /// A relay that still runs.
    Runs,
}

/// A refusal as it was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Met {
    /// As in [`Row::code`].
    pub(crate) code: String,
    /// As in [`Row::place`].
    pub(crate) place: String,
    /// As in [`Row::words`].
    pub(crate) words: String,
}

impl Met {
    /// What a command wrote to standard error, which is one line.
    pub(crate) fn of_command(status: Option<i32>, line: &str) -> Result<Self> {
        let words = line
            .strip_suffix('\n')
            .filter(|line| !line.contains('\n'))
            .and_then(|line| line.strip_prefix("unpause: "));
        let Some(words) = words else {
            anyhow::bail!("expected one line that begins with \"unpause: \", found {line:?}");
        };
        let code = status.map_or_else(|| "killed".to_owned(), |status| format!("exit {status}"));
        // What stands in brackets at the end is the place of a problem.
        let (words, place) = words
            .strip_suffix(')')
            .and_then(|words| words.rsplit_once(" ("))
            .filter(|(_, place)| place.starts_with("field ") || place.starts_with("row "))
            .unwrap_or((words, ""));
        Ok(Self {
            code,
            place: place.to_owned(),
            words: words.to_owned(),
        })
    }
}

impl Row {
    /// Whether the row was met as it says.
    pub(crate) fn is_met_by(&self, met: &Met) -> bool {
        self.code == met.code && self.place == met.place && is_like(self.words, &met.words)
    }
}

impl How {
    fn told(&self) -> String {
        match self {
            Self::Import(content) => {
                format!("`unpause campaign import` of `{}`", one_line(content))
            }
            Self::Steps(content) => {
                let content = one_line(content.as_bytes());
                format!("`unpause campaign create` with the steps `{content}`")
            }
            Self::Command(arguments) => format!("`unpause {}`", arguments.join(" ")),
            Self::Ask(ask) => ask.told(),
            Self::Alone(alone) => alone.told(),
            Self::Scene(told, _) => (*told).to_owned(),
        }
    }
}

impl Ask {
    fn told(&self) -> String {
        let mut told = format!("`{}`", self.line);
        match self.who {
            Who::Operator => {}
            Who::Device => told.push_str(" by a paired device"),
            Who::Stranger => told.push_str(" with a made-up token"),
            Who::Nobody => told.push_str(" without a token"),
        }
        if let Some(host) = self.host {
            let _ = write!(told, " with `Host: {host}`");
        }
        match self.body {
            Content::Text("") => {}
            Content::Text(text) => {
                let _ = write!(told, " with `{text}`");
            }
            Content::Bytes(n) => {
                let _ = write!(told, " with {n} bytes of JSON");
            }
        }
        told
    }
}

impl Alone {
    fn told(&self) -> String {
        let mut told = format!("`unpause {}`", self.arguments.join(" "));
        if !self.config.is_empty() {
            let _ = write!(told, " with `{}`", one_line(self.config.as_bytes()));
        }
        if let Some((name, value)) = self.variable {
            let _ = write!(told, " with `{name}={value}`");
        }
        told.push_str(match self.before {
            Before::Nothing => "",
            Before::Ran => ", where a relay ran",
            Before::Killed => ", where a relay was killed",
            Before::Runs => ", where a relay runs",
        });
        if let Some((what, _)) = self.then {
            let _ = write!(told, "; {what}");
        }
        told
    }
}

/// Whether `pattern` is `words`, `…` being anything.
fn is_like(pattern: &str, words: &str) -> bool {
    let Some((before, after)) = pattern.split_once('…') else {
        return pattern == words;
    };
    words.strip_prefix(before).is_some_and(|rest| {
        let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
        ends.any(|at| is_like(after, &rest[at..]))
    })
}

/// The page `docs/refusals.md`.
pub(crate) fn render(rows: &[&Row], declared: &[Declared]) -> String {
    let mut page = "# What is refused, and in which words\n\n\
        No cause and no code of the API is without a row; `cargo xtask tidy` checks it.\n\n\
        ## Ends of a reconnect, of sending and of reading\n\n\
        Each row is declared at the test that plays it, which the last column names. Who must act and the words\n\
        are those of the cause's card, with its button in brackets.\n\n\
        | end | how it is provoked | cause, code or outcome | who must act | words shown | test |\n\
        | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for row in declared {
        let test = format!("`{}` {}", row.test.0, row.test.1);
        let cells = [&row.case, &row.how, &row.code, &row.acts, &row.words, &test]
            .map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    page.push_str(
        "\n## Requests, commands and settings\n\n\
        Every row is played by `cargo nextest run -p tests --test refusals` against the built program, with\n\
        real files and sockets; the test also checks that nothing was half done: no row, no file, no message\n\
        more than before. The page is made from the table of that test; `UNPAUSE_WRITE_DOCS=1` renews it.\n\
        `⏎` is the end of a line, `{…}` something that exists, `…` what differs.\n\n\
        | case | how it is provoked | code | place | words |\n| --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let cells = [row.case, &row.how.told(), row.code, row.place, row.words]
            .map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    page
}

/// A file's content in one line: bytes that are no text as `\xNN`.
fn one_line(content: &[u8]) -> String {
    let mut line = String::new();
    for chunk in content.utf8_chunks() {
        line.push_str(&chunk.valid().replace("\r\n", "⏎").replace('\n', "⏎"));
        for byte in chunk.invalid() {
            let _ = write!(line, "\\x{byte:02X}");
        }
    }
    line.trim_end_matches('⏎').to_owned()
}
