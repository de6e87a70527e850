//! Reading requests: JSON bodies, query parameters and ids in paths, strictly and with errors that name the place.

use std::str::FromStr;
use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// Largest body.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;
/// Largest body that has the definitions of many jobs.
pub(super) const DEFINITIONS_BYTES_MAX: usize = 32 << 20;
/// Time that a client has to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A JSON body, of a request or of an answer. An absent body of a request counts as `{}`.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

/// What most handlers answer.
pub(super) type Answer<T> = Result<Json<T>, ApiError>;

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = has_json_type(request.headers());
        let bytes = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, state))
            .await
            .map_err(|_| ApiError::Timeout)?
            .map_err(|rejection| unread(rejection.status()))?;
        if !is_json && !bytes.is_empty() {
            return Err(ApiError::MediaType);
        }
        parse(if bytes.is_empty() { b"{}" } else { &bytes }).map(Self)
    }
}

/// Why a body could not be read.
fn unread(status: StatusCode) -> ApiError {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return ApiError::TooLarge;
    }
    ApiError::Malformed {
        field: None,
        message: "the body ended too early".to_owned(),
    }
}

/// Whether the body is declared as JSON.
pub(super) fn has_json_type(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            let media_type = value.split(';').next().unwrap_or_default().trim();
            media_type.eq_ignore_ascii_case("application/json")
        })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let field = (path != "." && !path.contains('?')).then_some(path);
        ApiError::Malformed {
            field,
            message: error.into_inner().to_string(),
        }
    })?;
    deserializer.end().map_err(|error| ApiError::Malformed {
        field: None,
        message: error.to_string(),
    })?;
    Ok(value)
}

/// Query parameters.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = parts.uri.query().unwrap_or_default();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
        serde_path_to_error::deserialize(pairs)
            .map(Self)
            .map_err(|error| {
                let path = error.path().to_string();
                ApiError::Parameter {
                    // A parameter that comes twice is an error of the whole.
                    name: if path == "." {
                        "query".to_owned()
                    } else {
                        path
                    },
                    message: error.into_inner().to_string(),
                    hint: None,
                }
            })
    }
}

/// An id in the path. Text that is no id names nothing that exists.
#[derive(Debug)]
pub(super) struct Id<T>(pub(super) T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::NotFound)?;
        text.parse().map(Self).map_err(|_| ApiError::NotFound)
    }
}

/// Two ids in the path.
#[derive(Debug)]
pub(super) struct Ids<T, U>(pub(super) T, pub(super) U);

impl<S: Send + Sync, T: FromStr, U: FromStr> FromRequestParts<S> for Ids<T, U> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path((first, second)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::NotFound)?;
        match (first.parse(), second.parse()) {
            (Ok(first), Ok(second)) => Ok(Self(first, second)),
            _ => Err(ApiError::NotFound),
        }
    }
}

#[cfg(test)]
mod tests {
    use cronfleet_api::job::JobCreate;
    use serde::Deserialize;

    use super::*;

    fn refusal(text: &str) -> (Option<String>, String) {
        match parse::<JobCreate>(text.as_bytes()) {
            Err(ApiError::Malformed { field, message }) => (field, message),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_with_a_body_is_named_with_its_place() {
        let group = "\"group_id\":\"00000000-0000-0000-0000-000000000001\"";
        let (field, message) = refusal(&format!("{{{group},\"spec\":{{\"name\":7}}}}"));
        assert_eq!(field.as_deref(), Some("spec.name"));
        assert!(message.contains("line 1 column"), "{message}");
        let (field, message) = refusal(&format!("{{{group},\"uid\":0}}"));
        assert_eq!(field.as_deref(), Some("uid"), "{message}");
        assert!(message.contains("unknown field `uid`"), "{message}");
        let (field, message) = refusal("{\n{");
        assert_eq!(field, None);
        assert!(message.contains("line 2"), "{message}");
        assert!(
            parse::<cronfleet_api::job::RunNow>(b"{} x").is_err(),
            "nothing may follow the value"
        );
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_query_is_named() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Filter {
            #[serde(rename = "limit")]
            _limit: Option<u32>,
        }
        let mut cases = Vec::new();
        for uri in ["/?limit=7", "/?limit=-1", "/?x=1", "/?limit=1&limit=2", "/"] {
            let (mut parts, ()) = http::Request::get(uri).body(()).unwrap().into_parts();
            let name = match Query::<Filter>::from_request_parts(&mut parts, &()).await {
                Ok(_) => None,
                Err(ApiError::Parameter { name, .. }) => Some(name),
                Err(other) => panic!("{other:?}"),
            };
            cases.push(name);
        }
        let names: Vec<Option<&str>> = cases.iter().map(Option::as_deref).collect();
        assert_eq!(names, [None, Some("limit"), Some("x"), Some("query"), None]);
    }
}
