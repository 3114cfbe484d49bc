//! What the system says in text files, of memory and cores.

use core::ffi::CStr;
use picolm_core::mem::MAX_WORKERS;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Reads the file at `path`, as much of it as `into` has room for.
pub(super) fn read_file<'t>(path: &CStr, into: &'t mut [u8]) -> Option<&'t [u8]> {
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut length = 0;
    loop {
        match rustix::io::read(&file, into.get_mut(length..)?) {
            Ok(0) => return into.get(..length),
            Ok(count) => length += count,
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

/// The number that `text` is: digits, and white space around them.
pub(super) fn digits(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    let add = |number: u64, &byte: &u8| {
        let digit = byte.wrapping_sub(b'0');
        let digit = (digit < 10).then_some(digit.into())?;
        number.checked_mul(10)?.checked_add(digit)
    };
    if text.is_empty() { None } else { text.iter().try_fold(0, add) }
}

/// Bytes that only this process has: anonymous ones, not those of mapped files.
pub fn private_bytes() -> Option<u64> {
    // The first counts page by page, the second is kept up to some pages a core.
    let files: [(&CStr, &[u8]); 2] =
        [(c"/proc/self/smaps_rollup", b"Anonymous:"), (c"/proc/self/status", b"RssAnon:")];
    let mut text = [0; 2048];
    files.iter().find_map(|(path, name)| kilobytes(read_file(path, &mut text)?, name))
}

/// The number of the line that begins with `name`, in bytes.
fn kilobytes(text: &[u8], name: &[u8]) -> Option<u64> {
    let mut lines = text.split(|&byte| byte == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(name))?;
    digits(line.trim_ascii().strip_suffix(b"kB")?)?.checked_mul(1024)
}

/// Cores that this process may use: those of its affinity mask, less where the quota of the topmost
/// control group that it sees, a container's own, allows less; at least 1.
pub fn usable_cores() -> usize {
    let cores = rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count() as usize);
    cores.min(quota_cores().unwrap_or(usize::MAX)).clamp(1, MAX_WORKERS)
}

/// Whole cores of that quota (version 2): "200000 100000" are two.
fn quota_cores() -> Option<usize> {
    let mut text = [0; 64];
    let text = read_file(c"/sys/fs/cgroup/cpu.max", &mut text)?;
    let mut numbers = text.split(|&byte| byte == b' ').map(digits);
    let (quota, period) = (numbers.next()??, numbers.next()??);
    usize::try_from(quota.checked_div(period)?).ok()
}
