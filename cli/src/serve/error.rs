//! What a request gets that is not answered: a status, and a body in OpenAI's form.

use core::fmt;
use hyper::StatusCode;
use serde::Serialize;

/// An error as clients of OpenAI's API read it.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    body: Body,
}

// `code` comes first: PicoClaw looks at the first 128 bytes for it.
#[derive(Clone, Debug, Serialize)]
struct Body {
    code: &'static str,
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'static str>,
}

#[derive(Serialize)]
struct Outer<'b> {
    error: &'b Body,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl fmt::Display) -> Self {
        let kind = match status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            503 => "overloaded_error",
            400..500 => "invalid_request_error",
            _ => "server_error",
        };
        Self { status, body: Body { code, message: message.to_string(), kind, param: None } }
    }

    /// The request says something that cannot be.
    pub(super) fn invalid(message: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// The field `param` has a value that cannot be.
    pub(super) fn param(param: &'static str, message: impl fmt::Display) -> Self {
        let message = format_args!("{param}: {message}");
        Self::new(StatusCode::BAD_REQUEST, "invalid_value", message).about(param)
    }

    /// A field has a value that cannot be, which `message` begins with.
    pub(super) fn value(message: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_value", message)
    }

    /// The request is right, and the field `param` of it is not supported.
    pub(super) fn unsupported(param: &'static str, message: impl fmt::Display) -> Self {
        let message = format_args!("{param}: {message}");
        Self::new(StatusCode::BAD_REQUEST, "unsupported_value", message).about(param)
    }

    /// The text is longer than the context.
    pub(super) fn context(tokens: usize, context: u32) -> Self {
        let message = format_args!(
            "the prompt has {tokens} tokens and the context window {context}: shorten it"
        );
        Self::new(StatusCode::BAD_REQUEST, "context_length_exceeded", message)
    }

    /// Something went wrong that is no fault of the request.
    pub(super) fn internal(message: impl fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
    }

    fn about(mut self, param: &'static str) -> Self {
        self.body.param = Some(param);
        self
    }

    pub(super) fn json(&self) -> Vec<u8> {
        // Strings and nothing else: there is nothing that could fail.
        serde_json::to_vec(&Outer { error: &self.body }).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_among_the_first_bytes() {
        let json = String::from_utf8(ApiError::context(40_000, 2048).json()).unwrap();
        assert!(json.starts_with(r#"{"error":{"code":"context_length_exceeded","#), "{json}");
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["error"]["type"], "invalid_request_error");
        assert!(value["error"]["param"].is_null());
        assert!(value["error"]["message"].as_str().unwrap().contains("40000 tokens"));
        let json = ApiError::param("top_p", "x").json();
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(
            (&value["error"]["param"], &value["error"]["message"]),
            (&"top_p".into(), &"top_p: x".into())
        );
    }
}
