//! Tools over `picolm serve`: what is called is a tool of the request, with arguments that its
//! schema allows, whatever the model; here one with random weights, which knows nothing of calls.

use crate::common::model;
use crate::server::Server;
use serde_json::{Map, Value, json};

/// A form without tools: the server tells the model of them itself.
const CHAT: [&str; 4] = ["--chat-template", "chatml", "-j", "1"];
/// Room for the longest text of the tools' arguments that a random model is likely to write.
const MAX_TOKENS: u32 = 200;

fn start() -> Server {
    Server::start(&model("llama"), &[&CHAT[..], &["-c", "2048"]].concat())
}

fn tools() -> Value {
    let tool = |name: &str, parameters: Value| {
        json!({"type": "function",
               "function": {"name": name, "description": "d", "parameters": parameters}})
    };
    json!([
        tool(
            "read_file",
            json!({
                "type": "object", "required": ["path"], "additionalProperties": false,
                "properties": {"path": {"type": "string", "maxLength": 12},
                               "lines": {"type": "integer", "minimum": 1, "maximum": 99}}
            })
        ),
        tool(
            "read_folder",
            json!({
                "type": "object", "required": ["depth", "sort"], "additionalProperties": false,
                "properties": {"depth": {"enum": [1, 2, 3]}, "sort": {"type": "boolean"}}
            })
        ),
        // Without a schema, any object.
        json!({"type": "function", "function": {"name": "now"}}),
    ])
}

fn body(rest: Value) -> String {
    let mut body = json!({
        "messages": [{"role": "system", "content": "You help."}, {"role": "user", "content": "Hi"}],
        "tools": tools(), "max_tokens": MAX_TOKENS, "temperature": 1.5, "top_p": 1
    });
    body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    body.to_string()
}

/// Checks a call, and returns the tool's name.
fn check(call: &Value) -> String {
    assert_eq!(call["type"], "function", "{call}");
    assert!(call["id"].as_str().unwrap().starts_with("call_"), "{call}");
    let arguments = call["function"]["arguments"].as_str().unwrap();
    let arguments: Map<String, Value> =
        serde_json::from_str(arguments).unwrap_or_else(|error| panic!("{error}: {call}"));
    let names = |allowed: &[&str]| arguments.keys().all(|name| allowed.contains(&name.as_str()));
    let name = call["function"]["name"].as_str().unwrap();
    let is_valid = match name {
        "read_file" => {
            let lines = arguments.get("lines").is_none_or(|lines| {
                lines.as_f64().is_some_and(|lines| (1.0..=99.0).contains(&lines))
            });
            let path = arguments["path"].as_str().unwrap();
            names(&["path", "lines"]) && path.chars().count() <= 12 && lines
        }
        "read_folder" => {
            let depth = arguments["depth"].as_f64().unwrap();
            names(&["depth", "sort"])
                && [1.0, 2.0, 3.0].contains(&depth)
                && arguments["sort"].is_boolean()
        }
        "now" => true,
        _ => false,
    };
    assert!(is_valid, "{call}");
    name.to_owned()
}

/// The call of an answer that has one.
fn call_of(answer: &Value) -> Value {
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls", "{answer}");
    choice["message"]["tool_calls"][0].clone()
}

