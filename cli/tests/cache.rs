//! `--cache FILE`: what it spares, what it refuses, and that the text is the same in any case.

mod common;

use common::{error_line, model, picolm, run};
use std::path::{Path, PathBuf};
use std::process::Output;

const PROMPT: &str = "Once upon a time there was a small machine that could";

/// A folder of one test's own that is gone afterwards, with a cache file's name in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("picolm-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("text.cache")
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// What lies in it.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs with a cache file; the run must succeed.
fn cached(prompt: &str, file: &Path, more: &[&str]) -> (Vec<u8>, String) {
    let path = model("llama");
    let file = file.to_str().unwrap();
    let output = run(&[&[&path, "-p", prompt, "-t", "0", "--cache", file], more].concat());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    (output.stdout, errors)
}

fn fresh(prompt: &str, more: &[&str]) -> Vec<u8> {
    common::stdout_of(&[&[model("llama").as_str(), "-p", prompt, "-t", "0"], more].concat())
}

/// Prompt tokens that were skipped, as stderr says it.
fn skipped(errors: &str) -> usize {
    let line = errors.lines().find_map(|line| line.strip_prefix("Skipping "));
    let number = line.and_then(|line| line.strip_suffix(" cached prompt tokens"));
    number.unwrap_or_else(|| panic!("{errors}")).parse().unwrap()
}

fn token_count(text: &str) -> usize {
    let json = common::stdout_of(&["tokenize", &model("llama"), "-p", text]);
    serde_json::from_slice::<Vec<u32>>(&json).unwrap().len()
}

#[test]
fn a_conversation_goes_on_where_it_was() {
    let folder = Folder::new("conversation");
    let expected = fresh(PROMPT, &["-n", "12"]);
    let (text, errors) = cached(PROMPT, &folder.file(), &["-n", "12"]);
    assert_eq!(text, expected);
    assert!(!errors.contains("Skipping"), "{errors}");
    assert_eq!(folder.names(), ["text.cache"]);

    // The same again: all but the last token of the prompt.
    let (text, errors) = cached(PROMPT, &folder.file(), &["-n", "12"]);
    assert_eq!(text, expected);
    assert_eq!(skipped(&errors), token_count(PROMPT) - 1);
    assert!(errors.contains("Prefill: 1 token in"), "{errors}");

    // A prompt that shares a part of it, one that has nothing but its beginning in common, and one
    // that goes on from the answer.
    let longer = format!("{PROMPT}{} and more", String::from_utf8_lossy(&expected));
    let all = token_count(PROMPT);
    for (prompt, least, most) in
        [(&PROMPT[..20], 3, all), ("zebra", 1, 2), (&longer, all - 1, all + 11)]
    {
        let whole = std::fs::read(folder.file()).unwrap();
        let (text, errors) = cached(prompt, &folder.file(), &["-n", "12"]);
        assert_eq!(text, fresh(prompt, &["-n", "12"]), "{prompt}");
        assert!((least..=most).contains(&skipped(&errors)), "{errors}");
        std::fs::write(folder.file(), whole).unwrap();
    }
    let (quiet, errors) = cached(PROMPT, &folder.file(), &["-n", "12", "--quiet"]);
    assert_eq!((quiet, errors.as_str()), (expected, ""));
}

/// The file is not touched where it has all that was computed: not even its time.
#[test]
fn nothing_new_is_not_written() {
    let folder = Folder::new("nothing-new");
    cached(PROMPT, &folder.file(), &["-n", "12"]);
    let state = || {
        let metadata = std::fs::metadata(folder.file()).unwrap();
        (metadata.modified().unwrap(), std::fs::read(folder.file()).unwrap())
    };
    let before = state();
    std::thread::sleep(core::time::Duration::from_millis(20));
    for arguments in [&["-n", "12"][..], &["-n", "5"], &["-n", "0"]] {
        cached(PROMPT, &folder.file(), arguments);
        assert!(state() == before, "{arguments:?}");
    }
    cached(PROMPT, &folder.file(), &["-n", "14"]);
    assert!(state() != before, "more was written, and is kept");
}

