//! JSON-Schema-Test-Suite: every required case of a schema that is not refused, both ways.

use crate::common::{Verdict, spellings, verdict, with_automaton};
use picolm_core::grammar::{GrammarErrorKind, Reading, schema_as};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What came of the cases of a file.
#[derive(Clone, Debug, Default)]
struct Tally {
    schemas: usize,
    refused_schemas: usize,
    invalid: usize,
    valid: usize,
    accepted: usize,
}

/// Lets a schema of draft 7 say that it is one.
pub(crate) fn name_draft(schema: &mut Value, draft: &str) {
    if let (Value::Object(members), "draft7") = (schema, draft) {
        members
            .entry("$schema")
            .or_insert_with(|| "http://json-schema.org/draft-07/schema#".into());
    }
}

/// Files of the suite, the name of each.
pub(crate) fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    files.sort();
    files
}

struct Run {
    draft: &'static str,
    reading: Reading,
    tallies: BTreeMap<String, Tally>,
    unsupported: BTreeMap<String, usize>,
    /// Valid ones that are refused: schema, instance.
    missed: Vec<(String, String, String)>,
}

impl Run {
    fn new(draft: &'static str, reading: Reading) -> Self {
        Self {
            draft,
            reading,
            tallies: BTreeMap::new(),
            unsupported: BTreeMap::new(),
            missed: Vec::new(),
        }
    }

    /// Every invalid instance must be refused, in every order of its members.
    fn file(&mut self, name: &str, path: &Path) {
        let groups: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let tally = self.tallies.entry(name.to_owned()).or_default();
        for group in groups.as_array().unwrap() {
            let mut named = group["schema"].clone();
            name_draft(&mut named, self.draft);
            let source = named.to_string();
            with_automaton(
                |words| schema_as(source.as_bytes(), self.reading, false, words),
                |automaton| {
                    let cases = group["tests"].as_array().unwrap();
                    let automaton = match automaton {
                        Ok(automaton) => automaton,
                        Err(error)
                            if error.kind == GrammarErrorKind::MatchesNothing
                                && cases.iter().all(|case| case["valid"] == false) =>
                        {
                            tally.schemas += 1;
                            tally.invalid += cases.len();
                            return;
                        }
                        Err(error) => {
                            let part = String::from_utf8_lossy(error.part(source.as_bytes()));
                            let what = format!("{error}: {}", part.get(..40).unwrap_or(&part));
                            let what = what.replace(&format!(" (at byte {})", error.offset), "");
                            *self.unsupported.entry(what).or_default() += 1;
                            tally.refused_schemas += 1;
                            return;
                        }
                    };
                    tally.schemas += 1;
                    for case in cases {
                        let accepted = spellings(&case["data"])
                            .into_iter()
                            .find(|text| verdict(&automaton, text.as_bytes()) == Verdict::Accepted);
                        if case["valid"] == true {
                            tally.valid += 1;
                            tally.accepted += usize::from(accepted.is_some());
                            if accepted.is_none() {
                                let data = case["data"].to_string();
                                self.missed.push((name.to_owned(), source.clone(), data));
                            }
                        } else {
                            assert_eq!(accepted, None, "{}/{name}: {source}", self.draft);
                            tally.invalid += 1;
                        }
                    }
                },
            );
        }
    }

    fn report(&self) {
        let Self { draft, reading, .. } = self;
        println!("{draft}, {reading:?}: file, schemas compiled and refused, invalid, valid");
        let mut sum = Tally::default();
        for (name, tally) in &self.tallies {
            let Tally { schemas, refused_schemas, invalid, valid, accepted } = tally;
            println!(
                "{name}: {schemas} + {refused_schemas}, {invalid} of {invalid} refused, \
                 {accepted} of {valid} accepted"
            );
            sum.schemas += schemas;
            sum.refused_schemas += refused_schemas;
            sum.invalid += invalid;
            sum.valid += valid;
            sum.accepted += accepted;
        }
        println!("in all: {sum:?}");
        for (what, count) in &self.unsupported {
            println!("not supported: {count} x {what}");
        }
        for (name, source, data) in &self.missed {
            println!("missed: {name}: {source}: {data}");
        }
    }
}

pub(crate) fn suite() -> PathBuf {
    let folder = std::env::var("PICOLM_JSON_SUITES")
        .expect("PICOLM_JSON_SUITES names the suites: export $(ci/json-suites)");
    Path::new(&folder).join("tests")
}

/// By the drafts' reading every instance is told right, but for formats, which are no constraint
/// there; by the other one, nothing is written that is invalid.
#[test]
fn json_schema_test_suite() {
    for draft in ["draft2020-12", "draft7"] {
        for reading in [Reading::Open, Reading::Closed] {
            let mut run = Run::new(draft, reading);
            for (name, path) in files(&suite().join(draft)) {
                run.file(&name, &path);
            }
            run.report();
            let sum = |of: fn(&Tally) -> usize| run.tallies.values().map(of).sum::<usize>();
            assert!(sum(|tally| tally.schemas) > 150 && sum(|tally| tally.invalid) > 300);
            if reading == Reading::Open {
                let missed = run.missed.iter().filter(|(name, ..)| name != "format");
                assert_eq!(missed.collect::<Vec<_>>(), Vec::<&(String, String, String)>::new());
            }
        }
    }
}

/// Of formats, what is invalid is never written; how much of what is valid can be is counted.
#[test]
fn formats_of_the_suite() {
    for draft in ["draft2020-12", "draft7"] {
        let mut run = Run::new(draft, Reading::Closed);
        for (name, path) in files(&suite().join(draft).join("optional/format")) {
            run.file(&name, &path);
        }
        run.report();
    }
}
