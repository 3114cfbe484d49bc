//! JSON-Schema-Test-Suite: every required case of a schema that is not refused, both ways.

use crate::common::{Verdict, spellings, verdict, with_automaton};
use picolm_core::grammar::{GrammarErrorKind, Notes, Reading, SchemaOptions, schema_with};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What came of the cases of a file.
#[derive(Clone, Debug, Default)]
struct Tally {
    schemas: usize,
    refused_schemas: usize,
    /// Those that need a document that is not there: a schema, or what says of what it is made.
    remote_schemas: usize,
    invalid: usize,
    valid: usize,
    accepted: usize,
}

/// The drafts: the suite's folder of each, and how a schema says that it is one.
pub(crate) const DRAFTS: [(&str, &str); 5] = [
    ("draft4", "http://json-schema.org/draft-04/schema#"),
    ("draft6", "http://json-schema.org/draft-06/schema#"),
    ("draft7", "http://json-schema.org/draft-07/schema#"),
    ("draft2019-09", "https://json-schema.org/draft/2019-09/schema"),
    ("draft2020-12", "https://json-schema.org/draft/2020-12/schema"),
];

/// Lets a schema say of which draft it is.
pub(crate) fn name_draft(schema: &mut Value, draft: &str) {
    let named = DRAFTS.iter().find(|(name, _)| *name == draft);
    if let (Value::Object(members), Some((_, uri))) = (schema, named) {
        members.entry("$schema").or_insert_with(|| (*uri).into());
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

/// How errors begin that are about documents that are not there.
const REMOTE: [&str; 2] =
    ["a reference to elsewhere is not supported", "this draft is not supported"];

struct Run {
    draft: &'static str,
    reading: Reading,
    /// Formats that are no constraint here are refused instead of ignored.
    is_strict: bool,
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
            is_strict: false,
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
            let options =
                SchemaOptions { reading: self.reading, pretty: false, is_strict: self.is_strict };
            with_automaton(
                |words| schema_with(source.as_bytes(), options, &mut Notes::new(), words),
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
                            if REMOTE.iter().any(|remote| what.starts_with(remote)) {
                                tally.remote_schemas += 1;
                            } else {
                                tally.refused_schemas += 1;
                            }
                            *self.unsupported.entry(what).or_default() += 1;
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
            let Tally { schemas, refused_schemas, remote_schemas, invalid, valid, accepted } =
                tally;
            println!(
                "{name}: {schemas} + {refused_schemas} (+ {remote_schemas} remote), {invalid} of \
                 {invalid} refused, {accepted} of {valid} accepted"
            );
            sum.schemas += schemas;
            sum.refused_schemas += refused_schemas;
            sum.remote_schemas += remote_schemas;
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
    for (draft, _) in DRAFTS {
        for reading in [Reading::Open, Reading::Closed] {
            let mut run = Run::new(draft, reading);
            for (name, path) in files(&suite().join(draft)) {
                run.file(&name, &path);
            }
            run.report();
            let sum = |of: fn(&Tally) -> usize| run.tallies.values().map(of).sum::<usize>();
            let (schemas, refused) = (sum(|t| t.schemas), sum(|t| t.refused_schemas));
            assert!(schemas > 140 && sum(|tally| tally.invalid) > 220);
            assert!(schemas * 100 >= (schemas + refused) * 97, "{schemas} and {refused} refused");
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
    for (draft, _) in DRAFTS {
        let mut run = Run::new(draft, Reading::Closed);
        run.is_strict = true;
        for (name, path) in files(&suite().join(draft).join("optional/format")) {
            run.file(&name, &path);
        }
        run.report();
    }
}