#[test]
fn what_does_not_belong_is_ignored_with_a_reason() {
    let folder = Folder::new("foreign");
    let expected = fresh(PROMPT, &["-n", "8"]);
    let ignored = |what: &[u8], reason: &str| {
        std::fs::write(folder.file(), what).unwrap();
        let (text, errors) = cached(PROMPT, &folder.file(), &["-n", "8", "--quiet"]);
        assert_eq!(text, expected);
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(errors.contains("ignored") && errors.contains(reason), "{errors}");
        std::fs::read(folder.file()).unwrap()
    };
    cached(PROMPT, &folder.file(), &["-n", "8"]);
    let good = std::fs::read(folder.file()).unwrap();
    let mut damaged = good.clone();
    damaged[good.len() / 2] ^= 1;
    assert!(ignored(&damaged, "checksum") == good, "replaced by what was computed");
    assert!(ignored(&good[..good.len() - 9], "cut off") == good);
    assert!(ignored(b"", "cut off") == good);

    let other = folder.file();
    let other = other.to_str().unwrap();
    let sister = model("llama_linear");
    assert!(run(&[&sister, "-p", PROMPT, "-n", "3", "--cache", other]).status.success());
    let sisters = std::fs::read(folder.file()).unwrap();
    assert!(ignored(&sisters, "another model") == good);

    let rounded = picolm(&[&model("llama"), "-p", PROMPT, "-n", "3", "--cache", other])
        .env("PICOLM_ACTIVATIONS", "f32")
        .output()
        .unwrap();
    let errors = String::from_utf8(rounded.stderr).unwrap();
    let uses_integers = errors.contains("other rounding");
    assert!(uses_integers || errors.contains("Skipping"), "{errors}");

    // Somebody's notes, or the model itself by mistake: never written over.
    for precious in [&b"notes that someone wants to keep"[..], b"x"] {
        assert_eq!(ignored(precious, "left as it is"), precious);
    }
}

#[test]
fn the_file_stays_within_cache_max() {
    let folder = Folder::new("limit");
    let expected = fresh(PROMPT, &["-n", "12"]);
    let (text, errors) = cached(PROMPT, &folder.file(), &["-n", "12", "--cache-max", "5K"]);
    assert_eq!(text, expected);
    assert!(errors.contains("more do not fit in --cache-max"), "{errors}");
    let bytes = std::fs::metadata(folder.file()).unwrap().len();
    assert!((3000..=5 << 10).contains(&bytes), "{bytes} bytes");
    let (text, errors) = cached(PROMPT, &folder.file(), &["-n", "12", "--cache-max", "5K"]);
    assert_eq!(text, expected);
    assert!(skipped(&errors) > 3 && !errors.contains("do not fit"), "{errors}");
    let (text, errors) = cached("zebra", &folder.file(), &["-n", "12", "--cache-max", "100"]);
    assert_eq!(text, fresh("zebra", &["-n", "12"]));
    assert!(errors.contains("not even one token"), "{errors}");
    assert_eq!(std::fs::metadata(folder.file()).unwrap().len(), bytes);
}

#[test]
fn a_file_that_cannot_be_is_an_error_at_once() {
    let folder = Folder::new("impossible");
    let refused = |path: &str, says: &str| {
        let start = std::time::Instant::now();
        let output = run(&["no-model-is-needed.gguf", "-p", "x", "--cache", path]);
        let line = error_line(&output, 1);
        assert!(line.contains(path) && line.contains(says), "{line}");
        assert!(start.elapsed() < core::time::Duration::from_secs(20));
    };
    refused(folder.0.to_str().unwrap(), "is a directory");
    refused(&folder.path("none/cache"), "no such folder");
    let read_only = folder.path("read-only");
    std::fs::write(&read_only, b"").unwrap();
    let mut permissions = std::fs::metadata(&read_only).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&read_only, permissions).unwrap();
    refused(&read_only, "is read-only");
    #[cfg(unix)]
    {
        let link = folder.path("link");
        std::os::unix::fs::symlink(&link, &link).unwrap();
        refused(&link, "is a symbolic link");
        let pipe = folder.path("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        refused(&pipe, "is a pipe");
        refused("/dev/full", "is a device");
    }
}

