//! `picolm serve --cache-dir`: what was read is there after a restart, and no file that is damaged,
//! foreign or out of budget changes an answer.

use crate::common::{error_line, model, run};
use crate::server::{Server, text_of};
use core::time::Duration;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A folder of one test's own that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("picolm-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// The files of texts, with their sizes.
    fn texts(&self) -> Vec<(PathBuf, u64)> {
        let entries = std::fs::read_dir(&self.0).unwrap().map(Result::unwrap);
        let texts = entries.filter(|entry| entry.path().extension().is_some_and(|it| it == "kv"));
        let mut texts: Vec<_> =
            texts.map(|entry| (entry.path(), entry.metadata().unwrap().len())).collect();
        texts.sort();
        texts
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const PLAIN: [&str; 4] = ["-j", "1", "-c", "512"];

fn start(name: &str, folder: &Folder, more: &[&str]) -> Server {
    let kept = ["--cache-dir", folder.path()];
    Server::start(&model(name), &[&PLAIN[..], &kept, more].concat())
}

fn tokens(count: u32, seed: u32) -> Vec<u32> {
    (0..count).map(|index| 10 + (index * 7 + seed * 13 + index * index) % 300).collect()
}

/// A prompt's text, and how many of its tokens were not computed.
fn ask(server: &Server, prompt: &[u32]) -> (String, usize) {
    let body =
        json!({"prompt": prompt, "max_tokens": 6, "temperature": 0, "logit_bias": {"2": -100}});
    let answer = server.post("/v1/completions", &body.to_string()).ok();
    let cached = answer["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap();
    (text_of(&[answer]), cached as usize)
}

fn end(server: Server) -> Vec<String> {
    let log = server.log();
    let (status, duration) = server.end();
    assert_eq!(status.code(), Some(0), "{log:?}");
    assert!(duration < Duration::from_secs(6), "{duration:?}");
    log
}

/// The lines about files.
fn said(server: &Server, word: &str) -> Vec<String> {
    server.log().into_iter().filter(|line| line.contains(word)).collect()
}

/// What a server says that has nothing kept.
fn alone(name: &str, prompt: &[u32]) -> String {
    ask(&Server::start(&model(name), &PLAIN), prompt).0
}

#[test]
fn a_text_is_there_after_a_restart() {
    let (first, rest) = (tokens(200, 1), tokens(60, 2));
    let longer = [&first[..], &rest].concat();
    let other = [&first[..150], &rest].concat();
    // What of these a slot has that has read the first. Recurrent state is kept at its end.
    for (name, have) in [("llama", [199, 200, 150]), ("falcon_h1_norm", [0, 200, 0])] {
        let folder = Folder::new(&format!("restart-{name}"));
        let server = start(name, &folder, &[]);
        assert_eq!(ask(&server, &first), (alone(name, &first), 0));
        end(server);
        let files = folder.texts();
        assert_eq!(files.len(), 1, "{files:?}");
        for (prompt, have) in [&first, &longer, &other].into_iter().zip(have) {
            let copy = Folder::new(&format!("restart-copy-{name}"));
            std::fs::create_dir(&copy.0).unwrap();
            let path = copy.0.join(files[0].0.file_name().unwrap());
            std::fs::copy(&files[0].0, path).unwrap();
            let server = start(name, &copy, &[]);
            assert_eq!(ask(&server, prompt), (alone(name, prompt), have), "{name}");
            assert_eq!(server.metric("picolm_cache_loads_total"), 1.0);
            assert_eq!(said(&server, "ignored"), Vec::<String>::new());
        }
    }
    // What a slot has is not read again, and what a file has is not written again.
    let folder = Folder::new("restart-again");
    for round in 0..3 {
        let server = start("llama", &folder, &[]);
        for _ in 0..2 {
            ask(&server, &first);
        }
        assert_eq!(server.metric("picolm_cache_loads_total"), f64::from(round.min(1)));
        end(server);
        assert_eq!(folder.texts().len(), 1);
    }
    let written = std::fs::read_to_string(folder.0.join("picolm-written")).unwrap();
    assert!(written.ends_with(&format!(" {}\n", folder.texts()[0].1)), "{written}");
}

#[test]
fn a_quiet_server_keeps_its_texts_and_a_longer_one_takes_its_place() {
    let folder = Folder::new("quiet");
    let server = start("llama", &folder, &[]);
    ask(&server, &tokens(200, 1));
    server.wait_for("picolm_cache_saves_total", |saves| saves == 1.0);
    let short = folder.texts();
    ask(&server, &tokens(210, 1));
    // Not for ten tokens more.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(server.metric("picolm_cache_saves_total"), 1.0);
    ask(&server, &tokens(400, 1));
    server.wait_for("picolm_cache_saves_total", |saves| saves == 2.0);
    let long = folder.texts();
    assert_eq!((short.len(), long.len()), (1, 1));
    assert!(long[0].0 != short[0].0 && long[0].1 > short[0].1);
    assert_eq!(server.metric("picolm_cache_saved_bytes_total"), (long[0].1 + short[0].1) as f64);
    // A server that is killed leaves what was saved.
    drop(server);
    let server = start("llama", &folder, &[]);
    let prompt = tokens(420, 1);
    assert_eq!(ask(&server, &prompt).1, 400);
}

/// Changes the only file of a folder, whose server then ignores it with one line and is right.
fn damaged(change: impl Fn(&Path), why: &str) {
    let folder = Folder::new(&format!("damaged-{}", why.len()));
    let prompt = tokens(200, 3);
    let server = start("qwen2_yarn", &folder, &[]);
    ask(&server, &prompt);
    end(server);
    let [(path, _)] = &folder.texts()[..] else { panic!("{:?}", folder.texts()) };
    change(path);
    let server = start("qwen2_yarn", &folder, &[]);
    let fresh = alone("qwen2_yarn", &prompt);
    assert_eq!(ask(&server, &prompt), (fresh.clone(), 0), "{why}");
    assert_eq!(ask(&server, &prompt), (fresh, 199), "{why}");
    let lines = said(&server, "ignored");
    assert!(lines.len() == 1 && lines[0].contains(why), "{why}: {lines:?}");
    if why.contains("no prompt cache") {
        // What is someone else's is not written over.
        let before = std::fs::read(path).unwrap();
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(std::fs::read(path).unwrap(), before);
    }
}

#[test]
fn files_that_are_damaged_or_foreign_are_ignored_with_a_line() {
    let flip = |path: &Path, at: usize| {
        let mut bytes = std::fs::read(path).unwrap();
        let at = at.min(bytes.len() - 5);
        bytes[at] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    damaged(|path| flip(path, usize::MAX), "a checksum is wrong");
    // A token: the text is another than the name says.
    damaged(|path| flip(path, 92 + 4 * 150), "it is damaged: a checksum is wrong");
    damaged(|path| std::fs::write(path, "").unwrap(), "it is cut off");
    damaged(|path| std::fs::write(path, "not of us\n".repeat(50)).unwrap(), "no prompt cache");
    damaged(
        |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        },
        "it is cut off, or longer",
    );
    // Another model's file, and one of other keys, under this one's name.
    let put = |name: &'static str, more: &'static [&'static str]| {
        move |path: &Path| {
            let folder = Folder::new(&format!("foreign-{name}-{}", more.len()));
            let server = start(name, &folder, more);
            ask(&server, &tokens(200, 3));
            end(server);
            std::fs::rename(&folder.texts()[0].0, path).unwrap();
        }
    };
    damaged(put("llama", &[]), "another model");
    damaged(put("qwen2_yarn", &["--kv", "q8_0"]), "keys and values are of another type");
}

#[test]
fn models_and_types_of_keys_live_side_by_side() {
    let folder = Folder::new("side");
    let prompt = tokens(200, 4);
    let variants: [(&str, &[&str]); 3] =
        [("qwen2_yarn", &[]), ("qwen2_yarn", &["--kv", "q8_0"]), ("llama", &[])];
    for round in 0..2 {
        for (name, more) in variants {
            let server = start(name, &folder, more);
            assert_eq!(
                ask(&server, &prompt).1,
                if round == 0 { 0 } else { 199 },
                "{name} {more:?}"
            );
            assert_eq!(said(&server, "ignored"), Vec::<String>::new());
            end(server);
        }
    }
    assert_eq!(folder.texts().len(), 3);
}

#[test]
fn budgets_are_kept() {
    let folder = Folder::new("budget");
    let server = start("llama", &folder, &[]);
    ask(&server, &tokens(200, 1));
    end(server);
    let one = folder.texts()[0].1;
    std::fs::write(folder.0.join("notes.kv"), "mine").unwrap();
    std::fs::write(folder.0.join("picolm-1-2-3.kv"), "mine").unwrap();

    // Room for two and a half: the one goes that was not used for longest.
    let limit = (one * 5 / 2).to_string();
    let room = ["--cache-max", &limit];
    for seed in [2, 3, 2] {
        let server = start("llama", &folder, &room);
        ask(&server, &tokens(200, seed));
        end(server);
        let texts = folder.texts().into_iter().filter(|(_, bytes)| *bytes > 4);
        assert!(texts.map(|(_, bytes)| bytes).sum::<u64>() <= one * 5 / 2);
    }
    let server = start("llama", &folder, &room);
    ask(&server, &tokens(200, 4));
    end(server);
    let server = start("llama", &folder, &room);
    let cached = |seed| ask(&server, &tokens(200, seed)).1;
    assert_eq!([1, 3, 2, 4].map(cached), [0, 0, 199, 199]);
    assert!(folder.0.join("notes.kv").exists() && folder.0.join("picolm-1-2-3.kv").exists());
    drop(server);

    // Not even one fits: its beginning is kept.
    let folder = Folder::new("budget-small");
    let server = start("llama", &folder, &["--cache-max", &(one * 3 / 4).to_string()]);
    ask(&server, &tokens(200, 1));
    end(server);
    assert!(folder.texts()[0].1 <= one * 3 / 4);
    let server = start("llama", &folder, &[]);
    let cached = ask(&server, &tokens(200, 1)).1;
    assert!((128..199).contains(&cached), "{cached}");
}

#[test]
fn a_day_has_its_writes_also_over_restarts() {
    let folder = Folder::new("writes");
    let server = start("llama", &folder, &[]);
    ask(&server, &tokens(200, 1));
    end(server);
    let one = folder.texts()[0].1;
    // One was written; one and a half more may be.
    let writes = ["--cache-writes", &(one * 5 / 2).to_string()];
    for seed in [2, 3] {
        let server = start("llama", &folder, &writes);
        ask(&server, &tokens(200, seed));
        if seed == 3 {
            server.wait_for("picolm_texts_running", |running| running == 0.0);
            std::thread::sleep(Duration::from_secs(3));
            let lines = said(&server, "--cache-writes");
            assert_eq!(lines.len(), 1, "{:?}", server.log());
        }
        end(server);
    }
    assert_eq!(folder.texts().len(), 2);
}

/// A server that is killed while it writes leaves the whole file or none.
#[test]
fn no_file_is_half_written() {
    let folder = Folder::new("killed");
    let room = ["-c", "2048"];
    for seed in 0..3 {
        let prompt = tokens(2000, seed);
        let server = start("llama", &folder, &room);
        let (wanted, _) = ask(&server, &prompt);
        let begun = std::time::Instant::now();
        // The count of what is written today comes first, then the file.
        let entries = || std::fs::read_dir(&folder.0).unwrap().count();
        let before = entries();
        while entries() == before && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(server);
        let server = start("llama", &folder, &room);
        let (text, cached) = ask(&server, &prompt);
        assert_eq!(text, wanted);
        assert!([0, 1999].contains(&cached), "{cached}");
        assert_eq!(said(&server, "ignored"), Vec::<String>::new());
    }
}

/// What a server leaves that is killed while it writes is gone after a start a minute later.
#[test]
fn parts_of_files_do_not_stay() {
    let folder = Folder::new("parts");
    std::fs::create_dir(&folder.0).unwrap();
    let name = format!("picolm-{:016x}-{:016x}-{:016x}.kv", 1, 2, 3);
    let (old, new) = ([".", &name, ".1-2-0.picolm-part"], [".", &name, ".1-3-0.picolm-part"]);
    for (parts, age) in [(old, 100), (new, 0)] {
        let path = folder.0.join(parts.concat());
        std::fs::write(&path, "half").unwrap();
        let time = std::time::SystemTime::now() - Duration::from_secs(age);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }
    end(start("llama", &folder, &[]));
    assert!(!folder.0.join(old.concat()).exists());
    assert!(folder.0.join(new.concat()).exists());
}

/// Two requests with one beginning, right after a restart: it is read once, and both are right.
#[test]
fn what_is_being_read_is_shared() {
    let folder = Folder::new("shared");
    let common = tokens(256, 5);
    let server = start("llama", &folder, &["--slots", "3"]);
    ask(&server, &common);
    end(server);
    let prompts: Vec<_> =
        (0..3).map(|index| [&common[..], &tokens(30 + index, index)].concat()).collect();
    let wanted: Vec<_> = prompts.iter().map(|prompt| alone("llama", prompt)).collect();
    let server = start("llama", &folder, &["--slots", "3"]);
    std::thread::scope(|scope| {
        for (prompt, wanted) in prompts.iter().zip(&wanted) {
            let server = &server;
            scope.spawn(move || {
                let (text, cached) = ask(server, prompt);
                assert_eq!(text, *wanted);
                assert!(cached >= 256, "{cached}");
            });
        }
    });
    assert_eq!(server.metric("picolm_cache_loads_total"), 1.0);
}

#[test]
fn folders_that_cannot_be_are_refused() {
    let path = model("llama");
    let line = |more: &[&str], code| {
        error_line(&run(&[&["serve", &path, "--port", "0"], more].concat()), code)
    };
    assert!(line(&["--cache-dir", "/dev/null/x"], 1).contains("/dev/null/x"));
    assert!(line(&["--cache-dir", "/dev/null"], 1).contains("/dev/null"));
    assert!(line(&["--cache-max", "5M"], 2).contains("--cache-dir"));
    assert!(line(&["--cache-writes", "5M"], 2).contains("--cache-dir"));
    assert!(line(&["--cache-dir", "x", "--cache-max", "0"], 2).contains("--cache-max"));
    // Without write permission, nothing is kept and everything is answered.
    let folder = Folder::new("read-only");
    let server = start("llama", &folder, &[]);
    let _ = std::fs::remove_dir_all(&folder.0);
    ask(&server, &tokens(200, 1));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(said(&server, "not saved").len(), 1, "{:?}", server.log());
    assert_eq!(ask(&server, &tokens(200, 1)).1, 199);
}

#[test]
fn a_text_that_changes_while_it_is_written_is_not_kept() {
    // The larger model: its file takes a while.
    let path = std::env::var("PICOLM_MODEL").expect("PICOLM_MODEL names a model: ci/test sets it");
    let folder = Folder::new("changes");
    let arguments = ["-c", "1024", "--cache-dir", folder.path()];
    let ask = |server: &Server, word: &str| -> Value {
        let prompt = format!("{word} {}", "to be or not to be. ".repeat(60));
        let body = json!({"prompt": prompt, "max_tokens": 1, "temperature": 0}).to_string();
        server.post("/v1/completions", &body).ok()
    };
    let server = Server::start(&path, &arguments);
    for round in 0..4 {
        ask(&server, &format!("round {round}"));
        std::thread::sleep(Duration::from_millis(1990 + 5 * round));
    }
    end(server);
    let kept = folder.texts();
    assert!(!kept.is_empty());
    let server = Server::start(&path, &arguments);
    for round in 0..4 {
        ask(&server, &format!("round {round}"));
    }
    // Every file that is there is whole.
    assert_eq!(said(&server, "ignored"), Vec::<String>::new());
    assert_eq!(server.metric("picolm_cache_loads_total"), kept.len() as f64);
}

#[test]
fn a_model_that_makes_vectors_keeps_nothing() {
    let folder = Folder::new("vectors");
    let server = start("gemma_embedding_dense", &folder, &[]);
    server.post("/v1/embeddings", r#"{"input":"to be"}"#).ok();
    let log = end(server);
    assert!(log.iter().any(|line| line.contains("makes vectors")), "{log:?}");
    assert_eq!(folder.texts(), []);
}
