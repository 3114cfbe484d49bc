//! From a request's head to who answers it.

use super::answer::{About, Answer, Step, json};
use super::body::Reply;
use super::connections::{Busy, Connections};
use super::error::ApiError;
use super::guard::Guard;
use super::job::{self, Endpoint, Event, Form, Place, Received, Task};
use super::log::Line;
use super::metrics::Metrics;
use core::convert::Infallible;
use core::future::poll_fn;
use core::pin::Pin;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use hyper::body::{Body, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Longest time for a body.
const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// What a client that found the queue full is told to wait, in seconds.
const RETRY_SECONDS: &str = "2";

/// What connections have in common.
pub(super) struct State {
    pub(super) guard: Guard,
    pub(super) connections: Connections,
    pub(super) metrics: Arc<Metrics>,
    /// To the thread that understands bodies.
    pub(super) tasks: Sender<Task>,
    /// Requests that may be waiting or computing.
    pub(super) queue: Arc<Semaphore>,
    pub(super) limit_bytes: u64,
    pub(super) model: ModelCard,
    pub(super) is_quiet: bool,
    /// For names of answers.
    pub(super) answers: AtomicU64,
}

/// What the server says of its model.
pub(super) struct ModelCard {
    pub(super) name: String,
    pub(super) file_bytes: u64,
    pub(super) context: u32,
    pub(super) slots: u32,
    /// Seconds since 1970.
    pub(super) started: u64,
    pub(super) embeds: bool,
    pub(super) chat_form: Option<&'static str>,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Health,
    Models,
    Tags,
    Props,
    Metrics,
    Body(Endpoint),
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/health" | "/v1/health" => Self::Health,
            "/v1/models" | "/models" => Self::Models,
            "/api/tags" => Self::Tags,
            "/props" => Self::Props,
            "/metrics" => Self::Metrics,
            "/v1/chat/completions" | "/chat/completions" => Self::Body(Endpoint::Chat),
            "/v1/completions" | "/completions" => Self::Body(Endpoint::Completion),
            "/v1/embeddings" | "/embeddings" => Self::Body(Endpoint::Embeddings),
            "/tokenize" => Self::Body(Endpoint::Tokenize),
            "/detokenize" => Self::Body(Endpoint::Detokenize),
            _ => return None,
        })
    }

    const fn method(self) -> Method {
        match self {
            Self::Body(_) => Method::POST,
            _ => Method::GET,
        }
    }
}

/// Answers a request that came on a connection with so many `requests`.
pub(super) async fn answer(
    state: Arc<State>,
    requests: Arc<AtomicUsize>,
    request: Request<Incoming>,
) -> Result<Response<Reply>, Infallible> {
    let route = Route::of(request.uri().path());
    let Some(busy) = Busy::begin(&state, &requests, route == Some(Route::Health)) else {
        state.metrics.add_answer(503);
        return Ok(failure(&overloaded("too many connections")));
    };
    // A name of a path that there is not may hold anything.
    let logged = route.is_some_and(|route| route != Route::Health) && !state.is_quiet;
    let logged = logged.then(|| format!("{} {}", request.method(), request.uri().path()));
    let line = Line::new(logged, state.metrics.clone(), busy);
    Ok(match checked(&state, route, &request) {
        Ok(Route::Body(endpoint)) => with_body(&state, endpoint, request, line).await,
        Ok(route) => finished(line, at_once(&state, route)),
        Err(error) => finished(line, Err(error)),
    })
}

/// The route of a request that may be answered.
fn checked(
    state: &State,
    route: Option<Route>,
    request: &Request<Incoming>,
) -> Result<Route, ApiError> {
    state.guard.check_source(request.headers())?;
    if route != Some(Route::Health) {
        state.guard.check_key(request.headers())?;
    }
    let Some(route) = route else {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is no such path"));
    };
    let method = route.method();
    if *request.method() != method {
        let message = format_args!("the path takes {method} alone");
        return Err(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message));
    }
    Guard::check_encoding(request.headers())?;
    Ok(route)
}

/// The whole answer of a request, whose line ends.
fn finished(mut line: Line, json: Result<Response<Reply>, ApiError>) -> Response<Reply> {
    let response = json.unwrap_or_else(|error| failure(&error));
    line.status(response.status().as_u16());
    line.done(super::answer::Counts::default());
    response
}

