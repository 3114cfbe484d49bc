//! The command line, checked before anything is opened.
//!
//! A drop-in for PicoLM's options (`MODEL -p -n -t -k -s -c -j`), with long names, and more
//! commands. Every bad value is a usage error that names the option.

mod command;
mod embed;
mod escape;
mod help;
pub(crate) mod keeping;
mod options;
mod run;
pub(crate) mod sampling;
#[cfg(feature = "serve")]
mod serve;
mod text;

use crate::report::Failure;
pub(crate) use command::*;
use escape::{escaped_text, unescape};
pub(crate) use help::HELP;
pub(crate) use options::{Engine, Ram};
use options::{Options, unknown};
pub(crate) use run::{Conversation, Run, Wanted};
#[cfg(feature = "serve")]
pub(crate) use serve::{CacheFolder, Serve};
use std::ffi::OsString;

/// Smallest window of [`Perplexity`]: of 4 tokens, the second half predicts one.
const SMALLEST_WINDOW: u32 = 4;

/// Parses `arguments`, which do not begin with the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let mut arguments = arguments.into_iter().peekable();
    let command = arguments.peek().and_then(|first| first.to_str()).and_then(|name| match name {
        "info" => Some(parse_info as fn(Options) -> Result<Command, Failure>),
        "chat" => Some(text::parse_chat),
        "tokenize" => Some(parse_tokenize),
        "logits" => Some(parse_logits),
        "embed" => Some(embed::parse_embed),
        "perplexity" => Some(parse_perplexity),
        "bench" => Some(parse_bench),
        #[cfg(feature = "serve")]
        "serve" => Some(serve::parse_serve),
        #[cfg(not(feature = "serve"))]
        "serve" => Some(no_serve),
        _ => None,
    });
    if command.is_some() {
        arguments.next();
    }
    command.unwrap_or(text::parse_run)(Options::new(arguments))
}

#[cfg(not(feature = "serve"))]
fn no_serve(_: Options) -> Result<Command, Failure> {
    Err(Failure::usage("serve: this program has no server: build it with --features serve"))
}

fn parse_info(mut options: Options) -> Result<Command, Failure> {
    while let Some(option) = options.next()? {
        match option.as_str() {
            "-c" | "--context" => options.engine.context = options.integer(&option, 1)?,
            _ if options.take(&option)? => {}
            _ => return Err(unknown(&option)),
        }
    }
    options.finish(Command::Info)
}

fn parse_tokenize(mut options: Options) -> Result<Command, Failure> {
    let (mut text, mut special, mut escapes) = (None, true, false);
    while let Some(option) = options.next()? {
        match option.as_str() {
            "-p" | "--prompt" => text = Some(options.bytes(&option)?),
            "-e" | "--escape" => escapes = true,
            "--no-special" => special = false,
            _ => return Err(unknown(&option)),
        }
    }
    if escapes {
        text = Some(unescape(escaped_text(text.as_deref())?));
    }
    options.finish(|Engine { model, .. }| Command::Tokenize(Tokenize { model, text, special }))
}

fn parse_logits(mut options: Options) -> Result<Command, Failure> {
    let (mut tokens, mut all) = (Vec::new(), false);
    while let Some(option) = options.next()? {
        match option.as_str() {
            "--tokens" => tokens = options.ids(&option)?,
            "--all" => all = true,
            "-c" | "--context" => options.engine.context = options.integer(&option, 1)?,
            "-j" | "--threads" => options.engine.threads = options.threads(&option)?,
            _ if options.take(&option)? => {}
            _ => return Err(unknown(&option)),
        }
    }
    if tokens.is_empty() && options.stop.is_none() {
        return Err(Failure::usage("logits: give ids: --tokens 1,2,3"));
    }
    options.finish(|engine| Command::Logits(Logits { engine, tokens, all }))
}

