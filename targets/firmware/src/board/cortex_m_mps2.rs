//! Arm's MPS2 boards as QEMU has them: Cortex-M3 (`mps2-an385`), M4F (`-an386`), M7 (`-an500`).
//! QEMU has no Cortex-M0 with as much memory; the M3 runs its instructions, which are fewer.
//!
//! Console: UART 0 of the CMSDK (Arm DDI 0479). Clock: SysTick. Exit: semihosting.
// Unsafe: start-up code, device registers, semihosting.
#![allow(unsafe_code)]

use core::arch::{asm, global_asm};
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};
use picolm_core::port::Clock;
use picolm_firmware::Console;

/// The board's name.
pub(crate) const NAME: &str = if cfg!(arm_dsp) {
    "MPS2, Cortex-M4F or M7"
} else if cfg!(target_has_atomic = "32") {
    "MPS2, Cortex-M3"
} else {
    "MPS2, Cortex-M0"
};

// The vector table, then start-up, in instructions that every Cortex-M has: float unit on, stack
// painted, .data copied, .bss cleared.
// A real board's interrupts would follow the table's sixteen entries.
global_asm!(
    ".section .start.vectors, \"a\"",
    ".align 2",
    ".word _stack_top",
    ".word reset",
    ".word fault_entry", // NMI
    ".word fault_entry", // HardFault
    ".rept 11",
    ".word fault_entry",
    ".endr",
    ".word systick_wrapped",
    ".section .text.reset, \"ax\"",
    ".global reset",
    ".type reset, %function",
    ".thumb_func",
    "reset:",
    // CPACR: full access to coprocessors 10 and 11. Without a float unit this changes nothing.
    "ldr r0, =0xe000ed88",
    "movs r1, #0xf",
    "lsls r1, r1, #20",
    "ldr r2, [r0]",
    "orrs r1, r2",
    "str r1, [r0]",
    "dsb",
    "isb",
    "ldr r0, =_stack_bottom",
    "ldr r1, =_stack_top",
    "ldr r2, =0x5a5a5a5a",
    "1: cmp r0, r1",
    "bhs 2f",
    "str r2, [r0]",
    "adds r0, #4",
    "b 1b",
    "2: ldr r0, =_data_start",
    "ldr r1, =_data_end",
    "ldr r2, =_data_load",
    "3: cmp r0, r1",
    "bhs 4f",
    "ldr r3, [r2]",
    "str r3, [r0]",
    "adds r0, #4",
    "adds r2, #4",
    "b 3b",
    "4: ldr r0, =_bss_start",
    "ldr r1, =_bss_end",
    "movs r2, #0",
    "5: cmp r0, r1",
    "bhs 6f",
    "str r2, [r0]",
    "adds r0, #4",
    "b 5b",
    "6:",
    "bl start",
    ".type fault_entry, %function",
    ".thumb_func",
    // The stack may be what is at fault: from its top again.
    "fault_entry:",
    "ldr r0, =_stack_top",
    "mov sp, r0",
    "bl fault",
    ".pool",
);

/// UART 0's registers.
mod uart {
    pub(super) const DATA: *mut u32 = 0x4000_4000 as *mut u32;
    /// Bit 0: the transmitter is full.
    pub(super) const STATE: *const u32 = 0x4000_4004 as *const u32;
    /// Bit 0: the transmitter is on.
    pub(super) const CONTROL: *mut u32 = 0x4000_4008 as *mut u32;
    /// Clocks a bit, at least 16.
    pub(super) const DIVIDER: *mut u32 = 0x4000_4010 as *mut u32;
}

/// SysTick's registers (Armv7-M ARM, B3.3).
mod systick {
    /// Bit 0: on; bit 1: an interrupt at 0; bit 2: the core's own clock.
    pub(super) const CONTROL: *mut u32 = 0xe000_e010 as *mut u32;
    pub(super) const RELOAD: *mut u32 = 0xe000_e014 as *mut u32;
    pub(super) const VALUE: *mut u32 = 0xe000_e018 as *mut u32;
    /// It counts down 24 bits.
    pub(super) const MASK: u32 = (1 << 24) - 1;
}

/// The core's clock: 25 MHz, a tick is 40 ns.
const NS_PER_TICK: u64 = 1_000_000_000 / 25_000_000;

/// The console.
pub(crate) struct Board(());

impl Board {
    /// The console, 217 clocks a bit: 115,200 baud.
    pub(crate) fn new() -> Self {
        // SAFETY: the registers of the board's UART, which nothing else writes to.
        unsafe {
            uart::DIVIDER.write_volatile(217);
            uart::CONTROL.write_volatile(1);
        }
        Self(())
    }

    /// Time from now on.
    pub(crate) fn clock(&self) -> SysTick {
        // SAFETY: the core's own timer, which nothing else uses.
        unsafe {
            systick::RELOAD.write_volatile(systick::MASK);
            systick::VALUE.write_volatile(0);
            systick::CONTROL.write_volatile(0b111);
        }
        SysTick(())
    }
}

impl Console for Board {
    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            // SAFETY: reading the state has no effect, and there is room for a byte when it says
            // so.
            unsafe {
                while uart::STATE.read_volatile() & 1 != 0 {}
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

/// How often SysTick has come to 0.
static WRAPS: AtomicU32 = AtomicU32::new(0);

/// SysTick's interrupt.
#[unsafe(no_mangle)]
extern "C" fn systick_wrapped() {
    // No read-modify-write: nothing else writes, and this does not interrupt itself.
    WRAPS.store(WRAPS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// The core's timer.
pub(crate) struct SysTick(());

impl Clock for SysTick {
    fn now_ns(&self) -> u64 {
        loop {
            let wraps = WRAPS.load(Ordering::Relaxed);
            // SAFETY: reading the timer has no effect.
            let left = unsafe { systick::VALUE.read_volatile() };
            // Again where it has wrapped in between.
            if WRAPS.load(Ordering::Relaxed) == wraps {
                let period = u64::from(systick::MASK) + 1;
                let ticks = u64::from(wraps) * period + u64::from(systick::MASK - left);
                return ticks * NS_PER_TICK;
            }
        }
    }
}

/// Ends the emulation with an exit code. A real board would reset, or wait for one.
pub(crate) fn exit(code: u32) -> ! {
    // SYS_EXIT_EXTENDED with ADP_Stopped_ApplicationExit and the code (Arm semihosting, 7.13).
    let arguments = [0x2_0026, code];
    // SAFETY: the debugger reads two words at the address; without one this is a breakpoint.
    unsafe {
        asm!("bkpt 0xab", in("r0") 0x20, in("r1") arguments.as_ptr(), options(nostack));
    }
    loop {
        core::hint::spin_loop();
    }
}
