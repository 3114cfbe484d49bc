//! `picolm serve` against clients that mean harm, or do not know better.

use crate::common::{TemporaryFile, error_line, long_model, model, run};
use crate::server::Server;
use core::time::Duration;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

const SHORT: &str = r#"{"prompt":"a","max_tokens":1}"#;

fn start() -> Server {
    Server::start(&model("llama"), &["-j", "1", "--chat-template", "chatml"])
}

/// Whether the server works, and how soon it says so.
fn is_well(server: &Server) {
    let begun = Instant::now();
    assert_eq!(server.get("/health").status, 200);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    server.post("/v1/completions", SHORT).ok();
}

/// How long the server keeps a connection on which `send` writes again and again.
fn kept_for(server: &Server, first: &[u8], again: Option<&[u8]>) -> Duration {
    let mut stream = server.connect();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let begun = Instant::now();
    stream.write_all(first).unwrap();
    loop {
        assert!(begun.elapsed() < Duration::from_secs(60), "the connection is kept");
        let mut bytes = [0; 1024];
        match stream.read(&mut bytes) {
            Ok(0) => return begun.elapsed(),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return begun.elapsed(),
        }
        if let Some(again) = again
            && stream.write_all(again).is_err()
        {
            return begun.elapsed();
        }
    }
}

/// Together: most of both is waiting.
#[test]
fn slow_clients_are_left() {
    std::thread::scope(|scope| {
        scope.spawn(clients_that_do_not_read_hold_nothing);
        clients_that_send_slowly_are_left();
    });
}

