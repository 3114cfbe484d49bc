//! What all boards without an operating system share: the arena, the way from start-up into the
//! program, its end, and how deep the stack was.
// Unsafe: one static that is lent once, and symbols of the linker script.
#![allow(unsafe_code)]

use super::this::{Board, exit};
use core::cell::UnsafeCell;
use core::fmt::Write;
use core::panic::PanicInfo;
use core::ptr::addr_of;
use picolm_firmware::Memory;

/// What start-up fills the stack with.
const PAINT: u32 = 0x5a5a_5a5a;

/// The arena's place: in RAM, not in flash.
struct Place(UnsafeCell<Memory>);

// SAFETY: `start` alone takes a reference to it, once, on the one core that start-up lets through.
unsafe impl Sync for Place {}

static ARENA: Place = Place(UnsafeCell::new(Memory::new()));

/// Start-up's last step: memory is as the linker script says, the stack is painted.
#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    // SAFETY: start-up calls this once and it does not return, so there is no other reference.
    let memory = unsafe { &mut *ARENA.0.get() };
    let mut board = Board::new();
    let code = crate::program(&mut board, memory.bytes());
    exit(code)
}

/// A fault handler of start-up ends here.
#[unsafe(no_mangle)]
extern "C" fn fault() -> ! {
    let _ = Board::new().write_str("\nfault: bad address, instruction, or no stack left\n");
    exit(2)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // The place, not the message: that would need the formatting of everything.
    if let Some(place) = info.location() {
        let _ = writeln!(Board::new(), "\npanic: {}:{}", place.file(), place.line());
    }
    exit(3)
}

unsafe extern "C" {
    static _stack_bottom: [u32; 0];
    static _stack_top: [u32; 0];
}

/// Bytes at the stack's end that must stay as start-up wrote them: a function that takes more than
/// is left need not have written to the last word.
const MARGIN_BYTES: usize = 1024;

/// Whether the stack was in use into its margin, or beyond.
pub(crate) fn stack_was_full() -> bool {
    stack().is_some_and(|(used, size)| used + MARGIN_BYTES > size)
}

/// Bytes of stack that were in use at once so far, and those that there are.
pub(crate) fn stack() -> Option<(usize, usize)> {
    let bottom = addr_of!(_stack_bottom).cast::<u32>();
    let top = addr_of!(_stack_top).cast::<u32>();
    let size = top.addr() - bottom.addr();
    let mut untouched = 0;
    while untouched < size / size_of::<u32>() {
        // SAFETY: within the stack, whose memory is there and aligned; volatile, because the part
        // that is in use changes.
        if unsafe { bottom.add(untouched).read_volatile() } != PAINT {
            break;
        }
        untouched += 1;
    }
    Some((size - untouched * size_of::<u32>(), size))
}
