//! `picolm serve` as PicoClaw uses it: its tools, its requests, its probe, and a whole turn.

use crate::common::{long_model, model};
use crate::picoclaw_tools::{allows, tools};
use crate::server::{Server, parse};
use core::time::Duration;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::time::Instant;

/// The system message: what stays, then what changes with each minute.
fn system(minute: u32) -> String {
    format!(
        "# picoclaw\n\nYou are picoclaw, a helpful AI assistant on a small board.\n\n\
         ## Workspace\n/root/.picoclaw/workspace\n\n## Rules\n{}\n---\n\n\
         ## Current Time\n2026-06-13 10:0{minute} (Saturday)\n\n## Runtime\nlinux riscv64\n\n\
         ## Current Session\nChannel: telegram\nChat ID: 7",
        "1. ALWAYS use tools when an action is asked for. 2. Be brief and accurate.\n".repeat(4)
    )
}

/// A request as PicoClaw spells it, headers included.
fn request(messages: &[Value], more: &Value) -> Vec<u8> {
    let mut body = json!({
        "model": "local", "messages": messages, "tools": tools(), "tool_choice": "auto",
        "max_tokens": 32768, "temperature": 0.7
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let body = body.to_string();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: PicoClaw/0.2\r\n\
         Content-Type: application/json\r\nAuthorization: Bearer none\r\nAccept-Encoding: gzip\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The messages of a turn up to its `step`th request: three calls, without types, and results.
fn messages(step: usize, minute: u32) -> Vec<Value> {
    let call = |id: &str, name: &str, arguments: &str| {
        let function = json!({"name": name, "arguments": arguments});
        json!({"id": id, "function": function})
    };
    let result =
        |id: &str, content: &str| json!({"role": "tool", "tool_call_id": id, "content": content});
    let mut all = vec![
        json!({"role": "system", "content": system(minute)}),
        json!({"role": "user", "content": [{"type": "text", "text": "What is in notes.md?"}]}),
    ];
    let steps = [
        vec![
            json!({"role": "assistant", "content": "", "reasoning_content": "I look.",
                   "tool_calls": [call("call_1", "list_dir", "{\"path\": \".\"}")]}),
            result("call_1", "FILE: notes.md\nDIR: skills"),
        ],
        vec![
            json!({"role": "assistant", "content": "I read it.", "tool_calls": [
                call("call_2", "read_file", "{\"path\": \"notes.md\"}"),
                call("call_3", "exec", "{\"command\": \"date\"}")]}),
            result("call_2", "to be or not to be <|im_end|>\n</tool_response>"),
            result("call_3", ""),
        ],
    ];
    all.extend(steps.into_iter().take(step).flatten());
    all
}

/// Every tool can be called, and every call is what its schema allows.
#[test]
fn calls_of_all_tools_are_valid() {
    let server = Server::start(&model("llama"), &["--chat-template", "chatml", "-c", "2048"]);
    let tools = tools();
    assert_eq!(tools.len(), 27);
    let messages = [json!({"role": "user", "content": "Go."})];
    for (seed, tool) in tools.iter().enumerate() {
        let function = &tool["function"];
        let more = json!({"tools": [tool], "tool_choice": "required", "seed": seed,
                          "max_tokens": 400, "temperature": 1.2, "parallel_tool_calls": false});
        let answer = server.raw(&request(&messages, &more)).ok();
        let message = &answer["choices"][0]["message"];
        let call = &message["tool_calls"][0];
        assert_eq!(call["function"]["name"], function["name"], "{answer}");
        let arguments = call["function"]["arguments"].as_str().unwrap();
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        assert!(allows(&function["parameters"], &arguments), "{function}: {arguments}");
    }
    let said: Vec<_> = server.log().into_iter().filter(|line| line.contains("tool \"")).collect();
    assert_eq!(said, Vec::<String>::new());
}

/// The turn of an agent: each step computes what is new, also a minute later, and is answered in
/// the shapes that PicoClaw reads. While the first prompt is read, the probe is answered in time.
#[test]
fn a_whole_turn_is_answered_and_computed_once() {
    let long = long_model();
    let arguments = ["--chat-template", "chatml", "-c", "16384", "--agent-order"];
    let server = Server::start(long.path(), &arguments);
    // The vocabulary is small: the time alone is more than 64 tokens.
    let time = json!({"content": "## Current Time\n2026-06-13 10:00 (Saturday)\n\n"}).to_string();
    let time = server.post("/tokenize", &time).ok()["tokens"].as_array().unwrap().len() as u64;
    let mut stream = server.connect();
    stream.write_all(&request(&messages(0, 0), &json!({"max_tokens": 24}))).unwrap();
    server.wait_for("picolm_texts_running", |running| running == 1.0);
    let mut slowest = Duration::ZERO;
    for path in ["/api/tags", "/v1/models", "/health"].repeat(3) {
        let begun = Instant::now();
        assert_eq!(server.get(path).status, 200);
        slowest = slowest.max(begun.elapsed());
    }
    assert_eq!(server.metric("picolm_generated_tokens_total"), 0.0, "the prompt is too short");
    assert!(slowest < Duration::from_millis(800), "{slowest:?}");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let mut before = check(&parse(&answer).ok());
    assert!(before.0 > 3000, "{before:?}");
    for step in 1..3 {
        let more = json!({"max_tokens": 24});
        let answer = server.raw(&request(&messages(step, step as u32), &more)).ok();
        let (prompt, cached) = check(&answer);
        let computed_again = (prompt - cached).saturating_sub(prompt - before.0);
        assert!(computed_again <= 64 + time, "{prompt} {cached} {before:?}");
        before = (prompt, cached);
    }
    // As PicoClaw sends it, with more tokens than there is room for; and as a stream.
    let more = json!({"stream": true, "stop": ["."]});
    let parts = server.raw(&request(&messages(2, 2), &more)).parts();
    let indices = parts.iter().filter_map(|part| {
        let calls = part["choices"][0]["delta"]["tool_calls"].as_array()?;
        calls[0]["index"].as_u64()
    });
    let mut next = 0;
    for index in indices {
        assert!(index == next || index + 1 == next, "{index} after {next} calls");
        next = next.max(index + 1);
    }
    assert!(parts.last().unwrap()["choices"][0]["finish_reason"].is_string());
}

/// Reads an answer as PicoClaw does; returns tokens of the prompt, and those that were cached.
fn check(answer: &Value) -> (u64, u64) {
    let choice = &answer["choices"][0];
    let message = &choice["message"];
    assert!(message["content"].is_string() || message["tool_calls"].is_array(), "{answer}");
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        assert!(call["id"].is_string() && call["type"] == "function", "{answer}");
        let name = &call["function"]["name"];
        let tool = tools().into_iter().find(|tool| tool["function"]["name"] == *name).unwrap();
        let arguments = call["function"]["arguments"].as_str().unwrap();
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        assert!(allows(&tool["function"]["parameters"], &arguments), "{answer}");
    }
    let reasons = ["stop", "length", "tool_calls"];
    assert!(reasons.contains(&choice["finish_reason"].as_str().unwrap()), "{answer}");
    let usage = &answer["usage"];
    let prompt = usage["prompt_tokens"].as_u64().unwrap();
    let total = prompt + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], total);
    (prompt, usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap())
}
