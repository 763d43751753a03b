//! What goes into the audit log: every call that changes something, before it is performed, and how it ended; who was
//! refused; and who signed in. Of a request only its path and the fields that the endpoint names are kept, so none with
//! a secret, and no text of a message.

use std::sync::{Mutex, OnceLock, PoisonError};

use axum::http::HeaderMap;
use http::Method;
use http::header::USER_AGENT;
use protocol::id::{AccountId, RequestId};
use protocol::problem::Code;
use protocol::request::Request;
use protocol::request::audit::Way;
use protocol::shown;
use serde::Serialize;
use serde_json::{Map, Value};

use super::session::BROWSER_AT_MOST;
use super::{Api, ServeError, Who, neighbourhood};
use crate::store::StoreError;
use crate::store::account::Holder;
use crate::store::audit::{DONE, NewEntry};

/// The longest text of a field that is kept, in characters.
const TEXT_AT_MOST: usize = 300;
/// The most elements of a list that are kept; it says how many more there are.
const LIST_AT_MOST: usize = 50;

/// Who calls, from where.
#[derive(Clone, Debug)]
pub(super) struct Caller<'a> {
    pub(super) way: Way,
    /// The session, device or key.
    pub(super) by: Option<String>,
    pub(super) account: Option<&'a AccountId>,
    /// Empty for the operator.
    pub(super) peer: String,
    pub(super) browser: Option<String>,
    pub(super) request_id: &'a RequestId,
}

impl<'a> Caller<'a> {
    pub(super) fn new(
        who: &Who,
        holder: Option<&'a Holder>,
        peer: String,
        headers: &HeaderMap,
        request_id: &'a RequestId,
    ) -> Self {
        let (way, by) = match who {
            Who::Anyone => (Way::Nobody, None),
            Who::Device(id) => (Way::Device, Some(id.to_string())),
            Who::Session(id) => (Way::Session, Some(id.to_string())),
            Who::Key(id) => (Way::Key, Some(id.to_string())),
            Who::Operator => (Way::Operator, None),
        };
        Self {
            way,
            by,
            account: holder.map(|holder| &holder.account),
            peer: if way == Way::Operator {
                String::new()
            } else {
                peer
            },
            browser: browser_of(headers),
            request_id,
        }
    }

    /// Whoever brings the answer of a hosted sign-in: no account, and the browser that began.
    pub(super) fn by_link(peer: String, headers: &HeaderMap, request_id: &'a RequestId) -> Self {
        Self {
            way: Way::Link,
            by: None,
            account: None,
            peer,
            browser: browser_of(headers),
            request_id,
        }
    }

