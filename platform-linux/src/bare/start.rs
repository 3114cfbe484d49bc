//! Where the program begins: arguments, and the exit code.
// Unsafe: defines the function that start-up calls, and reads the arguments that it is given.
#![allow(unsafe_code)]

use super::console::closed_pipes_are_errors;
use core::ffi::CStr;

/// The arguments of the program, without its name.
#[derive(Clone, Copy, Debug)]
pub struct Arguments {
    list: &'static [*const core::ffi::c_char],
}

impl Iterator for Arguments {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        let (first, rest) = self.list.split_first()?;
        self.list = rest;
        // SAFETY: `origin_main` is given NUL-terminated strings, which live as long as the process.
        Some(unsafe { CStr::from_ptr(*first) })
    }
}

unsafe extern "Rust" {
    /// The program, which [`crate::entry!`] names.
    safe fn picolm_main(arguments: Arguments) -> u8;
}

/// What start-up calls.
///
/// # Safety
///
/// `argv` has `argc` pointers to NUL-terminated strings, which live as long as the process.
#[unsafe(no_mangle)]
unsafe fn origin_main(argc: usize, argv: *mut *mut u8, _: *mut *mut u8) -> i32 {
    let arguments = if argc == 0 {
        &[]
    } else {
        // SAFETY: as many pointers are there (the caller), and nobody writes them.
        unsafe { core::slice::from_raw_parts(argv.cast(), argc) }
    };
    closed_pipes_are_errors();
    let list = arguments.get(1..).unwrap_or_default();
    i32::from(picolm_main(Arguments { list }))
}

/// Names the function that is the program: `fn(Arguments) -> u8`, which returns the exit code.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[unsafe(no_mangle)]
        fn picolm_main(arguments: $crate::bare::start::Arguments) -> u8 {
            $main(arguments)
        }
    };
}

/// Ends the process as a defect does.
pub fn abort() -> ! {
    origin::program::trap()
}