fn parse_perplexity(mut options: Options) -> Result<Command, Failure> {
    let (mut file, mut window, mut quiet) = (None, 512, false);
    while let Some(option) = options.next()? {
        match option.as_str() {
            "-f" | "--file" => file = Some(options.value(&option)?.into()),
            "-c" | "--context" => window = options.integer(&option, SMALLEST_WINDOW)?,
            "-j" | "--threads" => options.engine.threads = options.threads(&option)?,
            "--quiet" => quiet = true,
            _ if options.take(&option)? => {}
            _ => return Err(unknown(&option)),
        }
    }
    if file.is_none() && options.stop.is_none() {
        return Err(Failure::usage("perplexity: give a text: -f FILE"));
    }
    options.engine.context = window;
    let file = file.unwrap_or_default();
    options.finish(|engine| Command::Perplexity(Perplexity { engine, file, quiet }))
}

fn parse_bench(mut options: Options) -> Result<Command, Failure> {
    let (mut prompt_tokens, mut generated_tokens, mut depth, mut repetitions) = (128, 32, 0u32, 5);
    let (mut bandwidth_only, mut json) = (false, false);
    while let Some(option) = options.next()? {
        match option.as_str() {
            "-p" | "--prompt-tokens" => prompt_tokens = options.integer(&option, 0)?,
            "-n" | "--max-tokens" => generated_tokens = options.integer(&option, 0)?,
            "--depth" => depth = options.integer(&option, 0)?,
            "-r" | "--repetitions" => repetitions = options.integer(&option, 1)?,
            "-j" | "--threads" => options.engine.threads = options.threads(&option)?,
            "--bandwidth" => bandwidth_only = true,
            "--json" => json = true,
            _ if options.take(&option)? => {}
            _ => return Err(unknown(&option)),
        }
    }
    if depth.checked_add(generated_tokens).is_none() {
        return Err(Failure::usage("--depth: more positions than there can be"));
    }
    options.finish(|engine| {
        let bench = Bench {
            engine,
            prompt_tokens,
            generated_tokens,
            depth,
            repetitions,
            bandwidth_only,
            json,
        };
        Command::Bench(bench)
    })
}

#[cfg(test)]
mod tests {
    use super::escape::unescape;
    use super::*;
    use picolm_core::quant::KvType;

    fn parsed(line: &str) -> Result<Command, Failure> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn refused(line: &str) -> String {
        let failure = parsed(line).unwrap_err();
        assert_eq!(failure.exit_code(), 2, "{line}");
        failure.to_string()
    }

    #[test]
    fn run_has_picolms_options_and_defaults() {
        let Command::Run(run) = parsed("m.gguf").unwrap() else { panic!() };
        assert_eq!((run.max_tokens, run.engine.context), (256, 0));
        let choice = run.sampling.options(&[], 9);
        assert_eq!((choice.temperature, choice.top_p, choice.seed), (0.8, 0.9, 42));
        assert_eq!(run.prompt, None);
        let line = "m.gguf -p hi -n 5 -t 0 -k 1 -s 7 -c 100 -j 4 --quiet";
        let Command::Run(run) = parsed(line).unwrap() else { panic!() };
        assert_eq!((run.max_tokens, run.engine.context), (5, 100));
        let choice = run.sampling.options(&[], 9);
        assert_eq!((choice.temperature, choice.top_p, choice.seed), (0.0, 1.0, 7));
        assert_eq!(
            (run.prompt.as_deref(), run.engine.threads, run.quiet),
            (Some(&b"hi"[..]), 4, true)
        );
        let long = "--prompt=hi --max-tokens=5 --temperature=0 --top-p=1 --seed=7 --context=100 \
                    --threads=4 --quiet -- m.gguf";
        assert_eq!(parsed(long), parsed(line));
    }

