//! Running the program as its users do, and the small models to run it on.
// Unsafe: sets a signal for the program.
#![allow(dead_code, unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering};
use picolm_core::gguf::Gguf;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The program: `PICOLM_PROGRAM` where another is to stand the same tests (`ci/tiny`).
pub(crate) fn program() -> String {
    let built = || env!("CARGO_BIN_EXE_picolm").to_owned();
    std::env::var("PICOLM_PROGRAM").unwrap_or_else(|_| built())
}

/// The program with arguments, its three streams piped, and no settings from outside. Where it is
/// for another machine, `PICOLM_RUNNER` is the command that runs it (`ci/cross-test`). What runs in
/// the background or by `nohup` ignores signals; the program does not.
pub(crate) fn picolm(arguments: &[&str]) -> Command {
    let runner = std::env::var("PICOLM_RUNNER").unwrap_or_default();
    let program = program();
    let mut words = runner.split_whitespace().chain([program.as_str()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(arguments).env_remove("PICOLM_CPU").env_remove("PICOLM_ACTIVATIONS");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    // SAFETY: between fork and exec only `signal` is called, which is async-signal-safe.
    unsafe {
        use std::os::unix::process::CommandExt;
        command.pre_exec(|| {
            for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
                libc::signal(signal, libc::SIG_DFL);
            }
            Ok(())
        });
    }
    command
}

/// Runs the program without input.
pub(crate) fn run(arguments: &[&str]) -> Output {
    picolm(arguments).output().unwrap()
}

/// Runs the program with `input` on stdin.
pub(crate) fn run_with_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = picolm(arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// What the program wrote to stdout; it must have succeeded.
pub(crate) fn stdout_of(arguments: &[&str]) -> Vec<u8> {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    output.stdout
}

/// The one line that a failing program writes to stderr, and nothing to stdout.
pub(crate) fn error_line(output: &Output, exit_code: i32) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(exit_code), "{errors}");
    assert!(output.stdout.is_empty(), "{:?}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.starts_with("picolm: ") && errors.ends_with('\n'), "{errors}");
    errors
}

/// Waits for `child`, which must end with the code that is returned.
pub(crate) fn exit_code(mut child: Child) -> Option<i32> {
    let mut rest = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut rest).unwrap();
    }
    child.wait().unwrap().code()
}

/// The folder of reference models: `PICOLM_FIXTURES`, or those of this repository.
pub(crate) fn fixtures() -> PathBuf {
    std::env::var_os("PICOLM_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/data"),
        PathBuf::from,
    )
}

/// The path of a reference model of the architectures' folder.
pub(crate) fn model(name: &str) -> String {
    let path = fixtures().join("arch").join(format!("{name}.gguf"));
    assert!(path.is_file(), "{} is missing", path.display());
    path.to_str().unwrap().to_owned()
}

/// What the reference says of a model.
pub(crate) fn reference(name: &str) -> serde_json::Value {
    let path = fixtures().join("arch").join(format!("{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The floats of a file of little-endian f32, or of the program's output.
pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    assert!(bytes.len().is_multiple_of(4));
    bytes.as_chunks().0.iter().map(|&number| f32::from_le_bytes(number)).collect()
}

/// A file of one test's own that is gone afterwards.
pub(crate) struct TemporaryFile(PathBuf);

impl TemporaryFile {
    pub(crate) fn new(name: &str, bytes: &[u8]) -> Self {
        // Tests of one process run side by side.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = format!("picolm-{}-{number}-{name}", std::process::id());
        let path = std::env::temp_dir().join(file);
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl AsRef<OsStr> for TemporaryFile {
    fn as_ref(&self) -> &OsStr {
        self.0.as_os_str()
    }
}

/// Value types of GGUF, by its numbers.
pub(crate) mod value_type {
    pub(crate) const UINT32: u32 = 4;
    pub(crate) const BOOL: u32 = 7;
    pub(crate) const STRING: u32 = 8;
    pub(crate) const ARRAY: u32 = 9;
}

/// A small model with random weights and a context of 32,768.
pub(crate) fn long_model() -> TemporaryFile {
    let file = std::fs::read(model("llama")).unwrap();
    let length = 32_768u32.to_le_bytes();
    let long = with_key(&file, "llama.context_length", value_type::UINT32, &length);
    TemporaryFile::new("long.gguf", &long)
}

/// A model file with this value of `key`, instead of its own or beside the others.
pub(crate) fn with_key(file: &[u8], key: &str, value_type: u32, value: &[u8]) -> Vec<u8> {
    let gguf = Gguf::parse(file, file.len() as u64).unwrap();
    let mut header = gguf.header_bytes().to_vec();
    if let Some(offset) = gguf.offset_of(key) {
        // Its name becomes one that nobody asks for.
        header[offset as usize + 8] = b'~';
    }
    let pairs = gguf.metadata_count() + 1;
    let key_bytes = (key.len() as u64).to_le_bytes();
    let pair = [&key_bytes[..], key.as_bytes(), &value_type.to_le_bytes(), value].concat();
    let mut changed = [&header[..16], &pairs.to_le_bytes(), &pair, &header[24..]].concat();
    changed.resize(changed.len().next_multiple_of(gguf.alignment() as usize), 0);
    changed.extend(&file[gguf.data_offset() as usize..]);
    changed
}

/// The bytes of a reference model.
pub(crate) fn model_bytes(name: &str) -> Vec<u8> {
    std::fs::read(model(name)).unwrap()
}