    fn entry<'e>(&'e self, action: &'static str, fields: &'e Map<String, Value>) -> NewEntry<'e> {
        NewEntry {
            action,
            way: self.way,
            by: self.by.clone(),
            account: self.account,
            peer: self.peer.clone(),
            browser: self.browser.as_deref(),
            request_id: self.request_id,
            fields,
        }
    }

    /// Writes down what is about to be done. Where that cannot be written, it is not to be done.
    pub(super) async fn begin(
        &self,
        api: &Api,
        action: &'static str,
        fields: Map<String, Value>,
    ) -> Result<Begun, StoreError> {
        let doors = api.app.store.doors();
        let now = api.app.clock.now();
        let no = doors.begin_entry(&self.entry(action, &fields), now).await?;
        Ok(Begun {
            no,
            action,
            fields,
            is_noted: false,
        })
    }

    /// Writes down that a known caller was refused before anything was done.
    pub(super) async fn note_refused(
        &self,
        api: &Api,
        action: &'static str,
        fields: &Map<String, Value>,
        code: Code,
    ) {
        let (doors, now) = (api.app.store.doors(), api.app.clock.now());
        let outcome = code_of(code);
        // Counted where it comes again from the same place: one person has all addresses of a site.
        let entry = NewEntry {
            peer: neighbourhood::name_of(&self.peer),
            ..self.entry(action, fields)
        };
        if let Err(error) = doors.count_refusal(&entry, &outcome, now).await {
            lose(action, &error);
        }
        tracing::info!(
            request_id = %self.request_id, action, way = self.way.code(), by = self.by,
            account = self.account.map(tracing::field::display), peer = self.peer, outcome, "on record"
        );
    }

    /// Writes down that somebody came in whom nobody knew before.
    pub(super) async fn note_done(
        &self,
        api: &Api,
        action: &'static str,
        mut fields: Map<String, Value>,
        made: Option<String>,
    ) -> Result<(), StoreError> {
        if let Some(id) = made {
            fields.insert("id".to_owned(), id.into());
        }
        let (doors, now) = (api.app.store.doors(), api.app.clock.now());
        let entry = self.entry(action, &fields);
        doors.write_entry(&entry, DONE, now).await?;
        tracing::info!(
            request_id = %self.request_id, action, way = self.way.code(),
            account = self.account.map(tracing::field::display), peer = self.peer, outcome = DONE, "on record"
        );
        Ok(())
    }

    /// Writes down how it ended. It has: a failure to write that is the log's to tell.
    pub(super) async fn end(&self, api: &Api, begun: Begun, ended: Result<Option<String>, Code>) {
        let Begun {
            no,
            action,
            mut fields,
            is_noted,
        } = begun;
        let (doors, now) = (api.app.store.doors(), api.app.clock.now());
        let (outcome, ending) = match ended {
            Ok(made) => {
                if let Some(id) = made {
                    fields.insert("id".to_owned(), id.into());
                }
                (
                    DONE.to_owned(),
                    doors.end_entry(no, DONE, &fields, now).await,
                )
            }
            // What failed here may have done something, and what was found out is to be read.
            Err(code) if is_noted || code == Code::Internal => {
                let outcome = code_of(code);
                let ending = doors.end_entry(no, &outcome, &fields, now).await;
                (outcome, ending)
            }
            Err(code) => {
                let outcome = code_of(code);
                let entry = self.entry(action, &fields);
                let ending = doors.end_refused(no, &entry, &outcome, now).await;
                (outcome, ending)
            }
        };
        if let Err(error) = ending {
            lose(action, &error);
        }
        tracing::info!(
            request_id = %self.request_id, action, way = self.way.code(), by = self.by,
            account = self.account.map(tracing::field::display), peer = self.peer, outcome, "on record"
        );
    }
}

fn browser_of(headers: &HeaderMap) -> Option<String> {
    let name = headers.get(USER_AGENT)?.to_str().ok()?;
    Some(shown::line(name).chars().take(BROWSER_AT_MOST).collect())
}

/// An entry that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    no: i64,
    action: &'static str,
    fields: Map<String, Value>,
    /// Whether the relay found something out that no entry of before says.
    is_noted: bool,
}

impl Begun {
    /// With what the endpoint found out.
    pub(super) fn with_notes(mut self, meant: &Meant) -> Self {
        let n_before = self.fields.len();
        self.fields = meant.with_notes(self.fields);
        self.is_noted = self.fields.len() > n_before;
        self
    }
}

/// What an endpoint found out that belongs into the entry: the account that somebody turned out to be, or to be meant by
/// somebody, and what else nobody asked for.
#[derive(Debug, Default)]
pub struct Meant {
    account: OnceLock<AccountId>,
    notes: Mutex<Map<String, Value>>,
}

impl Meant {
    /// Says it.
    pub fn set(&self, account: &AccountId) {
        // Each endpoint says it once.
        let _ = self.account.set(account.clone());
    }

    /// Adds a field to the entry; never with a secret.
    pub fn note(&self, name: &str, value: impl Into<Value>) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.insert(name.to_owned(), value.into());
    }

    /// The fields with the notes.
    pub(super) fn with_notes(&self, mut fields: Map<String, Value>) -> Map<String, Value> {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        fields.append(&mut notes);
        fields
    }

    /// Which one.
    pub(super) fn get(&self) -> Option<&AccountId> {
        self.account.get()
    }
}

