//! `core/families.md` is what the engine has: every family, tokenizer and chat template is in its
//! tables, nothing else is, and the files and tests that a row names are there.

use picolm_core::gguf::{Gguf, Key};
use picolm_core::model::family;
use picolm_core::tokenizer::pre_tokenizer;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../families.md");

/// Cells of the rows of the table below the heading `## {title}`.
fn table(title: &str) -> Vec<Vec<&'static str>> {
    let start = PAGE.find(&format!("## {title}\n")).unwrap_or_else(|| panic!("{title}"));
    let section = PAGE[start + 3..].split("\n## ").next().unwrap();
    let lines = section.lines().filter(|line| line.starts_with('|')).skip(2);
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What stands between backticks, with what follows each.
fn quoted(cell: &'static str) -> Vec<(&'static str, &'static str)> {
    let parts: Vec<&str> = cell.split('`').collect();
    parts.chunks_exact(2).zip(parts.iter().skip(2).step_by(2)).map(|(p, &n)| (p[1], n)).collect()
}

fn names(cell: &'static str) -> impl Iterator<Item = &'static str> {
    quoted(cell).into_iter().map(|(name, _)| name)
}

/// String literals of Rust code, but for those in its comments.
fn literals(code: &'static str) -> BTreeSet<&'static str> {
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split('"').skip(1).step_by(2)).collect()
}

fn tokenizers() -> BTreeSet<&'static str> {
    let rows = table("Tokenizers");
    rows.iter().skip(1).map(|row| names(row[0]).next().unwrap()).collect()
}

#[test]
fn every_family_has_its_row() {
    let rows = table("Families");
    let mut listed: Vec<&str> = rows.iter().map(|row| names(row[0]).next().unwrap()).collect();
    listed.sort_unstable();
    let mut known: Vec<&str> = family::ALL.iter().map(|family| family.architecture).collect();
    known.sort_unstable();
    // One row more for each mixture that has the name of a dense family.
    assert_eq!(listed, known);
}

/// Folders of models with what llama.cpp computed from them.
fn folders() -> Vec<PathBuf> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let larger = std::env::var_os("PICOLM_FIXTURES").map(PathBuf::from);
    let folders = [Some(ours), larger].into_iter().flatten();
    folders.flat_map(|folder| ["arch", "arch-gemma4"].map(|name| folder.join(name))).collect()
}

/// A text of a file's metadata.
fn text<'m>(gguf: &Gguf<'m>, key: &'static str) -> &'m str {
    core::str::from_utf8(gguf.string(Key::new(key)).unwrap().unwrap()).unwrap()
}

/// Files that stand for a family are of that family, and have the tokenizer that is named.
#[test]
fn comparison_files_are_what_they_are_said_to_be() {
    let mut compared = BTreeSet::new();
    for row in table("Families") {
        let files = quoted(row[4]);
        assert!(!files.is_empty(), "{row:?}");
        for (name, behind) in files {
            compared.insert(name);
            let paths = folders().into_iter().map(|folder| folder.join(format!("{name}.gguf")));
            let Some(path) = paths.into_iter().find(|path| path.exists()) else {
                assert!(behind.starts_with('*'), "{name} is not in tests/data/arch");
                continue;
            };
            let file = std::fs::read(path).unwrap();
            let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
            let family = text(&gguf, "general.architecture");
            assert_eq!(Some(family), names(row[0]).next(), "{name}");
            let tokenizer = match text(&gguf, "tokenizer.ggml.model") {
                "llama" => "SPM",
                "gemma4" => "gemma4",
                _ => text(&gguf, "tokenizer.ggml.pre"),
            };
            assert!(names(row[2]).any(|listed| listed == tokenizer), "{name} has {tokenizer}");
        }
    }
    for path in folders().iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()) {
        let path = path.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "gguf") {
            continue;
        }
        let file = std::fs::read(&path).unwrap();
        let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
        let architecture = text(&gguf, "general.architecture");
        if family::ALL.iter().any(|family| family.architecture == architecture) {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(compared.contains(name), "{name} stands in no row");
        }
    }
}

#[test]
fn every_tokenizer_has_its_row() {
    let known: BTreeSet<_> = pre_tokenizer::ALL.iter().map(|pre| pre.name()).collect();
    assert_eq!(tokenizers(), known);
    let rows = table("Tokenizers");
    let names_of = |row: &Vec<&'static str>| names(row[0]).take(1).chain(names(row[1]));
    let listed: BTreeSet<_> = rows.iter().skip(1).flat_map(names_of).collect();
    assert_eq!(listed, pre_tokenizer::ALL.iter().flat_map(|pre| pre.names()).collect());
    for row in table("Families") {
        for name in names(row[2]) {
            assert!(name == "SPM" || listed.contains(name), "{name} is no tokenizer");
        }
    }
}

#[test]
fn tokenizers_are_verified_as_said() {
    let suite = literals(include_str!("tokenizer_suite.rs"));
    let patterns = literals(include_str!("../src/tokenizer/pre_tokenizer/tests.rs"));
    let round_trips = literals(include_str!("tokenizer.rs"));
    for row in table("Tokenizers") {
        let said = row[2];
        assert_eq!(said.contains("vocabulary ("), !quoted(said).is_empty(), "{row:?}");
        for name in names(said.split(';').next().unwrap()) {
            assert!(suite.contains(name), "no vocabulary {name}");
        }
        let tests = [("pattern", &patterns), ("round trip", &round_trips)];
        for (_, tests) in tests.into_iter().filter(|(mark, _)| said.contains(mark)) {
            assert!(names(row[0]).take(1).chain(names(row[1])).any(|name| tests.contains(name)));
        }
        assert!(["vocabulary", "pattern", "round trip"].iter().any(|mark| said.contains(mark)));
    }
}

#[test]
fn every_chat_template_has_its_row() {
    let forms = literals(include_str!("chat_forms.rs"));
    let suite = include_str!("chat_suite.rs");
    let (cases, programs) = suite.split_once("the_programs_of_models_are_recognised").unwrap();
    let (cases, programs) = (literals(cases), literals(programs));
    let rows = table("Chat templates");
    let listed: Vec<Vec<&str>> = rows.iter().map(|row| names(row[0]).collect()).collect();
    for template in picolm_core::chat::ALL {
        assert!(listed.iter().any(|row| row == template.names()), "{:?}", template.names());
    }
    assert_eq!(listed.len(), picolm_core::chat::ALL.len());
    for (row, names) in rows.iter().zip(&listed) {
        let marks = [("case", &cases), ("text", &forms), ("program", &programs)];
        for (mark, tests) in marks {
            if row[1].split([',', ';']).any(|said| said.trim() == mark) {
                assert!(names.iter().any(|name| tests.contains(name)), "{names:?}: no {mark}");
            }
        }
    }
    let known: BTreeSet<&str> = listed.into_iter().flatten().collect();
    for row in table("Families") {
        assert_eq!(row[3] == "none", quoted(row[3]).is_empty(), "{row:?}");
        for name in names(row[3]) {
            assert!(known.contains(name), "{name} is no template");
        }
    }
}
