//! `picolm serve`: several texts at the same time, and what is not computed twice.

use crate::common::model;
use crate::server::{Answer, Server, parse, text_of};
use core::time::Duration;
use picolm_core::sampler::Rng;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::time::Instant;

/// Rounds of eight clients: `PICOLM_ROUNDS`, or few.
fn rounds() -> u64 {
    let rounds = std::env::var("PICOLM_ROUNDS");
    rounds.map_or(3, |rounds| rounds.parse().expect("PICOLM_ROUNDS is a number"))
}

/// Requests that differ in all that a text may depend on, with their paths. Drafts are not among
/// it: the server writes each token from a pass of its own.
fn requests(count: usize) -> Vec<(&'static str, Value)> {
    (0..count).map(request).collect()
}

fn request(index: usize) -> (&'static str, Value) {
    let words = "to be or not to be, that is the question: ";
    let prompt = words.repeat(1 + index % 3) + &format!("text {}", index % 5);
    let temperature = [0.0, 0.7, 1.3][index % 3];
    let mut body = json!({"max_tokens": 5 + 7 * (index % 4), "seed": index,
        "temperature": temperature, "stream": index.is_multiple_of(2)});
    let object = json!({"type": "object", "required": ["a", "b"], "additionalProperties": false,
        "properties": {"a": {"type": "integer", "maximum": 99}, "b": {"enum": ["x", "yz"]}}});
    let others = match index % 8 {
        1 => json!({"response_format": {"type": "json_object"}}),
        2 => json!({"frequency_penalty": 0.5, "logit_bias": {"100": 3}}),
        3 => json!({"logprobs": 2}),
        4 => json!({"stop": ["e", "zq"]}),
        5 => json!({"max_tokens": 60, "response_format":
            {"type": "json_schema", "json_schema": {"name": "n", "schema": object}}}),
        6 | 7 => {
            let tool = json!({"name": "look", "parameters": object});
            let choice = if index.is_multiple_of(3) { "auto" } else { "required" };
            json!({"max_tokens": 120, "tools": [{"type": "function", "function": tool}],
                   "tool_choice": choice})
        }
        _ => json!({}),
    };
    extend(&mut body, others);
    if body["stream"] == true {
        extend(&mut body, json!({"stream_options": {"include_usage": true}}));
    }
    let is_chat = index % 8 > 4;
    let prompt = match is_chat {
        true => json!({"messages": [{"role": "user", "content": prompt}]}),
        false => json!({"prompt": prompt}),
    };
    extend(&mut body, prompt);
    (if is_chat { "/v1/chat/completions" } else { "/v1/completions" }, body)
}

fn extend(body: &mut Value, more: Value) {
    let Value::Object(more) = more else { return };
    body.as_object_mut().unwrap().extend(more);
}

/// All that an answer, whole or streamed, says of its text: the text, the calls, the scores, why
/// it ended and how many tokens it took.
fn outcome(answer: &Answer, body: &Value) -> Value {
    let parts = if body["stream"] == true { answer.parts() } else { vec![answer.ok()] };
    let (mut calls, mut scores, mut finish) = (String::new(), Vec::new(), Value::Null);
    for choice in parts.iter().filter_map(|part| part["choices"].get(0)) {
        let message = choice.get("message").or(choice.get("delta"));
        for call in message.and_then(|it| it["tool_calls"].as_array()).into_iter().flatten() {
            calls += call["function"]["name"].as_str().unwrap_or("");
            calls += call["function"]["arguments"].as_str().unwrap();
        }
        let some = choice["logprobs"]["token_logprobs"].as_array();
        scores.extend(some.into_iter().flatten().cloned());
        if choice["finish_reason"].is_string() {
            finish = choice["finish_reason"].clone();
        }
    }
    let tokens = &parts.last().unwrap()["usage"]["completion_tokens"];
    json!([text_of(&parts), calls, scores, finish, tokens])
}