/// Whether calls of an endpoint are written down when they are performed: those that change something.
pub(super) fn is_recorded<R: Request>() -> bool {
    R::METHOD != Method::GET
}

/// What is kept of a request.
pub(super) fn fields_of<R: Request>(request: &R) -> Map<String, Value> {
    let Ok(Value::Object(given)) = serde_json::to_value(request) else {
        return Map::new();
    };
    let in_path = R::PATH
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    in_path
        .chain(R::RECORDED.iter().copied())
        .filter_map(|name| {
            let value = given.get(name).filter(|value| !value.is_null())?;
            Some((name.to_owned(), shorten(value)))
        })
        .collect()
}

/// The id of what was made, where the answer begins with one.
pub(super) fn made_of(answer: &impl Serialize) -> Option<String> {
    let answer = serde_json::to_value(answer).ok()?;
    let named = ["/id", "/listed/id", "/account/id"];
    let id = named.iter().find_map(|place| answer.pointer(place))?;
    Some(id.as_str()?.chars().take(TEXT_AT_MOST).collect())
}

/// The code of what the caller is told.
pub(super) fn code_told(error: &ServeError) -> Code {
    match error {
        ServeError::Refused(problem) | ServeError::Later { problem, .. } => problem.code,
        ServeError::List(list) => list.problem.code,
        ServeError::Internal(_) => Code::Internal,
    }
}

fn code_of(code: Code) -> String {
    match serde_json::to_value(code) {
        Ok(Value::String(code)) => code,
        _ => "internal".to_owned(),
    }
}

fn shorten(value: &Value) -> Value {
    match value {
        Value::String(text) => shown::line(text)
            .chars()
            .take(TEXT_AT_MOST)
            .collect::<String>()
            .into(),
        Value::Array(list) => {
            let mut kept: Vec<Value> = list.iter().take(LIST_AT_MOST).map(shorten).collect();
            if list.len() > LIST_AT_MOST {
                kept.push(format!("and {} more", list.len() - LIST_AT_MOST).into());
            }
            kept.into()
        }
        Value::Object(fields) => fields
            .iter()
            .take(LIST_AT_MOST)
            .map(|(name, value)| (name.clone(), shorten(value)))
            .collect(),
        value => value.clone(),
    }
}

fn lose(action: &str, error: &StoreError) {
    let error = crate::log::chain(error);
    tracing::error!(
        action,
        error,
        "the audit log lacks how this ended: the line that follows says it"
    );
}

#[cfg(test)]
mod tests {
    use protocol::account::Role;
    use protocol::request::account::{SetPassword, UpdateAccount};
    use protocol::secret::Secret;
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_request_its_path_and_the_named_fields_are_kept_and_nothing_else() {
        let update = UpdateAccount {
            account_id: AccountId::new("acc_1"),
            name: None,
            role: Some(Role::Member),
            inboxes: None,
        };
        let kept = Value::from(fields_of(&update));
        assert_eq!(kept, json!({ "account_id": "acc_1", "role": "member" }));
        let set = SetPassword {
            current: Some(Secret::new("before")),
            password: Secret::new("after"),
        };
        assert_eq!(Value::from(fields_of(&set)), json!({}));
    }

    #[test]
    fn what_is_kept_is_short_and_can_be_shown() {
        let long = json!({ "a": "x".repeat(1_000), "b": vec![1; 60], "c": "one\ntwo" });
        let kept = shorten(&long);
        assert_eq!(kept["a"].as_str().map(str::len), Some(300));
        assert_eq!(kept["b"].as_array().map(Vec::len), Some(51));
        assert_eq!(kept["b"][50], "and 10 more");
        assert!(!kept["c"].as_str().unwrap().contains('\n'), "{kept}");
    }
}
