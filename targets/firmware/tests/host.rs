//! The shared part on the host: what the build has planned is what it takes, to the byte.

use core::fmt;
use picolm_core::port::{NoClock, Weights};
use picolm_firmware::{ARENA_BYTES, Console, Failure, MODEL, Memory, run};

/// Keeps what is written.
#[derive(Default)]
struct Page(Vec<u8>);

impl fmt::Write for Page {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

impl Console for Page {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

#[test]
fn the_planned_bytes_are_enough_and_a_byte_less_is_refused() {
    let mut memory = Box::new(Memory::new());
    let mut page = Page::default();
    let story = run(&MODEL, memory.bytes(), &mut page, &NoClock).unwrap();
    let text = String::from_utf8(page.0).unwrap();
    assert!(text.contains("The end.\n\nids 1 "), "{text}");
    assert!(story.tokens > 50 && story.prompt_tokens == 5, "{story:?}");

    for less in [1, 64, ARENA_BYTES / 2, ARENA_BYTES - 1, ARENA_BYTES] {
        let memory = &mut memory.bytes()[..ARENA_BYTES - less];
        let failure = run(&MODEL, memory, &mut Page::default(), &NoClock).unwrap_err();
        assert!(
            matches!(failure, Failure::Model(_) | Failure::Tokenizer(_) | Failure::Sampler(_)),
            "{less} bytes less: {failure}"
        );
    }
}

/// Memory is never cleared by the engine: what was in it before must not matter.
#[test]
fn what_lay_in_memory_changes_nothing() {
    let stories = [0, 0xff, 0x7f].map(|byte| {
        let mut memory = Box::new(Memory::new());
        memory.bytes().fill(byte);
        run(&MODEL, memory.bytes(), &mut Page::default(), &NoClock).unwrap()
    });
    assert!(stories.iter().all(|story| *story == stories[0]), "{stories:?}");
}

#[test]
fn the_model_is_where_it_was_built_from() {
    let file = std::fs::read(env!("PICOLM_FIRMWARE_MODEL")).unwrap();
    assert_eq!(MODEL.range(0, MODEL.file_bytes()).unwrap(), file);
}
