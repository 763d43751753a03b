//! Templates: `{{first_name}}` in a subject, a text or HTML, `{{first_name | default: "there"}}` for an empty cell,
//! conditions, and alternatives of which a lead gets the same one at every attempt. Jinja's language, as minijinja
//! reads it, with the names of columns as people write them ([`translate`]); what other tools would replace is found by
//! [`marker`].
//!
//! What a template may cost is bounded in time, memory and output ([`bounds`], and fuel), and nothing of it reaches out:
//! there are no includes, no macros, no clock and no chance. In HTML every cell is escaped, and nothing switches that off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Object, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, escape_formatter};

use super::field;
use choose::Chooser;
use translate::{Translated, translate};

mod bounds;
mod choose;
pub mod marker;
mod translate;

/// The longest text that a template makes: 1 MiB.
pub const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// What filling one may cost, in minijinja's fuel: about as many instructions, or 64 bytes of data each. A long message
/// with a dozen conditions needs some hundred.
const FUEL: u64 = 50_000;

/// A template that cannot be read or filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A `{{` without its `}}`.
    #[error(
        "line {line}: a field is opened with {{{{ and not closed with }}}}: found {near:?} after it"
    )]
    Unclosed {
        /// Its line, from 1.
        line: usize,
        /// What follows it, shortened.
        near: String,
    },
    /// Something else than a name between the braces.
    #[error(
        "line {line}: {{{{{found}}}}} is no field: expected the name of a column, as in {instead}"
    )]
    NoField {
        /// Its line, from 1.
        line: usize,
        /// What stands between them, shortened.
        found: String,
        /// What may be meant.
        instead: String,
    },
    /// A statement that there is not.
    #[error(
        "line {line}: found {{% {found} %}}, expected if, elif, else, endif, for, endfor, set or endset, as in \
         {{% if company %}}at {{{{company}}}}{{% endif %}}"
    )]
    NoStatement {
        /// Its line, from 1.
        line: usize,
        /// What stands there, shortened.
        found: String,
    },
    /// It is not written as the language has it, or does what no value can do.
    #[error("line {line}: {words}")]
    Wrong {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        words: String,
    },
    /// It takes too long, or too much memory.
    #[error(
        "line {line}: this takes too long to fill: expected a loop that ends, over a list that is short"
    )]
    Endless {
        /// Where it was given up, from 1.
        line: usize,
    },
    /// It makes too long a text.
    #[error("expected a text of at most {OUTPUT_BYTES_MAX} bytes once it is filled, found {found}")]
    Long {
        /// Its bytes.
        found: usize,
    },
    /// The lead has no such field, or an empty one, and there is no default.
    #[error("the field {{{{{field}}}}} is missing or empty")]
    Missing {
        /// The field.
        field: String,
    },
}

/// A field that a template names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What stands in place of an empty cell, where it says so as `default: "there"`.
    pub default: Option<String>,
}

/// What a template makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text: a subject, a body.
    Text,
    /// Text of which `{%` is a part: nothing but fields in two braces is filled.
    Literal,
    /// HTML: cells are escaped.
    Html,
}

/// For whom a template is filled.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    /// The cells.
    pub fields: &'a Arc<BTreeMap<String, String>>,
    /// What names the lead: alternatives are chosen by it, so that the same one stands there at every attempt.
    pub lead: &'a str,
    /// The step whose template it is, from 1.
    pub step: usize,
}

/// A template that was read.
#[derive(Debug)]
pub struct Template {
    environment: Environment<'static>,
    cells: Arc<[Field]>,
    names: BTreeSet<String>,
}

/// The name of the one template of an environment.
const NAME: &str = "message";

impl Template {
    /// Reads a template. One that no lead could fill is refused: it is filled with made-up cells.
    pub fn parse(source: &str, form: Form) -> Result<Self, TemplateError> {
        let mut environment = build_environment(form);
        let Translated { text, cells } = translate(source, form, &environment)?;
        environment
            .add_template_owned(NAME, text)
            .map_err(|error| told(&error, None))?;
        let read = environment
            .get_template(NAME)
            .map_err(|error| told(&error, None))?;
        let is_known = |name: &str| {
            name == choose::NAME
                || name.starts_with(translate::CELL)
                || environment.globals().any(|(known, _)| known == name)
        };
        let variables = read.undeclared_variables(false);
        let names = variables.into_iter().filter(|name| !is_known(name));
        let names = names.chain(cells.iter().map(|cell| cell.name.clone()));
        let template = Self {
            names: names.collect(),
            cells: cells.into(),
            environment,
        };
        template.try_out()?;
        Ok(template)
    }

