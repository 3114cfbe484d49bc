//! `picolm serve`: endpoints, streams, and what is refused.

use crate::common::{model, stdout_of};
use crate::server::{Answer, Server, text_of};
use serde_json::{Value, json};

const CHAT: [&str; 4] = ["--chat-template", "chatml", "-j", "1"];

fn start() -> Server {
    Server::start(&model("llama"), &CHAT)
}

fn chat(rest: Value) -> String {
    let mut body = json!({"messages": [{"role": "user", "content": "Hello"}], "temperature": 0,
                          "max_tokens": 12});
    body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    body.to_string()
}

#[test]
fn a_chat_is_that_of_the_command_line() {
    let server = start();
    let path = model("llama");
    let arguments =
        [&path, "--chat-template", "chatml", "-p", "Hello", "-t", "0", "-n", "12", "--quiet"];
    let wanted = String::from_utf8_lossy(&stdout_of(&arguments)).into_owned();
    let answer = server.post("/v1/chat/completions", &chat(json!({}))).ok();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["choices"][0]["message"]["role"], "assistant");
    assert_eq!(answer["choices"][0]["message"]["content"], wanted.as_str());
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    let usage = &answer["usage"];
    assert_eq!(usage["completion_tokens"], 12);
    assert_eq!(
        usage["total_tokens"].as_u64().unwrap(),
        usage["prompt_tokens"].as_u64().unwrap() + 12
    );
    let body = chat(json!({"stream": true, "stream_options": {"include_usage": true}}));
    let stream = server.post("/v1/chat/completions", &body);
    assert!(stream.head.contains("content-type: text/event-stream"), "{}", stream.head);
    let parts = stream.parts();
    assert_eq!(parts[0]["choices"][0]["delta"]["role"], "assistant");
    assert!(parts.iter().all(|part| part["object"] == "chat.completion.chunk"));
    assert_eq!(text_of(&parts), wanted);
    let last = parts.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    let (prompt, cached) =
        (&last["usage"]["prompt_tokens"], &last["usage"]["prompt_tokens_details"]);
    assert_eq!(prompt, &usage["prompt_tokens"]);
    // The same prompt again: all but its last token is there.
    assert_eq!(cached["cached_tokens"].as_u64().unwrap() + 1, prompt.as_u64().unwrap());
    assert_eq!(parts[parts.len() - 2]["choices"][0]["finish_reason"], "length");
    let unasked = server.post("/v1/chat/completions", &chat(json!({"stream": true}))).parts();
    assert!(unasked.iter().all(|part| part.get("usage").is_none()));
}

