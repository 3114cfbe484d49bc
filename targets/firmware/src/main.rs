//! The firmware: a board's start-up, [`picolm_firmware::run`], a report.
//!
//! Built for a target with an operating system it is the reference: the same report on a terminal.
#![cfg_attr(target_os = "none", no_std, no_main)]

mod board;

use board::Board;
use core::fmt::Write;
use picolm_core::port::Weights;
use picolm_firmware::settings::PROMPT;
use picolm_firmware::{ARENA_BYTES, MODEL, Story, run};

/// What a board's start-up calls, once, on one core; 0 for success.
fn program(board: &mut Board, memory: &mut [u8]) -> u32 {
    // Nobody reads a console that does not work.
    let _ = write!(board, "PicoLM on {}\n\n{PROMPT}", board::NAME);
    let clock = board.clock();
    let result = run(&MODEL, memory, board, &clock);
    let _ = match &result {
        Ok(story) => report(board, story),
        Err(failure) => writeln!(board, "\nfailed: {failure}"),
    };
    u32::from(result.is_err())
}

/// What ci/firmware reads: a word, then numbers.
fn report(board: &mut Board, story: &Story) -> core::fmt::Result {
    let Story { prompt_tokens, tokens, logits, prefill_ns, decode_ns } = story;
    writeln!(board, "model {} bytes in flash", MODEL.file_bytes())?;
    writeln!(board, "arena {ARENA_BYTES} bytes, as planned")?;
    if let Some((used, size)) = board::stack() {
        writeln!(board, "stack {used} bytes of {size}")?;
    }
    writeln!(board, "prefill {prompt_tokens} tokens, {prefill_ns} ns")?;
    writeln!(board, "decode {tokens} tokens, {decode_ns} ns")?;
    writeln!(board, "logits {logits}")
}

#[cfg(not(target_os = "none"))]
fn main() {
    let mut memory = Box::new(picolm_firmware::Memory::new());
    std::process::exit(program(&mut Board, memory.bytes()) as i32);
}
