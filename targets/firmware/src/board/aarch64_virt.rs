//! QEMU's `virt` board with a 64-bit Arm core, at EL1 with the MMU off.
//!
//! Without the MMU all memory is device memory to the core: slow, and unaligned loads fault. The
//! target (`aarch64-unknown-none`) has the compiler make none. A real board turns on the MMU and
//! the caches here.
//!
//! Console: the PL011 UART. Clock: the generic timer. Exit: semihosting.
// Unsafe: start-up code, device registers, semihosting.
#![allow(unsafe_code)]

use core::arch::{asm, global_asm};
use core::fmt;
use picolm_core::port::Clock;
use picolm_firmware::Console;

/// The board's name.
pub(crate) const NAME: &str = "virt, aarch64";

// Other cores wait; faults go to `fault`; CPACR_EL1.FPEN turns floats and NEON on; the stack is
// painted, .data copied, .bss cleared. Everything above is a multiple of 8 bytes.
global_asm!(
    ".section .start, \"ax\"",
    ".global reset",
    "reset:",
    "mrs x0, mpidr_el1",
    "and x0, x0, #0xff",
    "cbnz x0, 9f",
    "adrp x0, fault_vectors",
    "add x0, x0, :lo12:fault_vectors",
    "msr vbar_el1, x0",
    "mov x0, #(3 << 20)",
    "msr cpacr_el1, x0",
    "isb",
    "ldr x1, =_stack_top",
    "mov sp, x1",
    "ldr x0, =_stack_bottom",
    "ldr x2, =0x5a5a5a5a5a5a5a5a",
    "1: cmp x0, x1",
    "b.hs 2f",
    "str x2, [x0], #8",
    "b 1b",
    "2: ldr x0, =_data_start",
    "ldr x1, =_data_end",
    "ldr x2, =_data_load",
    "3: cmp x0, x1",
    "b.hs 4f",
    "ldr x3, [x2], #8",
    "str x3, [x0], #8",
    "b 3b",
    "4: ldr x0, =_bss_start",
    "ldr x1, =_bss_end",
    "5: cmp x0, x1",
    "b.hs 6f",
    "str xzr, [x0], #8",
    "b 5b",
    "6: bl start",
    "9: wfe",
    "b 9b",
    ".pool",
    // Sixteen entries of 128 bytes. The stack may be what is at fault: from its top again.
    ".balign 2048",
    "fault_vectors:",
    ".rept 16",
    "ldr x0, =_stack_top",
    "mov sp, x0",
    "b fault",
    ".balign 128",
    ".endr",
    ".pool",
);

/// The UART's registers.
mod uart {
    pub(super) const DATA: *mut u32 = 0x0900_0000 as *mut u32;
    /// Bit 5: the transmitter is full.
    pub(super) const FLAGS: *const u32 = 0x0900_0018 as *const u32;
    /// Bit 0: on; bit 8: the transmitter is on.
    pub(super) const CONTROL: *mut u32 = 0x0900_0030 as *mut u32;
}

/// The console.
pub(crate) struct Board(());

impl Board {
    /// The console; a real PL011 wants its baud rate set here.
    pub(crate) fn new() -> Self {
        // SAFETY: the board's UART, which nothing else writes to.
        unsafe { uart::CONTROL.write_volatile(1 << 8 | 1) };
        Self(())
    }

    /// Time since reset.
    pub(crate) fn clock(&self) -> GenericTimer {
        let frequency: u64;
        // SAFETY: reading the register has no effect.
        unsafe { asm!("mrs {}, cntfrq_el0", out(reg) frequency, options(nomem, nostack)) };
        GenericTimer { ns_per_tick: 1_000_000_000 / frequency.max(1) }
    }
}

impl Console for Board {
    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            // SAFETY: the board's UART; reading the flags has no effect, and there is room for a
            // byte when they say so.
            unsafe {
                while uart::FLAGS.read_volatile() & 1 << 5 != 0 {}
                uart::DATA.write_volatile(u32::from(byte));
            }
        }
    }

    fn stack_was_full(&self) -> bool {
        super::bare::stack_was_full()
    }
}

impl fmt::Write for Board {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

/// The core's timer. 16 ns a tick here: 62.5 MHz.
pub(crate) struct GenericTimer {
    ns_per_tick: u64,
}

impl Clock for GenericTimer {
    fn now_ns(&self) -> u64 {
        let ticks: u64;
        // SAFETY: reading the register has no effect; the barrier keeps it in its place.
        unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nostack)) };
        ticks * self.ns_per_tick
    }
}

/// Ends the emulation with an exit code. A real board would reset, or wait for one.
pub(crate) fn exit(code: u32) -> ! {
    // SYS_EXIT with ADP_Stopped_ApplicationExit and the code (Arm semihosting, 7.12).
    let arguments = [0x2_0026, u64::from(code)];
    // SAFETY: the debugger reads two words at the address; without one this is a fault.
    unsafe {
        asm!("hlt 0xf000", in("x0") 0x18, in("x1") arguments.as_ptr(), options(nostack));
    }
    loop {
        core::hint::spin_loop();
    }
}
