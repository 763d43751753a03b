//! The OpenAPI 3.1 document, made from the types of `protocol`.

use http::Method;
use protocol::key::Scope;
use protocol::problem::{ListProblem, Problem};
use protocol::request::{Body, Caller, Request};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The document so far.
pub(super) struct Document {
    paths: Map<String, Value>,
    generator: SchemaGenerator,
}

impl Document {
    pub(super) fn new() -> Self {
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = "/components/schemas".into();
        Self {
            paths: Map::new(),
            generator: settings.into_generator(),
        }
    }

    /// Adds an endpoint.
    pub(super) fn describe<R: Request>(&mut self) {
        let request = R::json_schema(&mut self.generator);
        let request = request.as_object().cloned().unwrap_or_default();
        let answer = self.generator.subschema_for::<R::Response>();
        let refusal = match R::BODY {
            Body::Csv { .. } => self.generator.subschema_for::<ListProblem>(),
            Body::Fields => self.generator.subschema_for::<Problem>(),
        };
        let Parts {
            mut parameters,
            rest,
        } = take_apart(R::PATH, request);
        let mut responses = Map::new();
        responses.insert(
            "200".to_owned(),
            content_of("Done.", "application/json", answer.as_value()),
        );
        if R::METHOD == Method::GET {
            let known = json!({ "description": "As `If-None-Match` knows it." });
            responses.insert("304".to_owned(), known);
        }
        let refused = content_of(
            "Refused, or failed.",
            "application/problem+json",
            refusal.as_value(),
        );
        responses.insert("default".to_owned(), refused);
        let mut operation = Map::new();
        operation.insert("operationId".to_owned(), R::NAME.into());
        operation.insert("summary".to_owned(), R::SUMMARY.into());
        operation.insert(
            "description".to_owned(),
            said_of(R::CALLER, R::SCOPE).into(),
        );
        operation.insert("security".to_owned(), security_of(R::CALLER));
        operation.insert("responses".to_owned(), responses.into());
        match R::BODY {
            Body::Csv { at_most_bytes } => {
                let description = format!("At most {at_most_bytes} bytes.");
                let body = content_of(&description, "text/csv", &json!({ "type": "string" }));
                operation.insert("requestBody".to_owned(), body);
                parameters.extend(rest.into_query());
            }
            Body::Fields if R::METHOD != Method::POST => parameters.extend(rest.into_query()),
            Body::Fields if rest.has_fields() => {
                let body = content_of(
                    "What the path does not say.",
                    "application/json",
                    &rest.schema.into(),
                );
                operation.insert("requestBody".to_owned(), body);
            }
            Body::Fields => {}
        }
        if !parameters.is_empty() {
            operation.insert("parameters".to_owned(), parameters.into());
        }
        let methods = self
            .paths
            .entry(R::PATH)
            .or_insert_with(|| Map::new().into());
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(R::METHOD.as_str().to_ascii_lowercase(), operation.into());
        }
    }

    pub(super) fn render(&self) -> String {
        let document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Unpause relay",
                "version": env!("CARGO_PKG_VERSION"),
                "license": { "name": "MIT", "identifier": "MIT" },
            },
            "paths": self.paths,
            "components": {
                "schemas": self.generator.definitions(),
                "securitySchemes": {
                    "bearer": { "type": "http", "scheme": "bearer" },
                    "operator": {
                        "type": "http",
                        "scheme": "unix-socket",
                        "description": "The relay's own Unix socket in its data folder; over the network nobody may do this.",
                    },
                    "signature": {
                        "type": "apiKey",
                        "in": "header",
                        "name": "Signature",
                        "description": "HTTP message signature (RFC 9421) by the key of a paired device, \
                            with Signature-Input and Content-Digest (RFC 9530).",
                    },
                },
            },
        });
        // `{:#}` of a JSON value cannot fail, and its maps are sorted: the same text every time.
        format!("{document:#}\n")
    }
}

/// A request's schema, its path taken out.
struct Parts {
    parameters: Vec<Value>,
    rest: Rest,
}

/// The schema of what is not in the path.
struct Rest {
    schema: Map<String, Value>,
}

impl Rest {
    fn properties(&self) -> Map<String, Value> {
        self.schema
            .get("properties")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    }

    fn has_fields(&self) -> bool {
        !self.properties().is_empty()
    }

    fn into_query(self) -> impl Iterator<Item = Value> {
        let required = self
            .schema
            .get("required")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        self.properties().into_iter().map(move |(name, schema)| {
            let is_required = required.iter().any(|required| required == &name);
            json!({ "name": name, "in": "query", "required": is_required, "schema": schema })
        })
    }
}

fn take_apart(path: &str, mut schema: Map<String, Value>) -> Parts {
    let names: Vec<&str> = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .collect();
    let mut parameters = Vec::new();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for name in &names {
            let schema = properties
                .remove(*name)
                .unwrap_or_else(|| json!({ "type": "string" }));
            parameters
                .push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
        }
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|field| !names.iter().any(|name| field == name));
    }
    for said_elsewhere in ["title", "description", "$schema"] {
        schema.remove(said_elsewhere);
    }
    if schema
        .get("required")
        .and_then(Value::as_array)
        .is_some_and(Vec::is_empty)
    {
        schema.remove("required");
    }
    Parts {
        parameters,
        rest: Rest { schema },
    }
}

fn content_of(description: &str, kind: &str, schema: &Value) -> Value {
    json!({ "description": description, "content": { kind: { "schema": schema } } })
}

fn said_of(caller: Caller, scope: Option<Scope>) -> String {
    let least = match caller {
        Caller::Anyone => {
            return "For anybody who has a single-use code, or a name and its password.".to_owned();
        }
        Caller::Operator => return "For the operator alone, by the relay's own socket; by no device and in no session.".to_owned(),
        Caller::Device(least) | Caller::Session(least) => least,
    };
    let (device, no_device) = match caller {
        Caller::Device(_) => ("a paired device, ", ""),
        _ => ("", ", by no device"),
    };
    let key = match scope {
        Some(scope) => format!("an API key with the scope `{scope}`, "),
        None => String::new(),
    };
    format!("For {device}{key}a session or the operator{no_device}; the least role is {least}.")
}

fn security_of(caller: Caller) -> Value {
    match caller {
        Caller::Anyone => json!([]),
        Caller::Operator => json!([{ "operator": [] }]),
        Caller::Device(_) => json!([{ "signature": [] }, { "bearer": [] }]),
        Caller::Session(_) => json!([{ "bearer": [] }]),
    }
}
