//! The command line of `picolm embed`.

use super::command::{Command, Embed, EmbedSource as Source};
use super::options::{Options, unknown};
use crate::report::Failure;

pub(super) fn parse_embed(mut options: Options) -> Result<Command, Failure> {
    let (mut source, mut json, mut normalize) = (Source::Stdin, false, false);
    while let Some(option) = options.next()? {
        let given = match option.as_str() {
            "-p" | "--prompt" => Some(Source::Text(options.bytes(&option)?)),
            "--tokens" => Some(Source::Tokens(options.ids(&option)?)),
            _ => None,
        };
        match (given, option.as_str()) {
            (Some(given), _) if source == Source::Stdin => source = given,
            (Some(_), _) => {
                return Err(Failure::usage("embed: one text: -p TEXT or --tokens 1,2,3"));
            }
            (None, "--json") => json = true,
            (None, "--normalize") => normalize = true,
            (None, "-j" | "--threads") => options.engine.threads = options.threads(&option)?,
            (None, _) if options.take(&option)? => {}
            (None, _) => return Err(unknown(&option)),
        }
    }
    options.finish(|engine| Command::Embed(Embed { engine, source, json, normalize }))
}
