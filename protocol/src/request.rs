//! Every endpoint of the API as a type: method, path, request and response stand here once; the relay
//! serves it, the extension and the command line call it, and the OpenAPI document is made from it.
//!
//! A request is one flat object. Fields that the path names travel in the path; the others travel in the
//! query (`GET`, `DELETE`) or as the JSON body (`POST`). An endpoint with [`Body::Csv`] takes its other
//! content as the raw body.

use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::account::Role;
use crate::key::Scope;

pub mod account;
pub mod alert;
pub mod audit;
pub mod campaign;
pub mod catch_up;
pub mod delivery;
pub mod device;
pub mod file;
pub mod inbox;
pub mod key;
pub mod lead;
pub mod ledger;
pub mod message;
pub mod pace;
pub mod passkey;
pub mod receipt;
pub mod reconnect;
pub mod relay_keys;
pub mod reply;
pub mod sender;
pub mod sending;
pub mod session;
pub mod status;
pub mod suppression;

/// What a type must have to be described in the OpenAPI document.
#[cfg(feature = "schema")]
pub trait Described: schemars::JsonSchema {}
#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> Described for T {}
/// What a type must have to be described in the OpenAPI document: nothing, without the feature `schema`.
#[cfg(not(feature = "schema"))]
pub trait Described {}
#[cfg(not(feature = "schema"))]
impl<T> Described for T {}

/// One endpoint.
pub trait Request: Serialize + DeserializeOwned + Described + Send + 'static {
    /// Its name in the OpenAPI document, a verb and its object.
    const NAME: &'static str;
    /// One sentence for the OpenAPI document.
    const SUMMARY: &'static str;
    /// The method.
    const METHOD: Method;
    /// The path, its parameters in braces, each a text field of the request.
    const PATH: &'static str;
    /// Who may call it.
    const CALLER: Caller;
    /// With which scope an API key of such an account may call it too; without one no key may.
    const SCOPE: Option<Scope> = None;
    /// Whether a session must have proved within the last [`passkey::PROOF_FOR`] that it is still whose it was: what it
    /// changes decides who comes in.
    const ANEW: bool = false;
    /// Fields that stand in the audit log beside those of the path; never one that holds a secret or a text of a message.
    const RECORDED: &'static [&'static str] = &[];
    /// How it carries what is not in the path.
    const BODY: Body = Body::Fields;
    /// The largest JSON body that it takes: 64 KiB, where it does not say otherwise. The largest of other fields is a sealed
    /// hand-over of about 8 KiB.
    const FIELDS_AT_MOST_BYTES: u64 = 64 * 1024;
    /// What it answers.
    type Response: Serialize + DeserializeOwned + Described + Send + 'static;
}

/// Who may call an endpoint, by the least role. The operator, who comes by the relay's own socket, is above all roles.
/// Which inboxes and campaigns a client meets there is the relay's to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// Anybody who reaches the relay: the ways in, each behind a single-use code or a password.
    Anyone,
    /// A paired device or a signed-in session of an account that has this role or a higher one.
    Device(Role),
    /// A signed-in session of such an account; no device.
    Session(Role),
    /// The operator alone.
    Operator,
}

/// How a request carries what is not in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// The remaining fields: JSON body of a `POST`, query of a `GET` or `DELETE`.
    Fields,
    /// A CSV file as the raw body, at most so many bytes.
    Csv {
        /// The limit.
        at_most_bytes: u64,
    },
}

/// An answer that has nothing to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Done {}

/// Why a request could not be written as method, path and rest.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// It is not an object of JSON.
    #[error("the request {name} is not an object")]
    NotAnObject {
        /// The endpoint.
        name: &'static str,
    },
    /// A parameter of the path is missing or is not text.
    #[error("the request {name} has no text for {{{parameter}}} of its path")]
    NoParameter {
        /// The endpoint.
        name: &'static str,
        /// The parameter.
        parameter: String,
    },
}

/// A request taken apart for the wire.
#[derive(Debug)]
pub struct Encoded {
    /// The path with its parameters filled in and percent-encoded.
    pub path: String,
    /// The remaining fields; null fields are left out.
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// Takes a request apart for the wire.
pub fn encode<R: Request>(request: &R) -> Result<Encoded, EncodeError> {
    let Ok(serde_json::Value::Object(mut fields)) = serde_json::to_value(request) else {
        return Err(EncodeError::NotAnObject { name: R::NAME });
    };
    fields.retain(|_, value| !value.is_null());
    let mut path = String::new();
    for segment in R::PATH.split('/').skip(1) {
        path.push('/');
        let parameter = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        let Some(parameter) = parameter else {
            path.push_str(segment);
            continue;
        };
        let Some(serde_json::Value::String(text)) = fields.remove(parameter) else {
            return Err(EncodeError::NoParameter {
                name: R::NAME,
                parameter: parameter.to_owned(),
            });
        };
        // A form writes a space as `+`, which a path reads as a plus sign (RFC 3986 §3.3).
        let escaped: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        path.push_str(&escaped.replace('+', "%20"));
    }
    Ok(Encoded { path, fields })
}

#[cfg(test)]
mod tests {
    use super::delivery::ListDeliveries;
    use super::*;
    use crate::id::CampaignId;

    #[test]
    fn a_request_survives_its_path_and_its_fields() {
        let request = ListDeliveries {
            campaign_id: CampaignId::new("cmp_a/b c+d"),
            state: None,
            limit: Some(7),
            after: None,
        };
        let encoded = encode(&request).unwrap();
        assert_eq!(encoded.path, "/v1/campaigns/cmp_a%2Fb%20c%2Bd/deliveries");
        assert_eq!(encoded.fields.len(), 1);
        let mut fields = encoded.fields;
        fields.insert("campaign_id".to_owned(), "cmp_a/b c+d".into());
        let decoded: ListDeliveries = serde_json::from_value(fields.into()).unwrap();
        assert_eq!(decoded, request);
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let mut fields = serde_json::Map::new();
        fields.insert("colour".to_owned(), "red".into());
        fields.insert("campaign_id".to_owned(), "cmp_1".into());
        let error = serde_json::from_value::<ListDeliveries>(fields.into()).unwrap_err();
        assert!(error.to_string().contains("colour"), "{error}");
    }
}
