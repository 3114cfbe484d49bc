//! `--expert-profile FILE`: counts add up, files that do not fit are refused and left as they are,
//! and the text is the same in any case.

mod common;

use common::{TemporaryFile, error_line, model, run, run_with_input, stdout_of};
use std::path::{Path, PathBuf};

const PROMPT: &str = "Once upon a time there was";

/// Bytes before the counts, and of the checksum behind them.
const HEADER_BYTES: usize = 28;
const CHECKSUM_BYTES: usize = 4;

/// A path of one test's own, of a file that is not there yet and gone afterwards.
struct Profile(PathBuf);

impl Profile {
    fn new(name: &str) -> Self {
        let name = format!("picolm-{}-{name}.experts", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn counts(&self) -> Vec<u64> {
        let file = std::fs::read(&self.0).unwrap();
        let counts = &file[HEADER_BYTES..file.len() - CHECKSUM_BYTES];
        counts.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect()
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn arguments<'a>(model: &'a str, profile: &'a str) -> Vec<&'a str> {
    vec![model, "-p", PROMPT, "-n", "8", "-t", "0", "--quiet", "--expert-profile", profile]
}

#[test]
fn counts_of_runs_add_up_and_the_text_is_the_same() {
    let (profile, model) = (Profile::new("adds"), model("llama_moe"));
    let expected = stdout_of(&[&model, "-p", PROMPT, "-n", "8", "-t", "0", "--quiet"]);
    assert_eq!(stdout_of(&arguments(&model, profile.path())), expected);
    let once = profile.counts();
    let prompt = stdout_of(&["tokenize", &model, "-p", PROMPT]);
    let rows = serde_json::from_slice::<Vec<u32>>(&prompt).unwrap().len() + 8 - 1;
    let config = common::reference("llama_moe");
    let number = |key: &str| config["metadata"][format!("llama.{key}")].as_u64().unwrap();
    let n_expert = number("expert_count") as usize;
    assert_eq!(once.len(), number("block_count") as usize * n_expert);
    // Every row chooses as many in each block, and the prompt's rows share a pass.
    let used = number("expert_used_count");
    for block in once.chunks(n_expert) {
        let uses = block.iter().sum::<u64>();
        assert!((8 * used..rows as u64 * used).contains(&uses), "{uses} by {rows} rows");
    }
    assert_eq!(stdout_of(&arguments(&model, profile.path())), expected);
    assert_eq!(profile.counts(), once.iter().map(|count| 2 * count).collect::<Vec<_>>());
}

#[test]
fn a_talk_counts_too() {
    let (profile, model) = (Profile::new("talk"), model("llama_moe"));
    let chat = ["chat", &model, "--chat-template", "chatml", "-n", "4", "--quiet"];
    let arguments = [&chat[..], &["--expert-profile", profile.path()]].concat();
    assert!(run_with_input(&arguments, b"Hello\nAgain\n").status.success());
    assert!(profile.counts().iter().sum::<u64>() > 0);
}

/// Runs with a file that holds `bytes`, which must be refused and left as it is.
fn refused(model: &str, bytes: &[u8], says: &str) {
    let file = TemporaryFile::new("profile", bytes);
    let line = error_line(&run(&arguments(model, file.path())), 1);
    assert!(line.contains(file.path()) && line.contains(says), "{says}: {line}");
    assert!(line.contains("name another file"), "{line}");
    assert!(std::fs::read(file.path()).unwrap() == bytes, "{says}: the file was changed");
}

#[test]
fn a_file_that_does_not_fit_is_refused_in_one_line() {
    let (profile, model) = (Profile::new("good"), model("llama_moe"));
    stdout_of(&arguments(&model, profile.path()));
    let good = std::fs::read(profile.path()).unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    refused(&model, b"notes that someone wants to keep", "no profile");
    refused(&model, &common::model_bytes("llama_moe"), "no profile");
    refused(&model, b"", "cut off");
    refused(&model, &good[..HEADER_BYTES - 1], "cut off");
    refused(&model, &good[..good.len() - 1], "cut off");
    refused(&model, &[&good[..], &[0; 9]].concat(), "cut off");
    refused(&model, &with(8, &7u32.to_le_bytes()), "version 7");
    refused(&model, &with(12, &[1; 8]), "another model");
    // As many blocks and experts as there can be.
    refused(&model, &with(20, &[0xff; 8]), "another model");
    refused(&model, &with(HEADER_BYTES, &[0xff; 8]), "checksum");
    // Other layers of the same model.
    let file = TemporaryFile::new("profile", &good);
    let skipping = [&arguments(&model, file.path())[..], &["--skip-layers", "0"]].concat();
    assert!(error_line(&run(&skipping), 1).contains("other layers"));
}

#[test]
fn what_cannot_be_counted_is_said_before_the_text() {
    let profile = Profile::new("dense");
    let line = error_line(&run(&arguments(&model("llama"), profile.path())), 1);
    assert!(line.contains("no experts") && line.contains("leave it out"), "{line}");
    assert!(!Path::new(profile.path()).exists());
    let folder = std::env::temp_dir();
    let line = error_line(&run(&arguments("none.gguf", folder.to_str().unwrap())), 1);
    assert!(line.contains("is a directory"), "{line}");
}
