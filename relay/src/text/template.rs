//! Merge fields: `{{first_name}}` in a subject or body. Nothing else is special.

use std::collections::{BTreeMap, BTreeSet};

/// A template that cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A `{{` without its `}}`.
    #[error("a field is opened with {{{{ and not closed with }}}}: found {near:?} after it")]
    Unclosed {
        /// What follows it, shortened.
        near: String,
    },
    /// The lead has no such field, or an empty one.
    #[error("the field {{{{{field}}}}} is missing or empty")]
    Missing {
        /// The field.
        field: String,
    },
}

/// The fields that a template names.
pub fn parse_fields(template: &str) -> Result<BTreeSet<String>, TemplateError> {
    let mut fields = BTreeSet::new();
    walk(template, |part| {
        if let Part::Field(name) = part {
            fields.insert(name.to_owned());
        }
        Ok(())
    })?;
    Ok(fields)
}

/// The template with a lead's fields in place.
pub fn render(template: &str, fields: &BTreeMap<String, String>) -> Result<String, TemplateError> {
    let mut text = String::with_capacity(template.len());
    walk(template, |part| {
        match part {
            Part::Text(plain) => text.push_str(plain),
            Part::Field(name) => match fields.get(name).filter(|value| !value.trim().is_empty()) {
                Some(value) => text.push_str(value),
                None => {
                    return Err(TemplateError::Missing {
                        field: name.to_owned(),
                    });
                }
            },
        }
        Ok(())
    })?;
    Ok(text)
}

enum Part<'a> {
    Text(&'a str),
    Field(&'a str),
}

fn walk<'a>(
    template: &'a str,
    mut visit: impl FnMut(Part<'a>) -> Result<(), TemplateError>,
) -> Result<(), TemplateError> {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        visit(Part::Text(before))?;
        let Some((name, after)) = after.split_once("}}") else {
            return Err(TemplateError::Unclosed {
                near: after.chars().take(20).collect(),
            });
        };
        visit(Part::Field(name.trim()))?;
        rest = after;
    }
    visit(Part::Text(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_and_missing_ones_named() {
        let fields = BTreeMap::from([
            ("first_name".to_owned(), "Ann".to_owned()),
            ("company".to_owned(), " ".to_owned()),
        ]);
        for (template, expected) in [
            (
                "Hi {{first_name}}, {{ first_name }}!",
                Ok("Hi Ann, Ann!".to_owned()),
            ),
            ("no field } here {", Ok("no field } here {".to_owned())),
            (
                "at {{company}}",
                Err(TemplateError::Missing {
                    field: "company".to_owned(),
                }),
            ),
            (
                "at {{city}}",
                Err(TemplateError::Missing {
                    field: "city".to_owned(),
                }),
            ),
            (
                "at {{city",
                Err(TemplateError::Unclosed {
                    near: "city".to_owned(),
                }),
            ),
        ] {
            assert_eq!(render(template, &fields), expected, "{template}");
        }
        assert_eq!(
            parse_fields("{{a}} {{b}} {{a}}"),
            Ok(BTreeSet::from(["a".to_owned(), "b".to_owned()]))
        );
    }
}