    /// The fields that it names, in a condition too.
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// The text for a lead.
    pub fn render(&self, filling: &Filling<'_>) -> Result<String, TemplateError> {
        let lead = Arc::new(Lead {
            fields: Arc::clone(filling.fields),
            cells: Arc::clone(&self.cells),
            chooser: Value::from_object(Chooser::new(filling.lead, filling.step)),
            empty: Mutex::new(None),
        });
        let read = self
            .environment
            .get_template(NAME)
            .map_err(|error| told(&error, None))?;
        let text = read
            .render(Value::from_dyn_object(Arc::clone(&lead)))
            .map_err(|error| {
                let empty = lead.empty.lock().unwrap_or_else(PoisonError::into_inner);
                told(&error, empty.clone())
            })?;
        match text.len() {
            0..=OUTPUT_BYTES_MAX => Ok(text),
            found => Err(TemplateError::Long { found }),
        }
    }

    /// Fills it for nobody: with a cell everywhere, and with none.
    fn try_out(&self) -> Result<(), TemplateError> {
        let full = self.names.iter().map(|name| (name.clone(), "1".to_owned()));
        for fields in [full.collect(), BTreeMap::new()] {
            let filling = Filling {
                fields: &Arc::new(fields),
                lead: "",
                step: 1,
            };
            match self.render(&filling) {
                Ok(_) | Err(TemplateError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The language: minijinja's own filters and tests, but for what would take the escapes out of HTML or shows what is
/// inside. A field that is missing or empty is false in a condition, and an error wherever it would be written.
fn build_environment(form: Form) -> Environment<'static> {
    let mut environment = Environment::new();
    for filter in ["safe", "pprint"] {
        environment.remove_filter(filter);
    }
    environment.remove_global("debug");
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(move |_| match form {
        Form::Html => AutoEscape::Html,
        Form::Text | Form::Literal => AutoEscape::None,
    });
    // A list is gone through or joined; what it would cost to write one is counted nowhere.
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable | ValueKind::Plain => {
            let words = format!(
                "a {} is no text: expected a loop over it, or join",
                value.kind()
            );
            Err(Error::new(ErrorKind::InvalidOperation, words))
        }
        _ => escape_formatter(out, state, value),
    });
    let mut syntax = SyntaxConfig::builder();
    syntax.keep_trailing_newline(true);
    // The delimiters are the usual ones, so there is nothing to refuse.
    if let Ok(syntax) = syntax.build() {
        environment.set_syntax(syntax);
    }
    environment
}

/// The error in our words. `empty` is the field without a value that was read last.
fn told(error: &minijinja::Error, empty: Option<String>) -> TemplateError {
    let line = error.line().unwrap_or(1);
    match (error.kind(), empty) {
        (ErrorKind::OutOfFuel, _) => TemplateError::Endless { line },
        // What it does is sound with cells that hold something: it was tried so when it was read.
        (_, Some(field)) => TemplateError::Missing { field },
        (kind, _) => {
            let detail = error.detail().map(str::to_owned);
            let words = detail.unwrap_or_else(|| kind.to_string());
            TemplateError::Wrong { line, words }
        }
    }
}

/// What a template sees of a lead.
#[derive(Debug)]
struct Lead {
    fields: Arc<BTreeMap<String, String>>,
    cells: Arc<[Field]>,
    chooser: Value,
    /// The field without a value that was read last.
    empty: Mutex<Option<String>>,
}

impl Object for Lead {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        if key == choose::NAME {
            return Some(self.chooser.clone());
        }
        let cell = key.strip_prefix(translate::CELL).and_then(|number| {
            let idx: usize = number.parse().ok()?;
            self.cells.get(idx)
        });
        let name = cell.map_or(key, |cell| cell.name.as_str());
        let found = field::find(&self.fields, name).map(|(_, found)| found);
        let found = found.filter(|found| !field::is_void(found));
        let filled = found.or_else(|| cell.and_then(|cell| cell.default.as_deref()));
        if filled.is_none() {
            *self.empty.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
        }
        filled.map(Value::from)
    }
}

#[cfg(test)]
mod tests;
