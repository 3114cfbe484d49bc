//! QEMU's `virt` board with RV32 or RV64 cores, in machine mode.
//!
//! Console: the 16550 UART. Clock: `mtime` of the CLINT. Exit: the test device.
// Unsafe: start-up code and device registers.
#![allow(unsafe_code)]

use core::arch::global_asm;
use core::fmt;
use picolm_core::port::Clock;
use picolm_firmware::Console;

/// The board's name.
pub(crate) const NAME: &str = if cfg!(target_arch = "riscv64") {
    "virt, RV64GC"
} else if cfg!(target_has_atomic = "32") {
    "virt, RV32IMAC"
} else {
    "virt, RV32IMC"
};

// Other harts wait; faults go to `fault`; mstatus.FS turns the float unit on, where there is one;
// the stack is painted, .data copied, .bss cleared.
global_asm!(
    ".section .start, \"ax\"",
    ".global reset",
    "reset:",
    "csrr t0, mhartid",
    "bnez t0, 9f",
    "la t0, fault_entry",
    "csrw mtvec, t0",
    "li t0, 1 << 13",
    "csrs mstatus, t0",
    "la sp, _stack_top",
    "la t0, _stack_bottom",
    "li t1, 0x5a5a5a5a",
    "1: bgeu t0, sp, 2f",
    "sw t1, 0(t0)",
    "addi t0, t0, 4",
    "j 1b",
    "2: la t0, _data_start",
    "la t1, _data_end",
    "la t2, _data_load",
    "3: bgeu t0, t1, 4f",
    "lw t3, 0(t2)",
    "sw t3, 0(t0)",
    "addi t0, t0, 4",
    "addi t2, t2, 4",
    "j 3b",
    "4: la t0, _bss_start",
    "la t1, _bss_end",
    "5: bgeu t0, t1, 6f",
    "sw zero, 0(t0)",
    "addi t0, t0, 4",
    "j 5b",
    "6: call start",
    "9: wfi",
    "j 9b",
    // The stack may be what is at fault: from its top again.
    ".align 2",
    "fault_entry:",
    "la sp, _stack_top",
    "call fault",
);

/// The UART's registers.
mod uart {
    pub(super) const DATA: *mut u8 = 0x1000_0000 as *mut u8;
    /// Bit 5: the transmitter has room.
    pub(super) const LINE_STATUS: *const u8 = 0x1000_0005 as *const u8;
}

/// Ticks of 100 ns since reset, low word first.
const MTIME: *const [u32; 2] = 0x0200_bff8 as *const [u32; 2];
const NS_PER_TICK: u64 = 1_000_000_000 / 10_000_000;

/// 0x5555: success; 0x3333 with a code above it: failure.
const TEST_DEVICE: *mut u32 = 0x0010_0000 as *mut u32;

/// The console.
pub(crate) struct Board(());

impl Board {
    /// The console as QEMU leaves it; a real 16550 wants its divisor and 8 bits set here.
    pub(crate) fn new() -> Self {
        Self(())
    }

    /// Time since reset.
    pub(crate) fn clock(&self) -> MachineTime {
        MachineTime
    }
}

impl Console for Board {
    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            // SAFETY: the board's UART; reading the status has no effect, and there is room for a
            // byte when it says so.
            unsafe {
                while uart::LINE_STATUS.read_volatile() & 1 << 5 == 0 {}
                uart::DATA.write_volatile(byte);
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

/// The machine timer.
pub(crate) struct MachineTime;

impl Clock for MachineTime {
    fn now_ns(&self) -> u64 {
        let words = MTIME.cast::<u32>();
        // SAFETY: reading the timer's two words has no effect.
        let word = |index| unsafe { words.add(index).read_volatile() };
        loop {
            let (high, low) = (word(1), word(0));
            // Again where the low word has wrapped in between.
            if word(1) == high {
                return (u64::from(high) << 32 | u64::from(low)) * NS_PER_TICK;
            }
        }
    }
}

/// Ends the emulation with an exit code. A real board would reset, or wait for one.
pub(crate) fn exit(code: u32) -> ! {
    let word = if code == 0 { 0x5555 } else { code << 16 | 0x3333 };
    // SAFETY: the board's test device.
    unsafe { TEST_DEVICE.write_volatile(word) };
    loop {
        core::hint::spin_loop();
    }
}
