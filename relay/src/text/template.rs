//! Merge fields: `{{first_name}}` in a subject or body, and `{{first_name | default: "there"}}` for an empty cell.
//! Nothing else is special; what other tools would replace is found by [`marker`].

use std::collections::{BTreeMap, BTreeSet};

use super::field;

pub mod marker;

/// A template that cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A `{{` without its `}}`.
    #[error("a field is opened with {{{{ and not closed with }}}}: found {near:?} after it")]
    Unclosed {
        /// What follows it, shortened.
        near: String,
    },
    /// Something else than a name between the braces.
    #[error("{{{{{found}}}}} is no field: expected the name of a column, as in {instead}")]
    NoField {
        /// What stands between them, shortened.
        found: String,
        /// What may be meant.
        instead: String,
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
pub struct Field<'a> {
    /// Its name.
    pub name: &'a str,
    /// What stands in place of an empty cell.
    pub default: Option<&'a str>,
}

/// The fields that a template names.
pub fn parse_fields(template: &str) -> Result<BTreeSet<Field<'_>>, TemplateError> {
    let mut fields = BTreeSet::new();
    walk(template, |part| {
        if let Part::Field(field) = part {
            fields.insert(field);
        }
        Ok(())
    })?;
    Ok(fields)
}

/// The template with a lead's fields in place.
pub fn render(template: &str, fields: &BTreeMap<String, String>) -> Result<String, TemplateError> {
    let mut text = String::with_capacity(template.len());
    walk(template, |part| {
        let field = match part {
            Part::Text(plain) => {
                text.push_str(plain);
                return Ok(());
            }
            Part::Field(field) => field,
        };
        let cell = field::find(fields, field.name).map(|(_, cell)| cell);
        let cell = cell.filter(|cell| !field::is_void(cell));
        let filled = cell
            .or(field.default)
            .ok_or_else(|| TemplateError::Missing {
                field: field.name.to_owned(),
            })?;
        text.push_str(filled);
        Ok(())
    })?;
    Ok(text)
}

enum Part<'a> {
    Text(&'a str),
    Field(Field<'a>),
}

fn walk<'a>(
    template: &'a str,
    mut visit: impl FnMut(Part<'a>) -> Result<(), TemplateError>,
) -> Result<(), TemplateError> {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        visit(Part::Text(before))?;
        let closed = after
            .split_once("}}")
            .filter(|(inner, _)| !inner.contains('\n'));
        let Some((inner, after)) = closed else {
            return Err(TemplateError::Unclosed {
                near: after.chars().take(20).collect(),
            });
        };
        visit(Part::Field(parse_field(inner)?))?;
        rest = after;
    }
    visit(Part::Text(rest))
}

/// The longest name of a field that is shown, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// A name, and behind a bar what stands in place of an empty cell: `name | default: "text"`.
fn parse_field(inner: &str) -> Result<Field<'_>, TemplateError> {
    let (name, filter) = match inner.split_once('|') {
        Some((name, filter)) => (name.trim(), Some(filter.trim())),
        None => (inner.trim(), None),
    };
    let no_field = |instead: String| TemplateError::NoField {
        found: inner.chars().take(SHOWN_CHARS_MAX).collect(),
        instead,
    };
    let has_sigil = name.starts_with(['#', '/', '^', '!', '>', '&', '=', '$', '@', '%', '?', '~'])
        && name.chars().nth(1).is_some_and(char::is_alphanumeric);
    if name.is_empty()
        || has_sigil
        || name.contains(['{', '}', '"', '“', '”', '<', '>', '(', ')', '='])
            && filter.is_none()
            && !is_column(name)
    {
        return Err(no_field("{{first_name}}".to_owned()));
    }
    let Some(filter) = filter else {
        return Ok(Field {
            name,
            default: None,
        });
    };
    let default = filter
        .get(..7)
        .filter(|word| word.eq_ignore_ascii_case("default"))
        .and_then(|_| filter.get(7..))
        .and_then(|rest| rest.trim_start().strip_prefix(':'))
        .and_then(|text| unquote(text.trim()));
    if default.is_some() {
        return Ok(Field { name, default });
    }
    let text = filter.rsplit(['|', ':']).next().unwrap_or_default();
    let text = text.trim_matches(|c: char| c.is_whitespace() || QUOTES.contains(c));
    let text = if text.is_empty() { "there" } else { text };
    let text: String = text
        .chars()
        .filter(|c| *c != '"')
        .take(SHOWN_CHARS_MAX)
        .collect();
    Err(no_field(format!("{{{{{name} | default: \"{text}\"}}}}")))
}