    #[test]
    fn bad_numbers_are_usage_errors_that_name_the_option() {
        for (line, option) in [
            ("m -n abc", "-n: 'abc'"),
            ("m -n -5", "-n: '-5'"),
            ("m -n 99999999999", "-n: '99999999999'"),
            ("m -t nan", "-t: 'nan'"),
            ("m -t -1", "-t: '-1'"),
            ("m -t inf", "-t: 'inf'"),
            ("m -k 2", "-k: '2'"),
            ("m -k 0", "-k: '0'"),
            ("m -s x", "-s: 'x'"),
            ("m -c 0", "-c: '0'"),
            ("m -j 0", "-j: '0'"),
            ("m --kv f32", "--kv: 'f32' is none of f16, q8_0, q4_0"),
            ("m --seed= ", "--seed: ''"),
            ("m -n", "-n: a value is missing"),
            ("logits m --tokens 1,x", "--tokens: 'x'"),
            ("logits m --tokens 1,-2", "--tokens: '-2'"),
            ("perplexity m -f t -c 3", "-c: '3'"),
            ("embed m --tokens x", "--tokens: 'x'"),
            ("bench m -r 0", "-r: '0'"),
            ("m --think maybe", "--think: 'maybe' is neither on nor off"),
            ("chat m --think", "--think: a value is missing"),
            ("m --ram 0", "--ram: '0'"),
            ("m --ram M", "--ram: 'M'"),
            ("m --ram 1.5", "--ram: '1.5'"),
            ("m --ram 99999999999G", "--ram: '99999999999G'"),
            ("info m --ram", "--ram: a value is missing"),
            ("bench m --depth x", "--depth: 'x'"),
            ("bench m --depth 4294967295", "--depth: more positions"),
            ("m --skip-layers 1,", "--skip-layers: ''"),
            ("perplexity m -f t --skip-layers 9-7", "--skip-layers: '9-7'"),
        ] {
            let message = refused(line);
            assert!(message.starts_with(option), "{line}: {message}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, ram) in [
            ("1", Ram::Bytes(1)),
            ("128K", Ram::Bytes(128 << 10)),
            ("256M", Ram::Bytes(256 << 20)),
            ("2g", Ram::Bytes(2 << 30)),
            ("auto", Ram::Auto),
        ] {
            let Ok(Command::Info(info)) = parsed(&format!("info m --ram {text}")) else { panic!() };
            assert_eq!(info.ram, ram);
        }
        let Ok(Command::Run(run)) = parsed("m --lock") else { panic!() };
        assert_eq!((run.engine.ram, run.lock), (Ram::Unasked, true));
    }

    #[test]
    fn what_is_missing_or_too_much_is_said() {
        assert!(refused("").contains("no model"));
        assert!(refused("-p hi").contains("no model"));
        assert!(refused("m other").contains("'other'"));
        assert!(refused("m -z").contains("-z"));
        assert!(refused("m --prompts x").contains("--prompts"));
        assert!(refused("m --pretty").contains("--pretty: goes with --json"));
        assert!(refused("m --json --strict-schema").contains("--strict-schema: goes with"));
        assert!(refused("m --json --stop x").contains("--stop: the constraint"));
        assert!(refused("m --grammar g --pretty").contains("--pretty: goes with --json"));
        assert!(refused("m --json --grammar g").contains("one constraint"));
        assert!(refused("m --json=array").contains("'array'"));
        assert!(refused("m -n 999999999999").contains("to 4294967295"));
        assert!(refused("m -j 33").contains("from 1 to 32"));
        assert!(refused("embed m -j 33").contains("from 1 to 32"));
        assert!(refused("logits m").contains("--tokens"));
        assert!(refused("perplexity m").contains("-f FILE"));
        assert!(refused("embed m -p a --tokens 1").contains("one text"));
        assert!(refused("embed m -p a -p b").contains("one text"));
        assert!(refused("m --quiet=yes").contains("quiet"));
    }

    #[test]
    fn a_first_argument_may_be_a_command() {
        assert!(matches!(parsed("info m"), Ok(Command::Info(_))));
        assert!(matches!(parsed("./info"), Ok(Command::Run(_))));
        assert!(matches!(parsed("-n 1 info"), Ok(Command::Run(_))));
        assert!(refused("info").contains("no model"));
        let line = "logits m --tokens 3,2 --all --kv q4_0";
        let Command::Logits(logits) = parsed(line).unwrap() else { panic!() };
        assert_eq!((logits.tokens, logits.all), (vec![3, 2], true));
        assert_eq!(logits.engine.kv_type, KvType::Q4_0);
        let Command::Tokenize(tokenize) = parsed("tokenize m --no-special").unwrap() else {
            panic!()
        };
        assert!(!tokenize.special && tokenize.text.is_none());
        let line = "bench m -p 0 -n 7 --depth 100 -r 1 -j 2 --bandwidth --json";
        let Command::Bench(bench) = parsed(line).unwrap() else { panic!() };
        let numbers = (bench.prompt_tokens, bench.generated_tokens, bench.depth);
        assert_eq!(numbers, (0, 7, 100));
        assert_eq!((bench.repetitions, bench.engine.threads), (1, 2));
        assert!(bench.bandwidth_only && bench.json);
        for command in ["", "info", "logits --tokens 1", "perplexity -f t", "bench"] {
            let skipping = |list| parsed(&format!("{command} m --skip-layers {list}")).unwrap();
            assert_eq!(skipping("3,7-9"), skipping("9,8,7,3"), "{command}");
            assert_ne!(skipping("3,7-9"), skipping("3,7"), "{command}");
        }
    }

    #[test]
    fn a_conversation_is_asked_for_by_any_of_its_options() {
        for options in ["--chat", "--system s", "--chat-template chatml", "--think on"] {
            let line = &format!("m -p hi {options}");
            let Command::Run(run) = parsed(line).unwrap() else { panic!() };
            assert!(run.conversation.is_some(), "{line}");
        }
        let Command::Chat(run) = parsed("chat m --system s --stop x --stop y -n 3").unwrap() else {
            panic!()
        };
        let system = run.conversation.unwrap().system;
        assert_eq!((system, run.max_tokens), (Some(b"s".to_vec()), 3));
        assert_eq!(run.stop, [b"x", b"y"]);
        for (value, thinks) in [("on", true), ("off", false)] {
            let Command::Chat(run) = parsed(&format!("chat m --think {value}")).unwrap() else {
                panic!()
            };
            assert_eq!(run.conversation.unwrap().thinks, Some(thinks));
        }
        assert!(refused("chat m -p hi").contains("-p"));
        assert!(refused("chat").contains("no model"));
        assert!(refused("m -p hi --lookup --draft n").contains("--draft"));
        assert!(refused("m --stop=").contains("--stop"));
        let Command::Run(run) = parsed("m -p hi").unwrap() else { panic!() };
        assert_eq!(run.conversation, None);
    }

    #[test]
    fn help_and_version_need_nothing_else() {
        for line in ["--help", "-h", "info --help", "logits -h", "m -n 5 --help", "perplexity -h"] {
            assert_eq!(parsed(line), Ok(Command::Help), "{line}");
        }
        assert_eq!(parsed("--version"), Ok(Command::Version));
        assert_eq!(parsed("-V -z"), Ok(Command::Version));
    }

    #[test]
    fn escapes_are_cs() {
        assert_eq!(unescape(br"a\nb\tc\\n\x41\xe9\r\q\x4"), b"a\nb\tc\\nA\xe9\r\\q\\x4");
        assert_eq!(unescape(b"\\"), b"\\");
        let Command::Run(run) = parsed(r"m -e -p a\nb").unwrap() else { panic!() };
        assert_eq!(run.prompt.as_deref(), Some(&b"a\nb"[..]));
        let Command::Run(run) = parsed(r"m -p a\nb").unwrap() else { panic!() };
        assert_eq!(run.prompt.as_deref(), Some(&br"a\nb"[..]));
    }
}
