//! `--ram` and `--lock`: the same text from less memory, and one line where that cannot be.

mod common;

use common::{error_line, model, picolm, run, stdout_of};
use std::path::{Path, PathBuf};

/// A real model of some 100 MB: those of the repository are smaller than the buffers.
fn real_model() -> PathBuf {
    let path = std::env::var_os("PICOLM_MODEL").map(PathBuf::from);
    path.filter(|path| path.is_file()).expect("PICOLM_MODEL names no file: see ci/test")
}

fn arguments<'a>(path: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let prompt = "The capital of France is the city of Paris, and the capital of Italy";
    let fixed = [path, "-p", prompt, "-n", "4", "-t", "0", "-c", "256"];
    fixed.iter().chain(more).copied().collect()
}

#[test]
fn a_part_of_the_memory_gives_the_whole_text() {
    let path = real_model();
    let path = path.to_str().unwrap();
    let expected = stdout_of(&arguments(path, &["--quiet"]));
    let too_little = error_line(&run(&arguments(path, &["--ram", "1M"])), 1);
    let (_, least) = too_little.split_once("at least --ram ").expect("names the least");
    let (least, _) = least.split_once(' ').unwrap();
    for (ram, threads) in [(least, "1"), ("48M", "3"), ("100M", "2"), ("500M", "2")] {
        let output = run(&arguments(path, &["--ram", ram, "-j", threads]));
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{ram}: {errors}");
        assert!(output.stdout == expected, "{ram}");
        let line = errors.lines().find(|line| line.starts_with("Memory: planned ")).unwrap();
        assert_eq!(line.contains("streamed a token"), ram != "500M", "{line}");
    }
    let least: u64 = least.trim_end_matches('M').parse().unwrap();
    let less = format!("{}M", least - 2);
    error_line(&run(&arguments(path, &["--ram", &less])), 1);
}

#[test]
fn the_plan_adds_up_and_says_what_to_expect() {
    let path = real_model();
    let path = path.to_str().unwrap();
    let page = |ram| {
        let page = stdout_of(&["info", path, "-c", "256", "--ram", ram]);
        String::from_utf8(page).unwrap()
    };
    let streamed = page("64M");
    for part in ["process", "header", "stream buffers", "pinned weights", "disk speed"] {
        assert!(streamed.contains(part), "{part}: {streamed}");
    }
    assert!(streamed.contains("s a token, by "), "{streamed}");
    let mapped = page("1G");
    assert!(mapped.contains("model, mapped") && !mapped.contains("pinned"), "{mapped}");
    let too_little = error_line(&run(&["info", path, "--ram", "2M"]), 1);
    assert!(too_little.contains("at least --ram "), "{too_little}");
}

/// A copy that one test may spoil.
struct Copy(PathBuf);

impl Copy {
    fn of(path: &Path) -> Self {
        let copy = std::env::current_exe().unwrap().with_file_name("ceiling-copy.gguf");
        std::fs::copy(path, &copy).unwrap();
        Self(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_streamed_is_an_error_of_one_line() {
    let copy = Copy::of(&real_model());
    let path = copy.0.to_str().unwrap();
    let prompt = ["-p", "Once upon a time", "-t", "0", "-n", "200", "-c", "256"];
    let arguments = [&[path][..], &prompt, &["--ram", "48M", "--quiet"]].concat();
    let mut child = picolm(&arguments).spawn().unwrap();
    let mut first = [0];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&copy.0).unwrap();
    file.set_len(20 << 20).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.contains("could not be read") && errors.contains("beyond the end"), "{errors}");
}

#[test]
fn locking_keeps_the_text_or_says_what_to_raise() {
    let path = model("llama");
    let arguments = [path.as_str(), "-p", "Once", "-n", "5", "-t", "0", "--quiet"];
    let expected = stdout_of(&arguments);
    let output = run(&[&arguments[..], &["--lock"]].concat());
    if output.status.success() {
        assert_eq!(output.stdout, expected);
    } else {
        assert!(error_line(&output, 1).contains("ulimit -l"));
    }
}

/// The exit code, and the most memory that Linux has charged to a run with `input`, its page
/// cache included; `None` where this machine cannot count that.
#[cfg(unix)]
fn peak_bytes(arguments: &[&str], input: &[u8]) -> Option<(i32, u64)> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let board_box = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/board-box");
    let mut command = Command::new(board_box);
    command.args(["0", "0", &common::program()]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    // Who has read enough closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    let (_, peak) = errors.rsplit_once("board-box: peak ")?;
    Some((output.status.code()?, peak.split(' ').next()?.parse().ok()?))
}

#[cfg(unix)]
#[test]
fn neither_a_prompt_cache_nor_a_long_prompt_passes_the_ceiling() {
    let model = real_model();
    let model = model.to_str().unwrap();
    let cache = std::env::current_exe().unwrap().with_file_name("ceiling.cache");
    let _ = std::fs::remove_file(&cache);
    let arguments =
        [model, "--ram", "56M", "-c", "1024", "-n", "2", "--cache", cache.to_str().unwrap()];
    // Some 900 tokens: a cache file of 20 MB.
    let text = "A small machine reads a long text. ".repeat(112);
    let endless = "a".repeat(8 << 20);
    for (input, code) in [(text.clone(), 0), (text + "Again", 0), (endless, 1)] {
        let Some((ended, peak)) = peak_bytes(&arguments, input.as_bytes()) else {
            eprintln!("not tested: memory cannot be counted here");
            return;
        };
        assert_eq!(ended, code);
        assert!(peak < 56 << 20, "{peak}");
        assert!(std::fs::metadata(&cache).unwrap().len() > 18 << 20);
    }
    std::fs::remove_file(&cache).unwrap();
}