fn clients_that_send_slowly_are_left() {
    let server = start();
    let wait = |first: &'static [u8], again: Option<&'static [u8]>, most: u64| {
        let server = &server;
        move || {
            let kept = kept_for(server, first, again);
            assert!(kept < Duration::from_secs(most), "{kept:?}: {first:?}");
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(wait(b"", None, 20));
        scope.spawn(wait(b"GET /health HTTP/1.1\r\n", Some(b"X"), 20));
        scope.spawn(wait(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", None, 20));
        let body =
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n";
        scope.spawn(wait(body, Some(b" "), 45));
        std::thread::sleep(Duration::from_secs(1));
        is_well(&server);
    });
    is_well(&server);
}

#[test]
fn heads_that_are_wrong_end_the_connection() {
    let server = start();
    let long_header =
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let many_headers =
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(100));
    let post = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    let both = format!("{post}Content-Length: 29\r\nTransfer-Encoding: chunked\r\n\r\n{SHORT}");
    let cases: &[(&[u8], &[u16])] = &[
        (long_header.as_bytes(), &[431]),
        (many_headers.as_bytes(), &[431]),
        (b"GET /health\r\n\r\n", &[400, 0]),
        (b"GET /health HTTP/9.9\r\n\r\n", &[400, 0, 505]),
        (b"GET /health HTTP/1.1\r\nHost: local\0host\r\n\r\n", &[400]),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", &[400]),
        (
            b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: other\r\nConnection: close\r\n\r\n",
            &[400],
        ),
        (b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n", &[400]),
        (b"nonsense\r\n\r\n", &[400]),
        (b"\r\n\r\n\x00\xff\r\n\r\n", &[400, 0]),
        (both.as_bytes(), &[400]),
    ];
    for (bytes, wanted) in cases {
        let answer = server.raw(bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        assert!(wanted.contains(&answer.status), "{shown:?}: {answer:?}");
    }
    for header in [
        "Content-Length: -1",
        "Content-Length: 18446744073709551616",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 0x10",
        "Transfer-Encoding: gzip",
    ] {
        let answer = server.raw(format!("{post}{header}\r\n\r\n{SHORT}").as_bytes());
        assert!([400, 501].contains(&answer.status), "{header}: {answer:?}");
    }
    let chunks = |chunk: &str| {
        server.raw(format!("{post}Transfer-Encoding: chunked\r\n\r\n{chunk}").as_bytes())
    };
    assert_eq!(chunks("zz\r\n").status, 400);
    assert_eq!(chunks("ffffffffffffffffff\r\n").status, 400);
    let length = SHORT.len();
    assert_eq!(chunks(&format!("{length:x}\r\n{SHORT}\r\n0\r\n\r\n")).status, 200);
    is_well(&server);
}

#[test]
fn bodies_that_are_wrong_are_refused() {
    let server = Server::start(&model("llama"), &["-j", "1", "-c", "256"]);
    let encoded = format!(
        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n{SHORT}",
        SHORT.len()
    );
    assert_eq!(server.raw(encoded.as_bytes()).code(), "unsupported_encoding");
    let declared = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                    Content-Length: 99999999999\r\n\r\n";
    let begun = Instant::now();
    assert_eq!(server.raw(declared.as_bytes()).status, 413);
    assert!(begun.elapsed() < Duration::from_secs(5));
    // 256 tokens are no reason to send more than this.
    let large = format!(r#"{{"prompt":"{}"}}"#, "a".repeat(100_000));
    assert_eq!(server.post("/v1/completions", &large).status, 413);
    let deep = format!(r#"{{"prompt":{}"#, "[".repeat(50_000));
    assert_eq!(server.post("/v1/completions", &deep).status, 400);
    let list = format!(r#"{{"prompt":[{}1]}}"#, "1,".repeat(20_000));
    assert_eq!(server.post("/v1/completions", &list).code(), "context_length_exceeded");
    let stops = format!(r#"{{"prompt":"a","stop":[{}"x"]}}"#, "\"x\",".repeat(10_000));
    assert_eq!(server.post("/v1/completions", &stops).status, 400);
    for body in [&b"{\"prompt\":\"\xff\"}"[..], b"\xef\xbb\xbf{}", br#"{"prompt":"\ud800"}"#] {
        let head = format!(
            "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        let answer = server.raw(&[head.as_bytes(), body].concat());
        assert_eq!(answer.status, 400, "{body:?}");
        answer.code();
    }
    is_well(&server);
}

#[test]
fn hostile_schemas_are_refused_soon() {
    let server = start();
    let nested = (0..60).fold(
        json!({"type": "string"}),
        |inner, _| json!({"type": "array", "minItems": 50, "maxItems": 1000, "items": inner}),
    );
    let alternatives = (0..8).fold(
        json!({"const": "a"}),
        |inner, _| json!({"anyOf": [inner.clone(), {"type": "array", "items": inner}]}),
    );
    for schema in [
        nested,
        alternatives,
        json!({"$ref": "#"}),
        json!({"type": "string", "pattern": "((((a*)*)*)*){1000}"}),
        json!({"type": "string", "minLength": 1_000_000_000}),
        json!({"type": "array", "minItems": 1_000_000_000_000u64}),
    ] {
        let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
        let body = json!({"prompt": "a", "max_tokens": 5, "response_format": format}).to_string();
        let begun = Instant::now();
        let answer = server.post("/v1/completions", &body);
        assert!([200, 400].contains(&answer.status), "{}", answer.text());
        // 1 s on a machine of one's own.
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?} {body}", begun.elapsed());
    }
    is_well(&server);
}

#[test]
fn foreign_pages_may_not_ask() {
    let server = start();
    let ask = |headers: &str| {
        server.raw(
            format!("GET /v1/models HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").as_bytes(),
        )
    };
    assert_eq!(ask("Host: evil.example\r\n").status, 403);
    assert_eq!(ask("Host: 192.168.0.9:8080\r\n").status, 403);
    assert_eq!(ask("Host: localhost\r\nOrigin: https://evil.example\r\n").status, 403);
    assert_eq!(ask("Host: localhost\r\nOrigin: null\r\n").status, 403);
    let own = ask("Host: 127.0.0.1:8080\r\nOrigin: http://localhost:3000\r\n");
    assert_eq!(own.status, 200);
    assert!(!own.head.contains("access-control"), "{}", own.head);
}

#[test]
fn a_key_is_asked_for_before_a_body_is_read() {
    let key = TemporaryFile::new("key", b"sesame\nnothing else counts\n");
    let server = Server::start(&model("llama"), &["-j", "1", "--api-key-file", key.path()]);
    let ask = |headers: &str, length: usize| {
        server.raw(
            format!(
                "POST /v1/completions HTTP/1.1\r\nHost: any.where\r\n{headers}Connection: close\r\n\
                 Content-Length: {length}\r\n\r\n{SHORT}"
            )
            .as_bytes(),
        )
    };
    let length = SHORT.len();
    for headers in [
        "",
        "Authorization: Bearer sesam\r\n",
        "Authorization: Bearer sesames\r\n",
        "Authorization: sesame\r\n",
    ] {
        let answer = ask(headers, length);
        assert_eq!((answer.status, answer.code()), (401, "invalid_api_key".into()), "{headers}");
    }
    assert_eq!(ask("", 99_999_999).status, 401);
    assert_eq!(ask("Authorization: Bearer sesame\r\n", length).status, 200);
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(server.get("/v1/models").status, 401);
    assert!(!server.log().join("\n").contains("sesame"));
}

#[test]
fn an_open_server_without_a_key_does_not_begin() {
    let path = model("llama");
    for host in ["0.0.0.0", "::"] {
        let line = error_line(&run(&["serve", &path, "--host", host, "--port", "0"]), 2);
        assert!(line.contains("--api-key-file"), "{line}");
    }
    let empty = TemporaryFile::new("key", b"\n");
    let line =
        error_line(&run(&["serve", &path, "--port", "0", "--api-key-file", empty.path()]), 1);
    assert!(line.contains("no key"), "{line}");
    let line = error_line(&run(&["serve", &path, "--port", "70000"]), 2);
    assert!(line.contains("--port"), "{line}");
}

#[test]
fn a_server_that_cannot_listen_says_what_to_do() {
    let path = model("llama");
    let taken = start();
    let port = taken.port.to_string();
    let line = error_line(&run(&["serve", &path, "--port", &port]), 1);
    assert!(line.contains(&port) && line.contains("--port N"), "{line}");
    // An address for documentation (RFC 5737), which is nobody's.
    let key = TemporaryFile::new("key", b"key\n");
    let arguments = ["serve", &path, "--host", "192.0.2.1", "--api-key-file", key.path()];
    let line = error_line(&run(&arguments), 1);
    assert!(line.contains("192.0.2.1") && line.contains("--host ADDRESS"), "{line}");
}

#[test]
fn many_connections_do_not_keep_others_out() {
    let server = start();
    let mut held: Vec<TcpStream> = Vec::new();
    for _ in 0..300 {
        held.push(server.connect());
    }
    is_well(&server);
    assert!(server.metric("picolm_connections") <= 64.0);
    drop(held);
    is_well(&server);
}

/// Without a descriptor left, no connection is taken; the server waits, and goes on afterwards.
#[cfg(unix)]
#[test]
fn a_server_without_descriptors_waits_for_some() {
    if !std::path::Path::new("/proc/self/stat").exists() {
        // Only Linux says so.
        return;
    }
    let server = Server::with_descriptors(&model("llama"), &["-j", "1"], 24);
    is_well(&server);
    // Each with a request, so that none can be closed for another's sake.
    let body = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n";
    let mut held: Vec<TcpStream> = Vec::new();
    for _ in 0..40 {
        let mut stream = server.connect();
        stream.write_all(body).unwrap();
        held.push(stream);
    }
    std::thread::sleep(Duration::from_millis(500));
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    assert!(descriptors >= 23, "{descriptors}: there are some left");
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = ticks();
    std::thread::sleep(Duration::from_secs(2));
    // Of 200: trying again all the time would take them all.
    assert!(ticks() - before < 40, "{}", ticks() - before);
    drop(held);
    is_well(&server);
    // Idle connections make room for others.
    let idle: Vec<TcpStream> = (0..40).map(|_| server.connect()).collect();
    is_well(&server);
    drop(idle);
    is_well(&server);
}

/// Private memory of a process, in KiB.
fn private_kib(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("Private_"));
    lines.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum()
}

/// Clients that ask for much and read nothing: their slot and their places in the queue are others'
/// as soon as the text is written, memory is bounded, and their connections end.
fn clients_that_do_not_read_hold_nothing() {
    if !std::path::Path::new("/proc/self/smaps_rollup").exists() {
        // Only Linux says so.
        return;
    }
    let long = long_model();
    let server = Server::start(long.path(), &["-j", "1", "-c", "4096"]);
    let ask = |logprobs: u32| {
        json!({"prompt": "a", "max_tokens": 4000, "logprobs": logprobs, "stream": true,
               "logit_bias": {"2": -100}})
        .to_string()
    };
    // What a text takes that is read.
    server.post("/v1/completions", &ask(20)).parts();
    is_well(&server);
    let before = private_kib(server.pid());
    let held: Vec<TcpStream> = (0..5).map(|_| server.begin("/v1/completions", &ask(20))).collect();
    server.wait_for("picolm_passes_total", |passes| passes > 4100.0);
    server.wait_for("picolm_texts_running", |running| running == 0.0);
    server.wait_for("picolm_texts_waiting", |waiting| waiting == 0.0);
    let begun = Instant::now();
    let grown = private_kib(server.pid()).saturating_sub(before);
    // A megabyte each, and what the allocator makes of it.
    assert!(grown < 5 * 2048, "{grown} KiB");
    is_well(&server);
    server.wait_for("picolm_connections", |open| open == 1.0);
    assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    drop(held);
    is_well(&server);
}

/// A client that takes a little at a time gets all of it, if it takes enough.
#[test]
fn a_client_may_be_slow() {
    let server = start();
    let body = json!({"prompt": "a", "max_tokens": 100, "stream": true, "logprobs": 5,
                      "logit_bias": {"2": -100}});
    let mut stream = server.begin("/v1/completions", &body.to_string());
    let mut answer = Vec::new();
    loop {
        let mut some = [0; 2000];
        let count = stream.read(&mut some).unwrap();
        if count == 0 {
            break;
        }
        answer.extend_from_slice(&some[..count]);
        std::thread::sleep(Duration::from_millis(50));
    }
    let parts = crate::server::parse(&answer).parts();
    assert!(parts.len() > 100, "{}", parts.len());
}

#[test]
fn clients_that_come_and_go_leave_nothing_behind() {
    if !std::path::Path::new("/proc/self/fd").exists() {
        // Only Linux says so.
        return;
    }
    let server = start();
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    is_well(&server);
    let before = descriptors();
    let body = r#"{"prompt":"to be or not","max_tokens":200,"stream":true}"#;
    for index in 0..200 {
        let mut stream = server.begin("/v1/completions", body);
        if index % 2 == 0 {
            let _ = stream.read(&mut [0; 10]);
        }
    }
    server.wait_for("picolm_texts_running", |running| running == 0.0);
    server.wait_for("picolm_connections", |open| open == 1.0);
    is_well(&server);
    assert!(descriptors() <= before + 1, "{} {before}", descriptors());
}

#[cfg(unix)]
#[test]
fn a_server_that_is_told_to_end_finishes_what_it_writes() {
    let server = start();
    let mut stream = server.begin(
        "/v1/completions",
        r#"{"prompt":"a","max_tokens":100,
        "logit_bias":{"2":-100}}"#,
    );
    server.wait_for("picolm_passes_total", |passes| passes > 0.0);
    let idle = server.connect();
    let (status, duration) = server.end();
    assert_eq!(status.code(), Some(0));
    assert!(duration < Duration::from_secs(6), "{duration:?}");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(crate::server::parse(&answer).ok()["usage"]["completion_tokens"], 100);
    drop(idle);
}

#[cfg(unix)]
#[test]
fn a_server_ends_though_a_text_does_not() {
    let path = std::env::var("PICOLM_MODEL").expect("PICOLM_MODEL names a model: ci/test sets it");
    let server = Server::start(&path, &["-j", "1", "-c", "4096"]);
    let stream = server.begin(
        "/v1/completions",
        r#"{"prompt":"a","max_tokens":4000,"stream":true,
        "logit_bias":{"0":-100,"2":-100}}"#,
    );
    server.wait_for("picolm_passes_total", |passes| passes > 2.0);
    let (status, duration) = server.end();
    assert_eq!(status.code(), Some(0));
    assert!(duration < Duration::from_secs(7), "{duration:?}");
    drop(stream);
}