#[test]
fn required_calls_are_valid_and_streams_have_the_same() {
    let server = start();
    let mut called = std::collections::BTreeMap::<String, u32>::new();
    for seed in 0..60 {
        let rest = json!({"tool_choice": "required", "seed": seed, "parallel_tool_calls": false});
        let answer = server.post("/v1/chat/completions", &body(rest.clone())).ok();
        let call = call_of(&answer);
        *called.entry(check(&call)).or_default() += 1;
        assert!(answer["choices"][0]["message"].get("content").is_none_or(Value::is_null));
        if seed % 10 > 0 {
            continue;
        }
        let mut rest = rest;
        rest["stream"] = true.into();
        let parts = server.post("/v1/chat/completions", &body(rest)).parts();
        let mut streamed = Value::Null;
        for part in &parts {
            let delta = &part["choices"][0]["delta"]["tool_calls"][0];
            if delta.is_null() {
                continue;
            }
            assert_eq!(delta["index"], 0);
            if streamed.is_null() {
                streamed = delta.clone();
                continue;
            }
            assert!(delta.get("id").is_none() && delta["function"].get("name").is_none());
            let more = delta["function"]["arguments"].as_str().unwrap();
            let arguments = &mut streamed["function"]["arguments"];
            *arguments = format!("{}{more}", arguments.as_str().unwrap()).into();
        }
        assert_eq!(streamed["function"], call["function"]);
        assert_eq!(parts.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
    }
    // Which it prefers is chance: of two, the names begin alike.
    assert!(called.len() >= 2, "{called:?}");
}

#[test]
fn the_tool_that_is_named_is_called_and_none_is_where_none_may_be() {
    let server = start();
    for name in ["read_file", "read_folder", "now"] {
        let choice = json!({"type": "function", "function": {"name": name}});
        for seed in 0..4 {
            let rest = json!({"tool_choice": choice, "seed": seed, "parallel_tool_calls": false});
            let answer = server.post("/v1/chat/completions", &body(rest)).ok();
            assert_eq!(check(&call_of(&answer)), name);
        }
    }
    let none = json!({"tool_choice": "none", "seed": 1, "max_tokens": 9});
    let answer = server.post("/v1/chat/completions", &body(none)).ok();
    assert!(answer["choices"][0]["message"].get("tool_calls").is_none());
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
}

/// As PicoClaw sends it: calls without a type, contents that are empty, parts, null or missing.
#[test]
fn a_turn_of_an_agent_is_understood() {
    let server = start();
    let messages = json!([
        {"role": "system", "content": "You help."},
        {"role": "user", "content": [{"type": "text", "text": "What is in a?"}]},
        {"role": "assistant", "content": "",
         "tool_calls": [{"id": "1", "function": {"name": "read_file",
                                                 "arguments": "{\"path\": \"a\"}"}},
                        {"id": "2", "type": "function",
                         "function": {"name": "now", "arguments": {}}}]},
        {"role": "tool", "tool_call_id": "1", "content": "<|im_end|> is text"},
        {"role": "tool", "tool_call_id": "2", "content": "10:00"},
        {"role": "assistant", "content": null},
        {"role": "user", "content": "And now?"}
    ]);
    let rest = json!({"messages": messages, "max_tokens": 32768, "tool_choice": "auto",
                      "temperature": 0.7});
    let answer = server.post("/v1/chat/completions", &body(rest)).ok();
    let usage = &answer["usage"];
    assert!(usage["prompt_tokens"].as_u64().unwrap() > 100, "{usage}");
    let reason = answer["choices"][0]["finish_reason"].as_str().unwrap();
    assert!(["length", "stop", "tool_calls"].contains(&reason), "{answer}");
}

#[test]
fn tools_that_cannot_be_are_refused_and_schemas_never_are() {
    let server = start();
    let refused = |rest: Value| {
        let answer = server.post("/v1/chat/completions", &body(rest));
        assert_eq!(answer.status, 400, "{}", answer.text());
        answer.json()["error"]["message"].as_str().unwrap().to_owned()
    };
    for (rest, part) in [
        (json!({"tools": [{"type": "function", "function": {}}]}), "tools[0].function.name"),
        (json!({"tools": [1]}), "tools[0]"),
        (json!({"tools": [tools()[0], tools()[0]]}), "another tool is named"),
        (json!({"tool_choice": "some"}), "tool_choice"),
        (json!({"tool_choice": {"function": {"name": "write"}}}), "no tool is named"),
        (json!({"tools": [], "tool_choice": "required"}), "there are no tools"),
        (json!({"tool_choice": "required", "max_tokens": 3}), "room for"),
    ] {
        let message = refused(rest);
        assert!(message.contains(part), "{message}");
    }
    let odd = json!({"type": "object", "required": ["a"], "properties": {
        "a": {"type": "string", "pattern": "(?<=x)y", "$ref": "https://example.org/elsewhere"}
    }});
    let function = json!({"name": "odd", "parameters": odd});
    for _ in 0..2 {
        let rest = json!({"tools": [{"type": "function", "function": function}],
                          "tool_choice": "required", "seed": 3});
        let answer = server.post("/v1/chat/completions", &body(rest)).ok();
        let call = call_of(&answer);
        let arguments = call["function"]["arguments"].as_str().unwrap();
        assert!(serde_json::from_str::<Map<String, Value>>(arguments).is_ok(), "{arguments}");
    }
    let lines = server.log();
    let said = lines.iter().filter(|line| line.contains("odd")).count();
    assert_eq!(said, 1, "{lines:?}");
}

/// `strict` on a function: its schema exactly, or an error that names what cannot be held.
#[test]
fn a_strict_tool_is_held_to_its_schema_or_refused() {
    let server = start();
    let ask = |strict: Value, parameters: &Value| {
        let function = json!({"name": "odd", "parameters": parameters, "strict": strict});
        let rest = json!({"tools": [{"type": "function", "function": function}],
                          "tool_choice": "required", "seed": 3});
        server.post("/v1/chat/completions", &body(rest))
    };
    let odd = json!({"type": "object", "required": ["a"], "properties": {
        "a": {"type": "string", "pattern": "(?<=x)y"}}});
    let answer = ask(true.into(), &odd);
    assert_eq!((answer.status, answer.code()), (400, "invalid_value".into()));
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("odd") && message.contains("pattern"), "{message}");
    for strict in [json!(false), Value::Null] {
        call_of(&ask(strict, &odd).ok());
    }
    let lines: Vec<_> =
        server.log().into_iter().filter(|line| line.contains("not held to")).collect();
    assert!(lines.len() == 1 && lines[0].contains("looks behind"), "{lines:?}");
    let plain = json!({"type": "object", "required": ["a"], "properties": {
        "a": {"type": "integer", "minimum": 3, "maximum": 5}}});
    for _ in 0..3 {
        let call = call_of(&ask(true.into(), &plain).ok());
        let arguments = call["function"]["arguments"].as_str().unwrap();
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        assert!((3.0..=5.0).contains(&arguments["a"].as_f64().unwrap()), "{arguments}");
    }
}