/// Names of columns have brackets around a unit or a remark, and then a letter before them.
fn is_column(name: &str) -> bool {
    !name.contains(['{', '}', '"', '“', '”', '=']) && name.contains(" (") && name.ends_with(')')
}

const QUOTES: &str = "\"'“”„‘’«»";

/// The text in quotes of any kind.
fn unquote(text: &str) -> Option<&str> {
    let mut inner = text.chars();
    let (first, last) = (inner.next()?, inner.next_back()?);
    let is_quoted = QUOTES.contains(first) && QUOTES.contains(last);
    let inner = inner.as_str();
    let straight = first == '"' && inner.contains('"');
    Some(inner).filter(|_| is_quoted && !straight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_and_missing_ones_named() {
        let fields = BTreeMap::from([
            ("first_name".to_owned(), "Ann".to_owned()),
            ("last name".to_owned(), "Smith".to_owned()),
            ("company".to_owned(), " ".to_owned()),
            ("town".to_owned(), "#N/A".to_owned()),
            ("price (eur)".to_owned(), "5".to_owned()),
        ]);
        let missing = |field: &str| {
            Err(TemplateError::Missing {
                field: field.to_owned(),
            })
        };
        let unclosed = |near: &str| {
            Err(TemplateError::Unclosed {
                near: near.to_owned(),
            })
        };
        for (template, expected) in [
            ("Hi {{first_name}}, {{ first_name }}!", Ok("Hi Ann, Ann!")),
            ("no field } here {", Ok("no field } here {")),
            (
                "{{First Name}} {{FIRST_NAME}} {{first-name}} {{firstName}}",
                Ok("Ann Ann Ann Ann"),
            ),
            ("{{last_name}} {{Last Name}}", Ok("Smith Smith")),
            ("{{Price (EUR)}}", Ok("5")),
            ("Hi {{first_name | default: \"there\"}}", Ok("Hi Ann")),
            (
                "at {{company | default: \"your company\"}}",
                Ok("at your company"),
            ),
            ("at {{company|default:'us'}}", Ok("at us")),
            ("at {{company | Default: “you”}}", Ok("at you")),
            ("at {{company | default: \"a|b\"}}", Ok("at a|b")),
            ("at {{company | default: \"\"}}!", Ok("at !")),
            ("at {{company}}", missing("company")),
            ("in {{town | default: \"your town\"}}", Ok("in your town")),
            ("in {{town}}", missing("town")),
            ("at {{city}}", missing("city")),
            ("at {{city", unclosed("city")),
            ("at {{city\n}}", unclosed("city\n}}")),
        ] {
            let expected = expected.map(str::to_owned);
            assert_eq!(render(template, &fields), expected, "{template}");
        }
        let names: Vec<_> = parse_fields("{{a}} {{b | default: \"x\"}} {{a}}")
            .unwrap()
            .into_iter()
            .collect();
        assert_eq!(
            names,
            [
                Field {
                    name: "a",
                    default: None
                },
                Field {
                    name: "b",
                    default: Some("x")
                }
            ]
        );
    }

    #[test]
    fn what_other_tools_write_in_two_braces_is_refused_with_what_to_write() {
        for (template, instead) in [
            ("{{}}", "{{first_name}}"),
            ("{{ }}", "{{first_name}}"),
            ("{{#if first_name}}x{{/if}}", "{{first_name}}"),
            ("{{{first_name}}}", "{{first_name}}"),
            (
                "{{first_name|there}}",
                "{{first_name | default: \"there\"}}",
            ),
            (
                "{{first_name | fallback: \"friend\"}}",
                "{{first_name | default: \"friend\"}}",
            ),
            ("{{ name | upcase }}", "{{name | default: \"upcase\"}}"),
            ("{{name | default}}", "{{name | default: "),
            ("{{name | default: there}}", "{{name | default: \"there\"}}"),
            ("{{get(name)}}", "{{first_name}}"),
            ("{{$name}}", "{{first_name}}"),
            ("{{> footer}}", "{{first_name}}"),
            ("{{name = \"x\"}}", "{{first_name}}"),
        ] {
            let error = parse_fields(template).unwrap_err().to_string();
            assert!(
                error.contains("is no field") && error.contains(instead),
                "{template}: {error}"
            );
        }
    }
}