/// A link stays one: what it leads to, on whatever disk, is the file.
#[cfg(unix)]
#[test]
fn links_are_followed() {
    let (folder, other) = (Folder::new("links"), Folder::new("linked-to"));
    let link = |name: &str, target: &str| {
        std::os::unix::fs::symlink(target, folder.path(name)).unwrap();
    };
    link("absolute", &other.path("file"));
    link("relative", "absolute");
    for name in ["absolute", "relative"] {
        let (text, errors) = cached(PROMPT, Path::new(&folder.path(name)), &["-n", "6"]);
        assert_eq!(text, fresh(PROMPT, &["-n", "6"]), "{errors}");
        assert_eq!(errors.contains("Skipping"), name == "relative", "{errors}");
    }
    assert_eq!(other.names(), ["file"]);
    assert_eq!(folder.names(), ["absolute", "relative"]);
    assert!(std::fs::symlink_metadata(folder.path("absolute")).unwrap().is_symlink());
}

/// Ctrl-C ends a text, and so does a service manager; what was computed of it is kept.
#[cfg(unix)]
#[test]
fn an_interrupted_text_is_kept() {
    interrupted_text_is_kept("-INT", 130);
    interrupted_text_is_kept("-TERM", 143);
}

#[cfg(unix)]
fn interrupted_text_is_kept(signal: &str, exit_code: i32) {
    let folder = Folder::new(&format!("interrupted{signal}"));
    let file = folder.path("text.cache");
    let path = model("llama_linear");
    for _ in 0..10 {
        let arguments = ["-n", "8000", "-c", "8192", "-t", "0", "-j", "1", "--cache", &file];
        let mut child = picolm(&[&[&path, "-p", PROMPT], &arguments[..]].concat()).spawn().unwrap();
        let mut first = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        if common::exit_code(child) == Some(exit_code) {
            let output = run(&[&path, "-p", PROMPT, "-n", "1", "-t", "0", "--cache", &file]);
            assert!(skipped(&String::from_utf8(output.stderr).unwrap()) > 5);
            return;
        }
    }
    panic!("never interrupted");
}

/// Two runs save to one file again and again: each finds a whole file, one's or the other's.
#[test]
fn two_writers_never_mix() {
    let folder = Folder::new("writers");
    let prompts = ["The first of two writers", "Another one, with other words"];
    let alone = prompts.map(|prompt| fresh(prompt, &["-n", "6"]));
    std::thread::scope(|scope| {
        for (prompt, alone) in prompts.iter().zip(&alone) {
            let file = folder.file();
            scope.spawn(move || {
                for _ in 0..10 {
                    let (text, errors) = cached(prompt, &file, &["-n", "6"]);
                    assert_eq!(&text, alone);
                    assert!(!errors.contains("ignored"), "{errors}");
                }
            });
        }
    });
    assert_eq!(folder.names(), ["text.cache"]);
}

fn shift(arguments: &[&str]) -> Output {
    run(&[&[model("llama").as_str(), "-p", PROMPT, "-c", "40", "-t", "1.5"], arguments].concat())
}

/// The engine's tests say what a shift computes; here, that the program does it and says so.
#[test]
fn a_full_context_goes_on_where_it_may() {
    let folder = Folder::new("shift");
    let ends = shift(&["-n", "100", "--quiet"]);
    assert!(String::from_utf8_lossy(&ends.stderr).contains("is full"));
    for (fast, says) in [(&[][..], None), (&["fast"], Some("shifted fast"))] {
        let file = folder.path(if fast.is_empty() { "again" } else { "fast" });
        let more = [&["-n", "100", "--cache", &file, "--shift"], fast].concat();
        let output = shift(&more);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
        assert!(output.stdout.starts_with(&ends.stdout) && output.stdout.len() > ends.stdout.len());
        let dropped = errors.lines().find_map(|line| line.strip_prefix("Shift: "));
        let dropped = dropped.and_then(|line| line.split(' ').next()).unwrap();
        // 36 need not stay: 18 at a time.
        assert!(dropped.parse::<u32>().unwrap().is_multiple_of(18), "{errors}");
        match says {
            None => assert!(Path::new(&file).exists()),
            Some(says) => {
                assert!(errors.contains(says) && !Path::new(&file).exists(), "{errors}");
            }
        }
        let quiet = shift(&[&more[..], &["--quiet"]].concat());
        assert_eq!(quiet.stdout, output.stdout);
    }
    let linear = model("llama_linear");
    let output = run(&[&linear, "-p", PROMPT, "--shift", "fast", "--kv", "q8_0"]);
    let line = error_line(&output, 2);
    assert!(line.contains("--shift") && line.contains("f16"), "{line}");
    let line = error_line(&shift(&["--shift", "--keep", "39"]), 2);
    assert!(line.contains("--shift") && line.contains("39") && line.contains("40"), "{line}");
}
