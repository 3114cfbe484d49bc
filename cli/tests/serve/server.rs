//! `picolm serve` as its clients see it: a server on a free port, and HTTP spelled by hand.

use crate::common::picolm;
use core::time::Duration;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A running server, which ends with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    lines: Arc<Mutex<Vec<String>>>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The body of an answer that must have succeeded.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// The code of an error in OpenAI's form.
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        let error = &json["error"];
        assert!(error["message"].is_string() && error["type"].is_string(), "{json}");
        error["code"].as_str().unwrap().to_owned()
    }

    /// The parts of a stream, which must end as streams do.
    pub(crate) fn parts(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        let text = self.text();
        assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
        let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let parts = lines.filter(|data| *data != "[DONE]");
        parts.map(|data| serde_json::from_str(data).unwrap()).collect()
    }
}

impl Server {
    /// A server of the model at `path`.
    pub(crate) fn start(path: &str, arguments: &[&str]) -> Self {
        let arguments = [&["serve", path, "--port", "0"], arguments].concat();
        Self::of(picolm(&arguments))
    }

    /// A server that may have no more than this many descriptors.
    #[cfg(unix)]
    #[allow(unsafe_code)]
    pub(crate) fn with_descriptors(path: &str, arguments: &[&str], most: u64) -> Self {
        use std::os::unix::process::CommandExt;
        let arguments = [&["serve", path, "--port", "0"], arguments].concat();
        let mut command = picolm(&arguments);
        // SAFETY: between fork and exec only `setrlimit` is called, which is async-signal-safe.
        unsafe {
            command.pre_exec(move || {
                let limit = libc::rlimit { rlim_cur: most as _, rlim_max: most as _ };
                match libc::setrlimit(libc::RLIMIT_NOFILE, &limit) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        Self::of(command)
    }

    /// What `command` starts.
    fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut first = Vec::new();
        let port = loop {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "{first:?}");
            let address = line.split("http://").nth(1).and_then(|it| it.split('/').next());
            let port = address.and_then(|address| address.rsplit(':').next()?.parse().ok());
            first.push(line);
            if let Some(port) = port {
                break port;
            }
        };
        let lines = Arc::new(Mutex::new(first));
        let kept = lines.clone();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self { child, port, lines }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the server has written to stderr by now.
    pub(crate) fn log(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(100))).unwrap();
        stream
    }

    /// Sends bytes as they are and reads until the server closes the connection.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // A server may refuse, and close, before it has read all.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        parse(&answer)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        let host = "Host: localhost\r\nConnection: close\r\n";
        self.raw(format!("GET {path} HTTP/1.1\r\n{host}\r\n").as_bytes())
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.raw(&request(path, body))
    }

    /// Sends a request and leaves the answer to the caller.
    pub(crate) fn begin(&self, path: &str, body: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(&request(path, body)).unwrap();
        stream
    }

    /// A number of `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.unwrap_or_else(|| panic!("{name}: {text}")).split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Waits until a number of `/metrics` is `good`.
    pub(crate) fn wait_for(&self, name: &str, good: impl Fn(f64) -> bool) {
        let begun = Instant::now();
        while !good(self.metric(name)) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{name}: {}", self.metric(name));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Tells the server to end, and waits until it has.
    #[cfg(unix)]
    #[allow(unsafe_code)]
    pub(crate) fn end(mut self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        // SAFETY: sends a signal to a child that has not been waited for.
        unsafe { libc::kill(self.child.id() as libc::pid_t, libc::SIGTERM) };
        (self.child.wait().unwrap(), begun.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request with a body.
pub(crate) fn request(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// An answer as it came over the wire.
pub(crate) fn parse(answer: &[u8]) -> Answer {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let Some(end) = end else {
        return Answer { status: 0, head: String::new(), body: answer.to_vec() };
    };
    let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = answer[end + 4..].to_vec();
    if head.contains("transfer-encoding: chunked") {
        body = joined(&body);
    }
    Answer { status, head, body }
}

/// The chunks of a body without their lengths.
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = chunks.windows(2).position(|window| window == b"\r\n") {
        let length = core::str::from_utf8(&chunks[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        let Some(chunk) = chunks.get(end + 2..end + 2 + length) else { break };
        body.extend_from_slice(chunk);
        chunks = chunks.get(end + 4 + length..).unwrap_or_default();
    }
    body
}

/// The text of a whole or streamed answer of either endpoint.
pub(crate) fn text_of(parts: &[Value]) -> String {
    let choices = parts.iter().filter_map(|part| part["choices"].get(0));
    choices
        .filter_map(|choice| {
            let text = choice["text"].as_str();
            text.or(choice["message"]["content"].as_str()).or(choice["delta"]["content"].as_str())
        })
        .collect()
}
