//! Models in several files.

mod common;

use common::{error_line, fixtures, model, reference, run, stdout_of};
use std::path::{Path, PathBuf};

const FIRST: &str = "llama3_rope-00001-of-00003.gguf";

fn first() -> String {
    fixtures().join("split").join(FIRST).to_string_lossy().into_owned()
}

/// A folder of one test's own that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A folder with copies of the parts.
fn copies(test: &str) -> Folder {
    let folder = std::env::temp_dir().join(format!("picolm-{}-{test}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let folder = Folder(folder);
    for number in 1..=3 {
        let name = format!("llama3_rope-0000{number}-of-00003.gguf");
        std::fs::copy(fixtures().join("split").join(&name), folder.path().join(&name)).unwrap();
    }
    folder
}

fn part(folder: &Path, number: u32) -> String {
    let name = format!("llama3_rope-0000{number}-of-00003.gguf");
    folder.join(name).to_string_lossy().into_owned()
}

#[test]
fn parts_are_the_model_in_one_file() {
    let ids: Vec<String> = reference("llama3_rope")["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    let ids = ids.join(",");
    let logits = |path: &str| stdout_of(&["logits", path, "--tokens", &ids, "--all"]);
    assert_eq!(logits(&first()), logits(&model("llama3_rope")));
    let text = |path: &str| stdout_of(&[path, "-p", "Once", "-n", "12", "-t", "0", "--lock"]);
    assert_eq!(text(&first()), text(&model("llama3_rope")));
    let info = String::from_utf8(stdout_of(&["info", &first()])).unwrap();
    let whole = String::from_utf8(stdout_of(&["info", &model("llama3_rope")])).unwrap();
    // What differs is the file and its metadata.
    let line = |page: &str, name: &str| {
        let line = page.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{name}: {page}"))
    };
    for name in ["tensors", "read per token", "memory"] {
        assert_eq!(line(&info, name), line(&whole, name));
    }
}

#[test]
fn what_is_missing_is_named() {
    let folder = copies("missing");
    let second = part(folder.path(), 2);
    let middle = error_line(&run(&[&second, "-p", "a"]), 1);
    assert!(middle.contains("part 2 of 3") && middle.contains(FIRST), "{middle}");
    std::fs::remove_file(&second).unwrap();
    for command in [&["info"][..], &["-p", "a"], &["tokenize", "-p", "a"]] {
        let path = part(folder.path(), 1);
        let arguments: Vec<_> = command.iter().copied().chain([&*path]).collect();
        let missing = error_line(&run(&arguments), 1);
        assert!(missing.contains("00002-of-00003.gguf"), "{missing}");
    }
}

#[test]
fn parts_in_the_wrong_place_are_named() {
    let folder = copies("wrong");
    std::fs::copy(part(folder.path(), 3), part(folder.path(), 2)).unwrap();
    let wrong = error_line(&run(&["info", &part(folder.path(), 1)]), 1);
    assert!(wrong.contains("00002-of-00003.gguf") && wrong.contains("is not part 2"), "{wrong}");
    // A whole model is no part.
    std::fs::copy(model("llama"), part(folder.path(), 2)).unwrap();
    let wrong = error_line(&run(&["info", &part(folder.path(), 1)]), 1);
    assert!(wrong.contains("is not part 2"), "{wrong}");
    // Cut off.
    let third = std::fs::read(part(folder.path(), 3)).unwrap();
    std::fs::copy(fixtures().join("split/llama3_rope-00002-of-00003.gguf"), part(folder.path(), 2))
        .unwrap();
    std::fs::write(part(folder.path(), 3), &third[..third.len() / 2]).unwrap();
    let short = error_line(&run(&["info", &part(folder.path(), 1)]), 1);
    assert!(short.contains("00003-of-00003.gguf"), "{short}");
}

#[test]
fn a_part_by_another_name_says_what_to_do() {
    let folder = copies("name");
    let renamed = folder.path().join("model.gguf");
    std::fs::rename(part(folder.path(), 1), &renamed).unwrap();
    let line = error_line(&run(&["info", &renamed.to_string_lossy()]), 1);
    assert!(line.contains("split") && line.contains("-00001-of-"), "{line}");
    let first = first();
    let streamed = error_line(&run(&[&first, "-p", "a", "--ram", "9M"]), 1);
    assert!(streamed.contains("--ram"), "{streamed}");
}
