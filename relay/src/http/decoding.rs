//! What a request asks, from the bytes that carry it: an object of JSON, a query, and then the request itself.
//! Pure. How many bytes are read is [`super::body`]'s, what is done about it the endpoint's.

use protocol::problem::{Code, Problem};
use protocol::request::Request;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::field::{read, tell};

/// The fields of a body of this `Content-Type`; no bytes are no fields.
pub fn parse_fields(content_type: &str, body: &[u8]) -> Result<Map<String, Value>, Problem> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = format!("expected Content-Type application/json, found {content_type:?}");
        return Err(Problem::new(Code::Invalid, detail));
    }
    serde_json::from_slice(body).map_err(|error| {
        let words = tell(&error.to_string());
        let detail = format!("the body is not an object of JSON: {words}");
        Problem::new(Code::Invalid, detail)
    })
}

/// The fields of a query, all of them texts.
pub fn parse_query(query: &str) -> Map<String, Value> {
    form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect()
}

/// The request that the parameters of its path and its other fields make; the problem names the field at fault,
/// where it is one.
pub fn parse_request<R: Request>(
    parameters: &[(&str, &str)],
    fields: &Map<String, Value>,
) -> Result<R, Problem> {
    let mut fields = fields.clone();
    for (name, value) in parameters {
        fields.insert((*name).to_owned(), Value::String((*value).to_owned()));
    }
    read(fields).map_err(|fault| {
        let mut problem = Problem::new(Code::Invalid, tell(&fault.words));
        problem.field = fault.field;
        problem
    })
}

#[cfg(test)]
mod tests {
    use protocol::request::delivery::ListDeliveries;
    use protocol::request::inbox::CreateInbox;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_in_the_wrong_field_is_not_told_back() {
        let token = "ya29.a0AfB_by";
        let Value::Object(fields) = json!({ "address": token, "provider": "openid" }) else {
            panic!("no object")
        };
        let address = parse_request::<CreateInbox>(&[], &fields).unwrap_err();
        let query = parse_query(&format!("limit={token}"));
        let limit =
            parse_request::<ListDeliveries>(&[("campaign_id", "cmp_1")], &query).unwrap_err();
        for (problem, field, expected) in [
            (address, "address", "expected a mail address"),
            (limit, "limit", "expected a number"),
        ] {
            assert_eq!(problem.field.as_deref(), Some(field));
            assert!(problem.detail.contains(expected), "{}", problem.detail);
            assert!(!problem.detail.contains(token), "{}", problem.detail);
        }
    }

    #[test]
    fn fields_come_as_an_object_of_json_only() {
        let json = "application/json; charset=utf-8";
        assert_eq!(parse_fields(json, br#"{"name":"x"}"#).unwrap().len(), 1);
        assert!(parse_fields("", b"").unwrap().is_empty());
        assert!(
            parse_fields("text/plain", br#"{"name":"x"}"#).is_err(),
            "a form can send that"
        );
        assert!(parse_fields(json, b"[1]").is_err());
        assert!(parse_fields(json, b"{").is_err());
    }
}
