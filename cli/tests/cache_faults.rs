//! A save that fails or is killed at any call: the file is the old one or the new one, whole.
//!
//! Faults come from outside: `ulimit` limits what can be written, and `strace` makes single system
//! calls fail or kills the program at them (`ci/test` installs it).
#![cfg(unix)]

mod common;

use common::model;
use core::time::Duration;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::SystemTime;

/// A folder with a cache file of one prompt, and what a run with another prompt makes of it.
struct Scene {
    folder: PathBuf,
    arguments: Vec<String>,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Scene {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("picolm-{}-{name}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("text.cache").to_str().unwrap().to_owned();
        let arguments = |prompt: &str| -> Vec<String> {
            // One thread and no output: every write is the save's.
            let line = ["-n", "0", "-j", "1", "--quiet", "--cache", &file, "-p", prompt];
            [&[model("llama").as_str()], &line[..]].concat().iter().map(|s| s.to_string()).collect()
        };
        // Some frames of 64 KiB; and a run of another length, so that no two files look alike.
        let old = arguments(&"an old text of many words ".repeat(18));
        let arguments = arguments(&"quite another, newer one ".repeat(30));
        let mut scene = Self { folder, arguments, old: Vec::new(), new: Vec::new() };
        let run = |arguments: &[String]| {
            let status = Command::new(common::program()).args(arguments).status();
            assert!(status.unwrap().success());
            std::fs::read(&file).unwrap()
        };
        scene.old = run(&old);
        scene.new = run(&scene.arguments);
        assert!(scene.new.len() > 65_536 && scene.old.len() < scene.new.len());
        scene
    }

    fn file(&self) -> PathBuf {
        self.folder.join("text.cache")
    }

    /// Names beside the file's.
    fn left_over(&self) -> usize {
        std::fs::read_dir(&self.folder).unwrap().count() - 1
    }

    /// Lets `wrapper` run the program over the old file; says whether the file is the new one then.
    fn run(&self, wrapper: &[&str]) -> (Output, bool) {
        std::fs::write(self.file(), &self.old).unwrap();
        let output = Command::new(wrapper[0])
            .args(&wrapper[1..])
            .arg(common::program())
            .args(&self.arguments)
            .output()
            .unwrap();
        let found = std::fs::read(self.file()).unwrap();
        assert!(found == self.old || found == self.new, "{wrapper:?}: neither old nor new");
        (output, found == self.new)
    }

    /// The run failed with one line about the file, and has cleared up.
    fn assert_failed(&self, what: &str, output: &Output) {
        let errors = String::from_utf8_lossy(&output.stderr);
        let line = errors.lines().find(|line| line.starts_with("picolm: ")).unwrap_or_default();
        assert_eq!(output.status.code(), Some(1), "{what}: {errors}");
        assert!(line.contains("text.cache: not saved: "), "{what}: {errors}");
        assert_eq!(self.left_over(), 0, "{what}");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A disk that is full after any number of bytes, by the limit on the size of a file.
#[test]
fn whatever_room_there_is_the_file_is_old_or_new() {
    let scene = Scene::new("room");
    // `ulimit -f` counts 512 bytes in a POSIX shell and 1024 in bash.
    let most = scene.new.len() / 512;
    let mut failed = 0;
    for blocks in (0..=most + 1).step_by(most / 40 + 1).chain([1, most + 1]) {
        let limit = format!("ulimit -f {blocks} && exec \"$@\"");
        let (output, is_new) = scene.run(&["sh", "-c", &limit, "sh"]);
        if is_new {
            assert!(output.status.success());
            assert!(blocks * 1024 >= scene.new.len(), "{blocks}");
        } else {
            scene.assert_failed(&limit, &output);
            failed += 1;
        }
    }
    assert!(failed >= 20, "only {failed} limits were too small");
    assert!(scene.run(&["env"]).1);
}

/// Whether system calls can be made to fail here; CI has what it takes.
fn has_strace() -> bool {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).status();
    let works = works.is_ok_and(|status| status.success());
    if !works {
        eprintln!("strace is not there or not allowed: single calls are not made to fail");
    }
    works
}

/// How many calls of each kind the program makes, by strace's own count.
fn calls(scene: &Scene, kinds: &[&str]) -> Vec<usize> {
    let log = scene.folder.join("calls");
    let trace = format!("trace={}", kinds.join(","));
    let (output, is_new) = scene.run(&["strace", "-o", log.to_str().unwrap(), "-e", &trace]);
    assert!(output.status.success() && is_new);
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(log).unwrap();
    let count = |kind: &&str| {
        let name = kind.trim_start_matches("/^");
        text.lines().filter(|line| line.starts_with(name)).count()
    };
    kinds.iter().map(count).collect()
}

/// Calls of a save: what changes the folder or the file. `rename` has other names elsewhere.
const CHANGING: [&str; 3] = ["write", "fsync", "/^rename"];

#[test]
fn an_error_of_any_call_leaves_the_old_file_or_the_new_one() {
    if !has_strace() {
        return;
    }
    let scene = Scene::new("errors");
    let counts = calls(&scene, &CHANGING);
    assert!(counts[0] >= 2 && counts[1..] == [2, 1], "{counts:?}");
    for (kind, count) in CHANGING.iter().zip(counts) {
        for error in ["ENOSPC", "EIO"] {
            for index in 1..=count {
                let inject = format!("inject={kind}:error={error}:when={index}");
                let (output, is_new) = scene.run(&["strace", "-o", "/dev/null", "-e", &inject]);
                scene.assert_failed(&inject, &output);
                // The folder's sync is the only call after the new one has its name.
                assert_eq!(is_new, *kind == "fsync" && index == count, "{inject}");
            }
        }
    }
    // A call that is interrupted or does less than it was asked for is no error.
    for inject in ["inject=write:error=EINTR:when=1", "inject=write:error=EINTR:when=2"] {
        let (output, is_new) = scene.run(&["strace", "-o", "/dev/null", "-e", inject]);
        assert!(output.status.success() && is_new, "{inject}");
    }
}

#[test]
fn a_kill_at_any_call_leaves_the_old_file_or_the_new_one() {
    if !has_strace() {
        return;
    }
    let scene = Scene::new("kills");
    let kinds = ["openat", "write", "fsync", "/^rename", "close", "flock", "/^unlink"];
    let mut killed = 0;
    for (kind, count) in kinds.iter().zip(calls(&scene, &kinds)) {
        for index in 1..=count {
            let inject = format!("inject={kind}:signal=KILL:when={index}");
            let (output, _) = scene.run(&["strace", "-o", "/dev/null", "-e", &inject]);
            assert!(!output.status.success(), "{inject}");
            killed += 1;
        }
    }
    // Another program may need fewer calls.
    let least = if std::env::var_os("PICOLM_PROGRAM").is_some() { 12 } else { 20 };
    assert!(killed > least, "{killed}");
    // What the killed have left is cleared up by a save that comes a minute later.
    assert!(scene.left_over() > 0, "no kill came while a file was half written");
    let before = SystemTime::now() - Duration::from_secs(61);
    for entry in std::fs::read_dir(&scene.folder).unwrap() {
        let part = std::fs::File::options().write(true).open(entry.unwrap().path()).unwrap();
        part.set_modified(before).unwrap();
    }
    assert!(scene.run(&["env"]).1);
    assert_eq!(scene.left_over(), 0);
}

/// A folder that cannot be written to: the answer was written, the save is an error.
#[test]
fn a_save_that_fails_does_not_take_the_answer() {
    let scene = Scene::new("answer");
    let file = scene.file();
    let file = file.to_str().unwrap();
    let arguments = [&model("llama"), "-p", "Once upon a time", "-t", "0", "-n", "10", "--quiet"];
    let expected = common::stdout_of(&arguments);
    let limited = Command::new("sh")
        .args(["-c", "ulimit -f 0 && exec \"$@\"", "sh", &common::program()])
        .args(arguments)
        .args(["--cache", file])
        .output()
        .unwrap();
    assert_eq!(limited.stdout, expected);
    scene.assert_failed("answer", &limited);
    assert_eq!(limited.stderr.iter().filter(|&&byte| byte == b'\n').count(), 1);
}
