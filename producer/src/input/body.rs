use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::problem::{Flaws, Kind, Problem};

/// What a client can ask for in a body. Its fields have defaults, so that one that is missing or does not fit hides
/// nothing about the others; which are required says its schema.
pub(crate) trait Command: Default + DeserializeOwned + ToSchema {
    /// Names everything that is wrong with the values.
    fn check(&self, flaws: &mut Flaws);
}

/// A command that has been checked.
pub(crate) struct Asked<T> {
    /// What is asked for.
    pub(crate) command: T,
    /// sha256 of method, path and body, whatever the order of its fields: the same request has the same.
    pub(crate) fingerprint: [u8; 32],
}

impl<S: Send + Sync, T: Command> FromRequest<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        check_type(&request)?;
        let target = format!("{} {}", request.method(), request.uri().path());
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| refused_bytes(&rejection))?;
        let mut body: Value = serde_json::from_slice(&bytes)
            .map_err(|error| Problem::new(Kind::Malformed, format!("the body is not JSON: {error}")))?;
        body.sort_all_objects();
        let fingerprint = Sha256::digest(format!("{target}\n{body}")).into();
        Ok(Self { command: read(body)?, fingerprint })
    }
}

fn check_type(request: &Request) -> Result<(), Problem> {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = format!("the body's Content-Type is {value:?}: send application/json");
    Err(Problem::new(Kind::UnsupportedType, detail))
}

fn refused_bytes(rejection: &BytesRejection) -> Problem {
    let too_large = rejection.status().as_u16() == 413;
    let kind = if too_large { Kind::TooLarge } else { Kind::Malformed };
    let hint = if too_large { " (api.max_body_bytes): pictures go to the bucket by a presigned URL" } else { "" };
    Problem::new(kind, format!("{}{hint}", rejection.body_text()))
}

/// Reads and checks a body, collecting all that is wrong with it.
fn read<T: Command>(body: Value) -> Result<T, Problem> {
    let Value::Object(mut fields) = body else {
        return Err(Problem::new(Kind::Malformed, "the body is not a JSON object"));
    };
    let mut flaws = Flaws::default();
    let shape = shape::<T>();
    for name in &shape.required {
        if fields.get(name).is_none_or(Value::is_null) {
            flaws.at(pointer(name), "is missing");
            fields.remove(name);
        }
    }
    fields.retain(|name, value| {
        let known = shape.known.contains(name);
        if !known {
            flaws.at(pointer(name), format!("is not known here; there are: {}", shape.known.join(", ")));
        } else if let Some(at) = find_nul(value, pointer(name)) {
            flaws.at(at, "holds a NUL character: leave it out");
            return false;
        }
        known
    });
    let command: T = typed(fields, &mut flaws);
    command.check(&mut flaws);
    // A field that is missing has its default, about which there is nothing further to say.
    let mut seen = std::collections::HashSet::new();
    flaws.0.retain(|flaw| seen.insert(flaw.pointer.as_deref().unwrap_or_default().to_owned()));
    flaws.refuse(Kind::Invalid)?;
    Ok(command)
}

/// Reads the fields, setting aside the ones that do not fit.
fn typed<T: Command>(mut fields: Map<String, Value>, flaws: &mut Flaws) -> T {
    loop {
        let error = match serde_path_to_error::deserialize::<_, T>(Value::Object(fields.clone())) {
            Ok(command) => return command,
            Err(error) => error,
        };
        let path: Vec<String> = error.path().iter().map(ToString::to_string).collect();
        let reason = error.into_inner().to_string();
        let at: String = path.iter().map(|part| pointer(part.trim_matches(['[', ']']))).collect();
        flaws.at(at, reason);
        if path.first().is_none_or(|name| fields.remove(name).is_none()) {
            return T::default();
        }
    }
}

/// The fields of a command, as its schema tells them.
struct Shape {
    known: Vec<String>,
    required: Vec<String>,
}

fn shape<T: ToSchema>() -> Shape {
    match T::schema() {
        RefOr::T(Schema::Object(object)) => {
            Shape { known: object.properties.keys().cloned().collect(), required: object.required }
        }
        _ => Shape { known: Vec::new(), required: Vec::new() },
    }
}

fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Where in a value a NUL stands, which jsonb and text cannot hold.
fn find_nul(value: &Value, at: String) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then_some(at),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| find_nul(item, format!("{at}/{index}")))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            if name.contains('\0') { Some(at.clone()) } else { find_nul(value, format!("{at}{}", pointer(name))) }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, Deserialize, ToSchema)]
    #[serde(default)]
    struct Sample {
        #[schema(required)]
        name: String,
        #[schema(required)]
        size: u64,
        tags: Vec<String>,
        params: Value,
    }

    impl Command for Sample {
        fn check(&self, flaws: &mut Flaws) {
            if self.name.is_empty() {
                flaws.at("/name", "is empty");
            }
        }
    }

    fn pointers(body: Value) -> Vec<String> {
        let problem = read::<Sample>(body).expect_err("it is refused");
        match serde_json::to_value(problem.errors()).expect("flaws are JSON") {
            Value::Array(flaws) => {
                flaws.iter().map(|flaw| flaw["pointer"].as_str().unwrap_or_default().to_owned()).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let body = json!({ "size": "many", "tags": ["a", 5], "colour": 1, "params": { "a": ["\0"] } });
        let mut pointers = pointers(body);
        pointers.sort();
        assert_eq!(pointers, ["/colour", "/name", "/params/a/0", "/size", "/tags/1"]);
    }

    #[test]
    fn a_required_field_that_is_null_is_missing() {
        assert_eq!(pointers(json!({ "name": null, "size": 1 })), ["/name"]);
    }

    #[test]
    fn what_fits_is_read() {
        let sample: Sample = read(json!({ "name": "n", "size": 1, "tags": ["t"] })).expect("it fits");
        assert_eq!((sample.name.as_str(), sample.size, sample.tags.len()), ("n", 1, 1));
    }
}
