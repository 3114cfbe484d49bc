//! The command line of `picolm embed`.

use super::command::{Command, Embed, EmbedSource as Source};
use super::options::{Options, unknown};
use crate::report::Failure;

pub(super) fn parse_embed(mut options: Options) -> Result<Command, Failure> {
    let (mut source, mut json, mut normalize) = (Source::Stdin, false, false);
    while let Some(option) = options.next()? {
        let given = match option.as_str() {
            "-p" | "--prompt" => Source::Text(options.bytes(&option)?),
            "--tokens" => Source::Tokens(options.ids(&option)?),
            "--json" => {
                json = true;
                continue;
            }
            "--normalize" => {
                normalize = true;
                continue;
            }
            "-j" | "--threads" => {
                options.engine.threads = options.integer(&option, 1)?;
                continue;
            }
            _ if options.take(&option)? => continue,
            _ => return Err(unknown(&option)),
        };
        if source != Source::Stdin {
            return Err(Failure::usage("embed: one text: -p TEXT or --tokens 1,2,3"));
        }
        source = given;
    }
    options.finish(|engine| Command::Embed(Embed { engine, source, json, normalize }))
}