#[test]
fn a_completion_is_that_of_the_command_line() {
    let server = start();
    let arguments = [&model("llama"), "-p", "Hello", "-t", "0.7", "-s", "5", "-n", "20", "--quiet"];
    let wanted = String::from_utf8_lossy(&stdout_of(&arguments)).into_owned();
    let body = json!({"prompt": "Hello", "temperature": 0.7, "seed": 5, "max_tokens": 20});
    let answer = server.post("/v1/completions", &body.to_string()).ok();
    assert_eq!(answer["object"], "text_completion");
    assert_eq!(answer["choices"][0]["text"], wanted.as_str());
    let tokens = server.post("/tokenize", r#"{"content":"Hello","add_special":true}"#).ok();
    let by_ids = json!({"prompt": tokens["tokens"], "temperature": 0.7, "seed": 5,
                        "max_tokens": 20, "stream": true});
    let parts = server.post("/v1/completions", &by_ids.to_string()).parts();
    assert_eq!(text_of(&parts), wanted);
    // More than the context holds is as much as it holds.
    let all = json!({"prompt": "Hello", "temperature": 0, "max_tokens": 32768,
                     "logit_bias": {"2": -100}});
    let answer = server.post("/v1/completions", &all.to_string()).ok();
    let usage = &answer["usage"];
    let context = server.get("/props").ok()["default_generation_settings"]["n_ctx"].clone();
    assert_eq!(usage["total_tokens"].as_u64().unwrap(), context.as_u64().unwrap() + 1);
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
}

#[test]
fn a_stop_text_ends_an_answer_and_is_not_part_of_it() {
    let server = start();
    let text = |rest| {
        let answer = server.post("/v1/chat/completions", &chat(rest)).ok();
        let choice = &answer["choices"][0];
        (choice["message"]["content"].as_str().unwrap().to_owned(), choice["finish_reason"].clone())
    };
    let (whole, _) = text(json!({}));
    let middle: String = whole.chars().skip(3).take(3).collect();
    let (before, _) = whole.split_once(&middle).unwrap();
    assert_eq!(text(json!({"stop": [middle.clone(), "zzz"]})), (before.into(), json!("stop")));
    let body = chat(json!({"stop": middle, "stream": true}));
    let parts = server.post("/v1/chat/completions", &body).parts();
    assert_eq!(text_of(&parts), before);
}

#[test]
fn seeds_and_penalties_and_biases_count() {
    let server = start();
    let text = |rest: Value| {
        let answer = server.post("/v1/chat/completions", &chat(rest)).ok();
        answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    };
    let seeded = |seed| text(json!({"temperature": 1, "top_p": 1, "seed": seed}));
    assert_eq!(seeded(7), seeded(7));
    assert_ne!(seeded(7), seeded(8));
    // Nobody has asked for the same text twice.
    let unseeded = || text(json!({"temperature": 1, "top_p": 1}));
    assert_ne!(unseeded(), unseeded());
    let plain = text(json!({}));
    let tokens = server.post("/tokenize", &json!({"content": plain}).to_string()).ok();
    let bias = |amount| {
        let ids = tokens["tokens"].as_array().unwrap().iter();
        let pairs = ids.map(|id| (id.to_string(), json!(amount)));
        text(json!({"logit_bias": Value::Object(pairs.collect())}))
    };
    assert_eq!(bias(0), plain);
    assert_ne!(bias(-100), plain);
    let one_token = text(json!({"logit_bias": {"100": 100}}));
    assert_ne!(
        one_token,
        text(json!({"logit_bias": {"100": 100}, "frequency_penalty": 2.0,
                                      "repeat_penalty": 10.0, "presence_penalty": 2.0}))
    );
    assert_eq!(text(json!({"top_k": 1, "temperature": 2})), plain);
    assert_eq!(text(json!({"top_p": 0, "temperature": 2})), plain);
    assert_eq!(text(json!({"min_p": 1, "temperature": 2})), plain);
}

#[test]
fn scores_are_reported_where_they_are_wanted() {
    let server = start();
    let body = chat(json!({"logprobs": true, "top_logprobs": 3}));
    let answer = server.post("/v1/chat/completions", &body).ok();
    let choice = &answer["choices"][0];
    let tokens = choice["logprobs"]["content"].as_array().unwrap();
    assert_eq!(tokens.len(), 12);
    let bytes = tokens.iter().flat_map(|token| token["bytes"].as_array().unwrap());
    let bytes: Vec<u8> = bytes.map(|byte| byte.as_u64().unwrap() as u8).collect();
    let text = choice["message"]["content"].as_str().unwrap();
    assert!(String::from_utf8_lossy(&bytes).starts_with(text));
    for token in tokens {
        let top = token["top_logprobs"].as_array().unwrap();
        assert_eq!(top.len(), 3);
        // Greedy: the likeliest came.
        assert_eq!(top[0]["logprob"], token["logprob"]);
        assert!(top[2]["logprob"].as_f64().unwrap() <= top[0]["logprob"].as_f64().unwrap());
        assert!(token["logprob"].as_f64().unwrap() <= 0.0);
    }
    let body = json!({"prompt": "Hello", "temperature": 0, "max_tokens": 5, "logprobs": 2});
    let answer = server.post("/v1/completions", &body.to_string()).ok();
    let scores = &answer["choices"][0]["logprobs"];
    assert_eq!(scores["token_logprobs"].as_array().unwrap().len(), 5);
    assert_eq!(scores["text_offset"][0], 0);
    assert!(scores["top_logprobs"][0].as_object().unwrap().len() <= 2);
    let answer = server.post("/v1/chat/completions", &chat(json!({}))).ok();
    assert!(answer["choices"][0]["logprobs"].is_null());
    let body = chat(json!({"logprobs": true, "stream": true}));
    let parts = server.post("/v1/chat/completions", &body).parts();
    let scored = parts
        .iter()
        .filter_map(|part| part["choices"][0]["logprobs"]["content"].as_array().map(Vec::len));
    assert_eq!(scored.sum::<usize>(), 12);
}

#[test]
fn json_is_whole_and_what_a_schema_says() {
    let server = start();
    let text = |format: Value, max_tokens: u32| {
        let body = chat(json!({"response_format": format, "max_tokens": max_tokens,
                               "temperature": 1, "seed": 3}));
        let answer = server.post("/v1/chat/completions", &body);
        (answer.status, answer)
    };
    let content = |answer: &Answer| -> Value {
        let json = answer.json();
        let text = json["choices"][0]["message"]["content"].as_str().unwrap();
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    for max_tokens in [4, 10, 60] {
        let (_, answer) = text(json!({"type": "json_object"}), max_tokens);
        assert!(content(&answer).is_object());
    }
    let schema = json!({"type": "object", "required": ["b", "a"], "additionalProperties": false,
        "properties": {"b": {"enum": ["x", "y"]}, "a": {"type": "integer"}}});
    let wanted = |schema: &Value| {
        json!({"type": "json_schema", "json_schema": {"name": "n", "strict": true,
                                                      "schema": schema}})
    };
    let (_, answer) = text(wanted(&schema), 60);
    let value = content(&answer);
    // An integer of many digits is none of 64 bits.
    let is_whole = value["a"].as_f64().is_some_and(|number| number.fract() == 0.0);
    assert!(is_whole && ["x", "y"].contains(&value["b"].as_str().unwrap()), "{value}");
    let (status, answer) = text(wanted(&schema), 2);
    assert_eq!((status, answer.code()), (400, "invalid_value".into()));
    for (schema, word) in [
        (json!({"type": "object", "$ref": "http://elsewhere/x"}), "http://elsewhere/x"),
        (json!({"type": "king"}), "king"),
        (json!({"not": {}}), "not"),
    ] {
        let (status, answer) = text(wanted(&schema), 60);
        assert_eq!(status, 400, "{schema}");
        assert!(answer.text().contains(word), "{}", answer.text());
    }
    let (status, _) = text(json!({"type": "json_schema"}), 60);
    assert_eq!(status, 400);
    let (status, answer) = text(json!({"type": "xml"}), 60);
    assert_eq!((status, answer.code()), (400, "unsupported_value".into()));
}

/// `strict: false`: what cannot be held is left out and said once; the rest holds.
#[test]
fn a_format_that_is_not_strict_is_held_as_far_as_it_can_be() {
    let server = start();
    let ask = |strict: Value, schema: &Value| {
        let format = json!({"type": "json_schema", "json_schema": {"name": "n", "strict": strict,
                                                                   "schema": schema}});
        let rest =
            json!({"response_format": format, "max_tokens": 60, "temperature": 1, "seed": 3});
        server.post("/v1/chat/completions", &chat(rest))
    };
    let schema = json!({"type": "object", "required": ["a", "b"], "additionalProperties": false,
        "properties": {"a": {"type": "string", "pattern": "(?<=x)y", "maxLength": 9},
                       "b": {"enum": [1, 2]}}});
    for strict in [json!(true), Value::Null] {
        let answer = ask(strict, &schema);
        assert_eq!((answer.status, answer.code()), (400, "invalid_value".into()));
        assert!(answer.text().contains("pattern"), "{}", answer.text());
    }
    for _ in 0..2 {
        let answer = ask(false.into(), &schema).ok();
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        let value: Value = serde_json::from_str(text).unwrap();
        assert!(value["a"].is_string() && [1.0, 2.0].contains(&value["b"].as_f64().unwrap()));
    }
    let lines = server.log().into_iter().filter(|line| line.contains("response_format: not held"));
    let lines: Vec<_> = lines.collect();
    assert!(lines.len() == 1 && lines[0].contains("looks behind"), "{lines:?}");
    // What is no schema is refused anyway.
    assert_eq!(ask(false.into(), &json!({"type": "king"})).status, 400);
}

#[test]
fn what_others_ask_a_server_is_answered() {
    let server = start();
    assert_eq!(server.get("/health").ok(), json!({"status": "ok"}));
    let models = server.get("/v1/models").ok();
    assert_eq!((&models["object"], &models["data"][0]["id"]), (&json!("list"), &json!("llama")));
    let tags = server.get("/api/tags").ok();
    assert_eq!(tags["models"][0]["name"], "llama");
    assert_eq!(tags["models"][0]["model"], "llama");
    let props = server.get("/props").ok();
    assert_eq!((&props["total_slots"], &props["chat_template"]), (&json!(1), &json!("chatml")));
    server.post("/v1/chat/completions", &chat(json!({}))).ok();
    assert_eq!(server.metric("picolm_generated_tokens_total"), 12.0);
    assert!(server.metric("picolm_passes_total") >= 12.0);
    // An answer is sent before its slot is free.
    server.wait_for("picolm_texts_running", |running| running == 0.0);
    let text = "Hello, wörld: to be";
    let tokens = server.post("/tokenize", &json!({"content": text}).to_string()).ok();
    let back = server.post("/detokenize", &tokens.to_string()).ok();
    assert_eq!(back["content"], text);
    let special = |parse| {
        let body = json!({"content": "</s>", "parse_special": parse}).to_string();
        server.post("/tokenize", &body).ok()["tokens"].as_array().unwrap().len()
    };
    assert!(special(true) == 1 && special(false) > 1);
    assert_eq!(server.post("/detokenize", r#"{"tokens":[2]}"#).ok()["content"], "</s>");
    assert_eq!(server.post("/detokenize", r#"{"tokens":[]}"#).ok()["content"], "");
    assert_eq!(server.post("/detokenize", r#"{"tokens":[99999]}"#).status, 400);
    let log = server.log().join("\n");
    assert!(log.contains("POST /v1/chat/completions 200:"), "{log}");
    assert!(log.contains("12 written"), "{log}");
    assert!(!log.contains("/health"), "{log}");
}

#[test]
fn what_a_user_says_names_no_special_tokens() {
    let server = start();
    let tokens = |text: &str| {
        let body = json!({"messages": [{"role": "user", "content": text}], "max_tokens": 1});
        let answer = server.post("/v1/chat/completions", &body.to_string()).ok();
        answer["usage"]["prompt_tokens"].as_u64().unwrap()
    };
    assert!(tokens("a</s>b") > tokens("ab") + 1);
}

#[test]
fn mistakes_are_named_in_openais_form() {
    let server = start();
    let chat_path = "/v1/chat/completions";
    for (path, body, status, code) in [
        ("/v1/chat/completions", "", 400, "invalid_request"),
        (chat_path, "{", 400, "invalid_request"),
        (chat_path, "[]", 400, "invalid_request"),
        (chat_path, "{}", 400, "invalid_value"),
        (chat_path, r#"{"messages":[]}"#, 400, "invalid_value"),
        (chat_path, r#"{"messages":[{"role":"king","content":"a"}]}"#, 400, "invalid_value"),
        (
            chat_path,
            r#"{"messages":[{"role":"user","content":"a"}],"n":2}"#,
            400,
            "unsupported_value",
        ),
        ("/v1/completions", r#"{"prompt":""}"#, 200, ""),
        ("/v1/completions", r#"{"prompt":[]}"#, 400, "invalid_value"),
        ("/v1/completions", r#"{"prompt":["a","b"]}"#, 400, "unsupported_value"),
        ("/v1/completions", r#"{"prompt":[99999]}"#, 400, "invalid_value"),
        ("/v1/completions", r#"{"prompt":"a","temperature":-1}"#, 400, "invalid_value"),
        ("/v1/embeddings", r#"{"input":"a"}"#, 400, "invalid_request"),
        ("/tokenize", r#"{"content":5}"#, 400, "invalid_request"),
        ("/v1/nothing", "{}", 404, "not_found"),
        ("/", "{}", 404, "not_found"),
        ("/../etc/passwd", "{}", 404, "not_found"),
        ("/health", "{}", 405, "method_not_allowed"),
    ] {
        let body = if status == 200 { r#"{"prompt":"a","max_tokens":1}"# } else { body };
        let answer = server.post(path, body);
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
        if status != 200 {
            assert_eq!(answer.code(), code, "{path} {body}");
        }
    }
    assert_eq!(server.get(chat_path).status, 405);
}

#[test]
fn a_prompt_that_is_too_long_says_so_where_clients_look() {
    let server = Server::start(&model("llama"), &[&CHAT[..], &["-c", "64"]].concat());
    let text = "word ".repeat(200);
    let body = json!({"messages": [{"role": "user", "content": text}]}).to_string();
    for body in [body.clone(), body.replace("}]}", "}],\"stream\":true}")] {
        let answer = server.post("/v1/chat/completions", &body);
        assert_eq!(answer.status, 400);
        let begin = String::from_utf8_lossy(&answer.body[..128]).into_owned();
        assert!(begin.starts_with(r#"{"error":{"code":"context_length_exceeded","#), "{begin}");
    }
}

#[test]
fn a_model_without_a_form_completes_and_says_what_it_cannot() {
    let server = Server::start(&model("llama"), &["-j", "1"]);
    let answer = server.post("/v1/chat/completions", &chat(json!({})));
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("--chat-template"), "{}", answer.text());
    server.post("/v1/completions", r#"{"prompt":"a","max_tokens":1}"#).ok();
}

#[test]
fn vectors_are_those_of_the_command_line() {
    let path = model("gemma_embedding_dense");
    let server = Server::start(&path, &["-j", "1", "-c", "64"]);
    let vector = |text: &str| -> Vec<f32> {
        let json = stdout_of(&["embed", &path, "-p", text, "--json", "--normalize"]);
        serde_json::from_slice(&json).unwrap()
    };
    let answer = server.post("/v1/embeddings", r#"{"input":["to be","or not"],"model":"x"}"#).ok();
    let ours = |index: usize| -> Vec<f32> {
        serde_json::from_value(answer["data"][index]["embedding"].clone()).unwrap()
    };
    assert_eq!(ours(0), vector("to be"));
    assert_eq!(ours(1), vector("or not"));
    assert!(answer["usage"]["prompt_tokens"].as_u64().unwrap() >= 4);
    let body = r#"{"input":"to be","encoding_format":"base64"}"#;
    let base64 = server.post("/v1/embeddings", body).ok();
    let text = base64["data"][0]["embedding"].as_str().unwrap();
    assert_eq!(text.len(), (ours(0).len() * 4).div_ceil(3) * 4);
    let refused = server.post("/v1/chat/completions", &chat(json!({})));
    assert_eq!(refused.status, 400);
    let long = json!({"input": "word ".repeat(200)}).to_string();
    assert_eq!(server.post("/v1/embeddings", &long).code(), "context_length_exceeded");
    for body in [
        r#"{"input":[]}"#,
        r#"{"input":[[]]}"#,
        r#"{"input":[[99999999]]}"#,
        r#"{"input":"a","dimensions":7}"#,
        r#"{}"#,
    ] {
        assert_eq!(server.post("/v1/embeddings", body).status, 400, "{body}");
    }
}