/// Every text, among others that come and go, is the text alone.
fn texts_are_those_alone(path: &str, arguments: &[&str]) {
    const FORM: [&str; 4] = ["--chat-template", "chatml", "-c", "1024"];
    let requests = requests(24);
    let alone: Vec<_> = requests
        .iter()
        .map(|(endpoint, body)| {
            // A server that has seen nothing else.
            let server = Server::start(path, &[&FORM[..], &["-j", "1"]].concat());
            outcome(&server.post(endpoint, &body.to_string()), body)
        })
        .collect();
    let server = Server::start(path, &[&FORM[..], arguments].concat());
    for round in 0..rounds() {
        std::thread::scope(|scope| {
            for worker in 0..8 {
                let (server, requests, alone) = (&server, &requests, &alone);
                scope.spawn(move || {
                    let mut random = Rng::new(8 * round + worker);
                    for _ in 0..3 {
                        come_and_go(server, requests, alone, &mut random);
                    }
                });
            }
        });
    }
    server.wait_for("picolm_texts_running", |running| running == 0.0);
    let log = server.log();
    let left = log.iter().filter(|line| line.ends_with("client left")).count();
    assert!(left > 0, "nobody left: {log:?}");
}

/// Sends one of the requests after a while, and waits for its text or leaves before.
fn come_and_go(server: &Server, requests: &[(&str, Value)], alone: &[Value], random: &mut Rng) {
    let mut below = |limit: u64| random.next_u64() % limit;
    let index = below(requests.len() as u64) as usize;
    let (endpoint, body) = &requests[index];
    let pause = [0, 0, 2, 20][below(4) as usize];
    std::thread::sleep(Duration::from_millis(below(pause + 1)));
    if below(4) > 0 {
        let answer = loop {
            let answer = server.post(endpoint, &body.to_string());
            // Those that left take places in the queue until they are missed.
            if answer.status != 503 {
                break answer;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(outcome(&answer, body), alone[index], "{body}");
        return;
    }
    let mut stream = server.begin(endpoint, &body.to_string());
    // Before the prompt is read, within it, or within the text.
    let patience = Duration::from_millis(1 + below(40));
    let mut left = below(2000) as usize;
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut some = [0; 200];
    while left > 0
        && let Ok(read @ 1..) = stream.read(&mut some)
    {
        left = left.saturating_sub(read);
    }
}

#[test]
fn eight_at_once_are_each_the_text_alone() {
    texts_are_those_alone(&model("llama"), &["--slots", "8", "-j", "2"]);
}

#[test]
fn fewer_slots_than_texts_change_nothing() {
    texts_are_those_alone(&model("llama"), &["--slots", "2", "-j", "1"]);
}

#[test]
fn recurrent_texts_are_the_texts_alone() {
    texts_are_those_alone(&model("falcon_h1_norm"), &["--slots", "3", "-j", "1"]);
}

fn completion(server: &Server, prompt: &[u32], rest: Value) -> Value {
    let mut body = json!({"prompt": prompt, "max_tokens": 4, "temperature": 0});
    body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    server.post("/v1/completions", &body.to_string()).ok()
}

fn cached(answer: &Value) -> u64 {
    answer["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap()
}

fn tokens(count: u32, seed: u32) -> Vec<u32> {
    (0..count).map(|index| 10 + (index * 7 + seed * 13 + index * index) % 300).collect()
}

#[test]
fn nothing_is_computed_twice() {
    let server = Server::start(&model("llama"), &["--slots", "2", "-j", "1", "-c", "256"]);
    let first = tokens(150, 1);
    let answer = completion(&server, &first, json!({}));
    assert_eq!(cached(&answer), 0);
    // Another last message.
    let mut second = first.clone();
    second.truncate(140);
    second.extend(tokens(20, 2));
    let answer = completion(&server, &second, json!({}));
    assert!(cached(&answer) >= 128, "{answer}");
    // Both have a slot: each is there as a whole.
    for prompt in [&first, &second] {
        let answer = completion(&server, prompt, json!({}));
        assert!(cached(&answer) >= 128, "{answer}");
    }
    // A third takes the place of one; what they have in common stays.
    let mut third = first.clone();
    third.truncate(100);
    third.extend(tokens(90, 3));
    assert!(cached(&completion(&server, &third, json!({}))) >= 64);
    for prompt in [&first, &second, &third, &first] {
        assert!(cached(&completion(&server, prompt, json!({}))) >= 64);
    }
    // A text of its own, then one that is not.
    assert_eq!(cached(&completion(&server, &tokens(150, 9), json!({}))), 0);
    assert!(cached(&completion(&server, &third, json!({}))) >= 64);
}

#[test]
fn a_text_of_a_turn_is_there_for_the_next() {
    for name in ["llama", "falcon_h1_norm", "qwen35_mtp"] {
        let server = Server::start(&model(name), &["-j", "1", "-c", "256"]);
        let first = tokens(100, 1);
        let answer = completion(&server, &first, json!({}));
        assert_eq!(cached(&answer), 0, "{name}");
        let mut next = first.clone();
        next.extend(tokens(30, 2));
        let answer = completion(&server, &next, json!({}));
        assert!(cached(&answer) >= 100, "{name}: {answer}");
        let fresh = Server::start(&model(name), &["-j", "1", "-c", "256"]);
        let alone = completion(&fresh, &next, json!({}));
        assert_eq!(alone["choices"][0]["text"], answer["choices"][0]["text"], "{name}");
    }
}

#[test]
fn blocks_are_shared_with_a_text_in_progress() {
    let server = Server::start(&model("llama"), &["--slots", "4", "-j", "1", "-c", "256"]);
    let common = tokens(200, 1);
    let alone: Vec<_> = (0..4)
        .map(|index| {
            let prompt = [&common[..], &tokens(10, 5 + index)].concat();
            let fresh = Server::start(&model("llama"), &["-j", "1", "-c", "256"]);
            completion(&fresh, &prompt, json!({"max_tokens": 30}))["choices"][0]["text"].clone()
        })
        .collect();
    for _ in 0..3 {
        std::thread::scope(|scope| {
            for (index, alone) in (0..).zip(&alone) {
                let (server, common) = (&server, &common);
                scope.spawn(move || {
                    let prompt = [&common[..], &tokens(10, 5 + index)].concat();
                    let answer = completion(server, &prompt, json!({"max_tokens": 30}));
                    assert_eq!(&answer["choices"][0]["text"], alone);
                });
            }
        });
    }
    let computed =
        server.metric("picolm_prompt_tokens_total") - server.metric("picolm_cached_tokens_total");
    assert!(computed < 12.0 * 210.0 / 2.0, "{computed}");
}

/// The larger model, on which a prompt takes a while.
fn slow_model() -> String {
    std::env::var("PICOLM_MODEL").expect("PICOLM_MODEL names a model: ci/test sets it")
}

fn slow_prompt(words: usize) -> String {
    (0..words).map(|index| format!("word {index} ")).collect()
}

#[test]
fn a_request_that_is_cut_off_leaves_what_was_computed() {
    let server = Server::start(&slow_model(), &["-j", "1", "-c", "2048"]);
    let body = json!({"prompt": slow_prompt(200), "max_tokens": 2, "temperature": 0}).to_string();
    let stream = server.begin("/v1/completions", &body);
    server.wait_for("picolm_rows_total", |rows| rows > 100.0);
    drop(stream);
    // It ends within a pass.
    server.wait_for("picolm_texts_running", |running| running == 0.0);
    let rows = server.metric("picolm_rows_total");
    assert!(rows < 700.0, "{rows}");
    let answer = server.post("/v1/completions", &body).ok();
    assert_eq!(cached(&answer) as f64, rows);
    assert!(server.log().iter().any(|line| line.ends_with("client left")), "{:?}", server.log());
}

#[test]
fn everything_else_is_answered_while_a_prompt_is_read() {
    let server = Server::start(&slow_model(), &["-j", "1", "-c", "2048"]);
    let body = json!({"prompt": slow_prompt(200), "max_tokens": 1}).to_string();
    let mut stream = server.begin("/v1/completions", &body);
    server.wait_for("picolm_rows_total", |rows| rows > 0.0);
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        for path in ["/health", "/v1/models", "/api/tags", "/props", "/metrics"] {
            let begun = Instant::now();
            assert_eq!(server.get(path).status, 200);
            slowest = slowest.max(begun.elapsed());
        }
        let begun = Instant::now();
        server.post("/tokenize", r#"{"content":"Hello"}"#).ok();
        slowest = slowest.max(begun.elapsed());
    }
    assert_eq!(server.metric("picolm_texts_running"), 1.0, "the prompt is too short for the test");
    // 100 ms on a machine of one's own; PicoClaw waits for 800.
    assert!(slowest < Duration::from_millis(800), "{slowest:?}");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    parse(&answer).ok();
}

#[test]
fn a_stream_goes_on_while_another_prompt_is_read() {
    let server = Server::start(&slow_model(), &["-j", "1", "-c", "2048", "--slots", "2"]);
    let body = json!({"prompt": "Once upon a time", "max_tokens": 2000, "temperature": 0,
                      "logit_bias": {"0": -100, "2": -100}, "stream": true});
    let mut stream = server.begin("/v1/completions", &body.to_string());
    let mut some = [0; 4096];
    assert!(stream.read(&mut some).unwrap() > 0);
    server.wait_for("picolm_passes_total", |passes| passes > 5.0);
    let written =
        || server.metric("picolm_rows_total") - server.metric("picolm_prompt_tokens_total");
    let before = server.metric("picolm_passes_total");
    let long = json!({"prompt": slow_prompt(60), "max_tokens": 1}).to_string();
    let answer = server.post("/v1/completions", &long).ok();
    let passes = server.metric("picolm_passes_total") - before;
    let prompt = answer["usage"]["prompt_tokens"].as_f64().unwrap();
    // The prompt came in several pieces, and each pass has written a token of the stream.
    assert!(passes >= 2.0, "{passes} passes for {prompt} tokens");
    assert!(written() > 0.0);
    drop(stream);
    server.wait_for("picolm_texts_running", |running| running == 0.0);
}

#[test]
fn a_full_queue_says_when_to_come_again() {
    let server = Server::start(&slow_model(), &["-j", "1", "-c", "2048"]);
    let body = json!({"prompt": slow_prompt(200), "max_tokens": 1}).to_string();
    let held: Vec<_> = (0..5).map(|_| server.begin("/v1/completions", &body)).collect();
    server.wait_for("picolm_texts_waiting", |waiting| waiting == 4.0);
    let answer = server.post("/v1/completions", &body);
    assert_eq!((answer.status, answer.code()), (503, "overloaded".into()));
    assert!(answer.head.contains("retry-after: "), "{}", answer.head);
    assert_eq!(server.get("/health").status, 200);
    drop(held);
    server.wait_for("picolm_texts_running", |running| running == 0.0);
    let short = r#"{"prompt":"a","max_tokens":1}"#;
    server.post("/v1/completions", short).ok();
}

#[test]
fn a_connection_is_kept_for_several_requests() {
    let server = Server::start(&model("llama"), &["-j", "1"]);
    let mut stream = server.connect();
    for _ in 0..3 {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut bytes = [0; 1024];
        let count = stream.read(&mut bytes).unwrap();
        assert!(bytes[..count].starts_with(b"HTTP/1.1 200"));
    }
    assert_eq!(server.metric("picolm_connections"), 2.0);
}