/// An answer that takes no time.
fn at_once(state: &State, route: Route) -> Result<Response<Reply>, ApiError> {
    let card = &state.model;
    match route {
        Route::Metrics => {
            let text = state.metrics.text().into_bytes();
            Ok(reply(StatusCode::OK, "text/plain; version=0.0.4", Reply::bytes(text)))
        }
        Route::Models => card.models().map(ok),
        Route::Tags => card.tags().map(ok),
        Route::Props => card.props().map(ok),
        Route::Health | Route::Body(_) => Ok(ok(br#"{"status":"ok"}"#.to_vec())),
    }
}

/// Answers a request with a body, once that is there.
async fn with_body(
    state: &Arc<State>,
    endpoint: Endpoint,
    request: Request<Incoming>,
    mut line: Line,
) -> Response<Reply> {
    let body = match timeout(BODY_PATIENCE, read(request.into_body(), state.limit_bytes)).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return finished(line, Err(error)),
        Err(_) => {
            let message = "the body took too long";
            let error = ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", message);
            return finished(line, Err(error));
        }
    };
    let mut place = None;
    if endpoint.computes() {
        match state.queue.clone().try_acquire_owned() {
            Ok(permit) => line.keep(place.insert(Place::new(permit)).clone()),
            Err(_) => return finished(line, Err(overloaded("the queue is full"))),
        }
    }
    let (sender, mut events) = job::events();
    let task = Task { endpoint, body, events: sender, place };
    let form = match state.tasks.send(task) {
        Ok(()) => events.recv().await,
        Err(_) => None,
    };
    let form = match form {
        Some(Event::Understood(form)) => form,
        Some(Event::Answer(json)) => return finished(line, Ok(ok(json))),
        Some(Event::Failed(error)) => return finished(line, Err(error)),
        _ => return finished(line, Err(overloaded("the server ends"))),
    };
    let answer = Answer::new(state.about(endpoint, form));
    if answer.streams() {
        line.status(200);
        let stream = Reply::stream(events, answer, line);
        let mut response = reply(StatusCode::OK, "text/event-stream", stream);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        return response;
    }
    whole(events, answer, line).await
}

/// The answer as a whole.
async fn whole(mut events: Received, mut answer: Answer, mut line: Line) -> Response<Reply> {
    loop {
        let step = match events.recv().await {
            Some(event) => answer.take(event),
            None => Step::End(Err(overloaded("the server ends"))),
        };
        line.counted(answer.counts);
        if let Step::End(json) = step {
            let response = json.map_or_else(|error| failure(&error), ok);
            line.status(response.status().as_u16());
            line.done(answer.counts);
            return response;
        }
    }
}

/// Reads a body of at most `limit` bytes.
async fn read(mut body: Incoming, limit: u64) -> Result<Vec<u8>, ApiError> {
    let too_large = || {
        let message = format_args!("the body is longer than {limit} bytes");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message)
    };
    if body.size_hint().lower() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| ApiError::invalid(format_args!("the body: {error}")))?;
        if let Some(data) = frame.data_ref() {
            if (bytes.len() + data.len()) as u64 > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}

fn overloaded(message: &str) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message)
}

/// The answer to a request that is refused.
fn failure(error: &ApiError) -> Response<Reply> {
    let mut response = reply(error.status, "application/json", Reply::bytes(error.json()));
    let header = match error.status {
        StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, "Bearer")),
        StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, RETRY_SECONDS)),
        StatusCode::METHOD_NOT_ALLOWED => Some((ALLOW, "GET, POST")),
        _ => None,
    };
    if let Some((name, value)) = header {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn ok(json: Vec<u8>) -> Response<Reply> {
    reply(StatusCode::OK, "application/json", Reply::bytes(json))
}

fn reply(status: StatusCode, content: &'static str, body: Reply) -> Response<Reply> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content));
    response
}

impl State {
    /// What an answer says of itself.
    fn about(&self, endpoint: Endpoint, form: Form) -> About {
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        let prefix = if endpoint == Endpoint::Chat { "chatcmpl" } else { "cmpl" };
        let created = now();
        let id = format!("{prefix}-{created:x}{number:08x}");
        About { id, created, model: self.model.name.clone(), form }
    }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs()
}

impl ModelCard {
    fn models(&self) -> Result<Vec<u8>, ApiError> {
        #[derive(Serialize)]
        struct List<'m> {
            object: &'static str,
            data: [Model<'m>; 1],
        }
        #[derive(Serialize)]
        struct Model<'m> {
            id: &'m str,
            object: &'static str,
            created: u64,
            owned_by: &'static str,
            context_length: u32,
        }
        let model = Model {
            id: &self.name,
            object: "model",
            created: self.started,
            owned_by: "picolm",
            context_length: self.context,
        };
        json(&List { object: "list", data: [model] })
    }

    /// Ollama's list of models.
    fn tags(&self) -> Result<Vec<u8>, ApiError> {
        #[derive(Serialize)]
        struct List<'m> {
            models: [Model<'m>; 1],
        }
        #[derive(Serialize)]
        struct Model<'m> {
            name: &'m str,
            model: &'m str,
            size: u64,
        }
        let model = Model { name: &self.name, model: &self.name, size: self.file_bytes };
        json(&List { models: [model] })
    }

    /// What llama-server's clients look for.
    fn props(&self) -> Result<Vec<u8>, ApiError> {
        #[derive(Serialize)]
        struct Props<'m> {
            model_alias: &'m str,
            total_slots: u32,
            default_generation_settings: Settings,
            chat_template: Option<&'static str>,
            embeds: bool,
            build_info: &'static str,
        }
        #[derive(Serialize)]
        struct Settings {
            n_ctx: u32,
        }
        json(&Props {
            model_alias: &self.name,
            total_slots: self.slots,
            default_generation_settings: Settings { n_ctx: self.context },
            chat_template: self.chat_form,
            embeds: self.embeds,
            build_info: concat!("picolm ", env!("CARGO_PKG_VERSION")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_word_by_word() {
        assert_eq!(Route::of("/v1/chat/completions"), Some(Route::Body(Endpoint::Chat)));
        for path in
            ["/", "", "/v1", "/v1/models/", "/../health", "/HEALTH", "/v1/chat/completionsx"]
        {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }
}
