//! From a file and from variables to a flat list of settings and their text, each with its place.

use std::path::Path;

use protocol::provider::{PROVIDERS, Provider, ProviderId};
use toml::de::{DeTable, DeValue};

use super::found::{describe_text, describe_value};
use super::nearest::find_nearest;
use super::notify::may_be_name;
use super::setting::{ID, Kind, NAME, Setting, list_settings};
use super::{ConfigError, Environment, Place};

/// What every variable of ours begins with.
const PREFIX: &str = "UNPAUSE_";
/// What joins the parts of a key in the name of a variable.
const JOINT: &str = "__";

/// A setting and the text it was given.
pub(super) struct Entry {
    pub(super) setting: &'static Setting,
    /// What stands in its key for a provider's id or a webhook's name; `None` where neither does.
    pub(super) named: Option<String>,
    pub(super) key: String,
    pub(super) value: String,
    pub(super) place: Place,
}

/// The settings of a file.
pub(super) fn read_file(text: &str, path: &Path) -> Result<Vec<Entry>, ConfigError> {
    let place = |at: usize| Place::Line {
        path: path.to_owned(),
        line: line_of(text, at),
    };
    let table = DeTable::parse(text).map_err(|error| ConfigError::NotToml {
        place: place(error.span().map_or(0, |span| span.start)),
        // The message alone: the whole error quotes the line, and a secret may stand in it.
        found: error.message().to_owned(),
    })?;
    let mut entries = Vec::new();
    walk(table.get_ref(), &mut Vec::new(), &place, &mut entries)?;
    Ok(entries)
}

/// The key of a secret among these; `None` where there is none.
pub(super) fn find_secret(entries: &[Entry]) -> Option<String> {
    let mut secrets = entries
        .iter()
        .filter(|entry| entry.setting.kind == Kind::Secret);
    secrets.next().map(|entry| entry.key.clone())
}

/// The settings of the variables, except the one that names the file.
pub(super) fn read_variables(
    environment: &Environment,
    except: &str,
) -> Result<Vec<Entry>, ConfigError> {
    let ours = environment
        .iter()
        .filter(|(name, _)| name.starts_with(PREFIX) && *name != except);
    ours.map(|(name, value)| {
        let parts: Vec<String> = name
            .trim_start_matches(PREFIX)
            .split(JOINT)
            .map(str::to_ascii_lowercase)
            .collect();
        let place = Place::Variable(name.clone());
        let Some((setting, named)) = find_setting(&parts, &place)? else {
            return Err(unknown(&parts, place, name_variable));
        };
        Ok(Entry {
            setting,
            named,
            key: parts.join("."),
            value: value.clone(),
            place,
        })
    })
    .collect()
}

fn walk(
    table: &DeTable<'_>,
    above: &mut Vec<String>,
    place_of: &dyn Fn(usize) -> Place,
    entries: &mut Vec<Entry>,
) -> Result<(), ConfigError> {
    for (name, value) in table {
        let place = place_of(name.span().start);
        above.push(name.get_ref().to_string());
        let found = find_setting(above, &place)?;
        match (value.get_ref(), found) {
            (DeValue::Table(below), None) if is_table(above) => {
                walk(below, above, place_of, entries)?;
            }
            (value, Some((setting, named))) => {
                let key = above.join(".");
                let Some(value) = read_value(value, setting.kind) else {
                    return Err(ConfigError::Value {
                        place,
                        key,
                        expected: expected(setting.kind, value),
                        found: describe_value(Some(setting.kind), value),
                    });
                };
                entries.push(Entry {
                    setting,
                    named,
                    key,
                    value,
                    place,
                });
            }
            (value, None) if is_table(above) => {
                let expected = format!("a table, as in [{}]", above.join("."));
                return Err(ConfigError::Value {
                    place,
                    key: above.join("."),
                    expected,
                    found: describe_value(Some(Kind::Hidden), value),
                });
            }
            (_, None) => return Err(unknown(above, place, str::to_owned)),
        }
        above.pop();
    }
    Ok(())
}