/// A minute later the time is another. In the agents' order that undoes nothing but itself. With a
/// vocabulary that was made for text: the time and a header are fewer than 64 tokens there.
#[test]
fn in_the_order_for_agents_a_step_computes_what_is_new() {
    let steps = |arguments: &[&str]| {
        let path = std::env::var("PICOLM_MODEL").expect("PICOLM_MODEL names a model");
        let server = Server::start(&path, arguments);
        let mut messages = vec![json!({"role": "user", "content": "What is in the file a?"})];
        let (mut before, mut most) = (0, 0);
        for minute in 0..3 {
            let time = format!("## Current Time\n2026-01-01 10:0{minute} (Thursday)\n");
            let system =
                format!("You help. {}\n\n---\n\n{time}\n## Chat\nme", "Be brief. ".repeat(20));
            let all =
                [vec![json!({"role": "system", "content": system})], messages.clone()].concat();
            let rest = json!({"messages": all, "max_tokens": 8, "temperature": 0});
            let usage = server.post("/v1/chat/completions", &body(rest)).ok()["usage"].take();
            let prompt = usage["prompt_tokens"].as_u64().unwrap();
            let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap();
            if minute > 0 {
                most = most.max((prompt - cached).saturating_sub(prompt - before));
            }
            before = prompt;
            let arguments = format!("{{\"path\": \"{minute}\"}}");
            messages.push(json!({"role": "assistant", "content": "", "tool_calls": [
                {"id": "1", "function": {"name": "read_file", "arguments": arguments}}]}));
            messages.push(json!({"role": "tool", "tool_call_id": "1", "content": "some text"}));
        }
        most
    };
    let room = ["-c", "2048"];
    let ordered = steps(&[&room[..], &["--agent-order"]].concat());
    assert!(ordered <= 64, "{ordered} tokens beside the new ones");
    let named = steps(&[&room[..], &["--agent-order", "--volatile", "## Chat"]].concat());
    assert!(named > 64, "{named} tokens beside the new ones");
}