/// The setting of that key, and the provider it speaks of. A provider that nobody knows is an error of
/// its own.
fn find_setting(
    key: &[String],
    place: &Place,
) -> Result<Option<(&'static Setting, Option<String>)>, ConfigError> {
    if let Some([first, second, name]) = key.get(..3)
        && (first.as_str(), second.as_str()) == ("notify", "webhook")
    {
        if !may_be_name(name) {
            return Err(ConfigError::Value {
                place: place.clone(),
                key: format!("notify.webhook.{name}"),
                expected: "a name of small letters, digits, - and _, as in [notify.webhook.ops]"
                    .to_owned(),
                found: describe_text(Kind::Text, name),
            });
        }
        let setting = list_settings().find(|setting| matches(setting.key, key, true));
        return Ok(setting.map(|setting| (setting, Some(name.clone()))));
    }
    if let Some([first, id]) = key.get(..2)
        && first == "providers"
    {
        let provider = ProviderId::new(id.as_str());
        if Provider::find(&provider).is_none() {
            let ids: Vec<_> = PROVIDERS.iter().map(|provider| provider.id).collect();
            return Err(ConfigError::Value {
                place: place.clone(),
                key: format!("providers.{id}"),
                expected: format!("one of the known providers: {}", ids.join(", ")),
                found: describe_text(Kind::Text, id),
            });
        }
        let setting = list_settings().find(|setting| matches(setting.key, key, true));
        return Ok(setting.map(|setting| (setting, Some(id.clone()))));
    }
    Ok(list_settings()
        .find(|setting| matches(setting.key, key, true))
        .map(|setting| (setting, None)))
}

/// Whether settings stand below this key.
fn is_table(key: &[String]) -> bool {
    list_settings().any(|setting| matches(setting.key, key, false))
}

/// Whether `pattern` is `key`, or, unless `whole`, begins with it.
fn matches(pattern: &str, key: &[String], whole: bool) -> bool {
    let parts: Vec<_> = pattern.split('.').collect();
    let is_like = |(part, found): (&&str, &String)| *part == ID || *part == NAME || part == found;
    (if whole {
        parts.len() == key.len()
    } else {
        parts.len() > key.len()
    }) && parts.iter().zip(key).all(is_like)
}

fn unknown(key: &[String], place: Place, name: fn(&str) -> String) -> ConfigError {
    let id = key.get(1).map_or(ID, String::as_str);
    let name_of_it = key.get(2).map_or(NAME, String::as_str);
    let known: Vec<String> = list_settings()
        .map(|setting| setting.key.replace(ID, id).replace(NAME, name_of_it))
        .collect();
    let key = key.join(".");
    let nearest = find_nearest(&key, known.iter().map(String::as_str)).map(name);
    ConfigError::Unknown {
        place,
        key: name(&key),
        nearest,
    }
}

fn name_variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', JOINT).to_ascii_uppercase())
}

/// What a value of that kind is.
fn expected(kind: Kind, value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(_) if kind == Kind::Number => {
            format!("a whole number from 0 to {}", u64::MAX)
        }
        _ => kind.words().to_owned(),
    }
}

/// Texts are joined by commas, as a variable has them.
fn read_value(value: &DeValue<'_>, kind: Kind) -> Option<String> {
    match (value, kind) {
        (
            DeValue::String(text),
            Kind::Text | Kind::Path | Kind::Secret | Kind::Hidden | Kind::List,
        ) => Some(text.to_string()),
        (DeValue::Array(items), Kind::List) => {
            let texts = items.iter().map(|item| match item.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            });
            Some(texts.collect::<Option<Vec<_>>>()?.join(","))
        }
        (DeValue::Boolean(truth), Kind::YesNo) => Some(truth.to_string()),
        (DeValue::Integer(number), Kind::Number) => {
            u64::from_str_radix(number.as_str(), number.radix())
                .ok()
                .map(|number| number.to_string())
        }
        _ => None,
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
