//! What Linux's text files say of memory, for programs with the standard library and without.
//!
//! A file that is missing or reads otherwise gives `None`: no reason to fail.

use core::ffi::CStr;

/// What a process takes apart from what the engine plans, and from its own file: data of the
/// program and of the C library that it writes to, heap (64 KiB to tokenize with, and the prompt),
/// stack, the kernel's records of it. Measured of the command line program: 0.7 MB; the smallest
/// takes less.
const PROCESS_BYTES: u64 = 768 << 10;

/// Control groups count in steps of 64 pages for each core that a thread runs on.
const CORE_BYTES: u64 = 64 * 4096;

/// A thread: its stack's touched pages, its stack in the kernel, its records.
const THREAD_BYTES: u64 = 48 << 10;

/// A page table takes 8 bytes for a page of 4096.
const BYTES_PER_TABLE_BYTE: u64 = 4096 / 8;

/// Memory that a process takes that the engine does not plan: with `threads` threads on `cores`
/// cores, a program file of `program` bytes, and `bytes` of memory in all.
pub(crate) fn process_bytes(threads: usize, cores: usize, program: u64, bytes: u64) -> u64 {
    let threads_bytes = threads as u64 * THREAD_BYTES;
    let cores_bytes = threads.min(cores) as u64 * CORE_BYTES;
    PROCESS_BYTES + threads_bytes + cores_bytes + program + bytes / BYTES_PER_TABLE_BYTE
}

/// Room for a text file: `memory.stat` has 2 to 3 KiB, the list of groups as many lines as there
/// are controllers.
const TEXT_BYTES: usize = 8192;

/// Longest path of a control group's file that is looked at, with the NUL behind it.
const PATH_BYTES: usize = 2048;

/// How text files are read.
pub(crate) trait Files {
    /// The file at `path`, as far as `into` has room for it.
    fn read<'t>(&self, path: &CStr, into: &'t mut [u8]) -> Option<&'t [u8]>;
}

/// Bytes that this process could take now without something else having to go: the machine's, or
/// the control group's where that is less.
pub(crate) fn available_bytes(files: &dyn Files) -> Option<u64> {
    let mut text = [0; TEXT_BYTES];
    let machine = files.read(c"/proc/meminfo", &mut text);
    let machine = machine.and_then(|text| kilobytes(text, b"MemAvailable:"));
    // The machine's number is an estimate, and others live there too.
    let machine = machine.map(|bytes| bytes - bytes / 16);
    [machine, control_group_bytes(files)].into_iter().flatten().min()
}

/// Bytes that only this process has: anonymous ones, not those of mapped files.
pub(crate) fn private_bytes(files: &dyn Files) -> Option<u64> {
    // The first counts page by page, the second is kept up to some pages a core.
    let places: [(&CStr, &[u8]); 2] =
        [(c"/proc/self/smaps_rollup", b"Anonymous:"), (c"/proc/self/status", b"RssAnon:")];
    let mut text = [0; TEXT_BYTES];
    places.iter().find_map(|(path, name)| kilobytes(files.read(path, &mut text)?, name))
}

/// Whether pages of this process may be written to a disk to make room.
pub(crate) fn swap_is_on(files: &dyn Files) -> bool {
    let mut text = [0; TEXT_BYTES];
    let text = files.read(c"/proc/meminfo", &mut text);
    text.and_then(|text| kilobytes(text, b"SwapTotal:")).unwrap_or(0) > 0
}

/// What is behind `name` at the beginning of a line.
fn after<'t>(text: &'t [u8], name: &[u8]) -> Option<&'t [u8]> {
    text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(name))
}

/// The number of the line that begins with `name`, in bytes.
fn kilobytes(text: &[u8], name: &[u8]) -> Option<u64> {
    let number = after(text, name)?.trim_ascii().strip_suffix(b"kB")?;
    digits(number)?.checked_mul(1024)
}

/// The number that `text` is: digits, and white space around them.
pub(crate) fn digits(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    let add = |number: u64, &byte: &u8| {
        let digit = byte.wrapping_sub(b'0');
        let digit = (digit < 10).then_some(digit.into())?;
        number.checked_mul(10)?.checked_add(digit)
    };
    if text.is_empty() { None } else { text.iter().try_fold(0, add) }
}

/// Names of a version's files.
struct Names {
    root: &'static [u8],
    limit: &'static [u8],
    usage: &'static [u8],
    /// Lines of `memory.stat` for page cache, which can go at any time.
    cache: [&'static [u8]; 2],
}

const VERSION_1: Names = Names {
    root: b"/sys/fs/cgroup/memory",
    limit: b"memory.limit_in_bytes",
    usage: b"memory.usage_in_bytes",
    cache: [b"total_inactive_file ", b"total_active_file "],
};

const VERSION_2: Names = Names {
    root: b"/sys/fs/cgroup",
    limit: b"memory.max",
    usage: b"memory.current",
    cache: [b"inactive_file ", b"active_file "],
};

/// What is left of the tightest limit of this process's control group and those above it.
fn control_group_bytes(files: &dyn Files) -> Option<u64> {
    let mut text = [0; TEXT_BYTES];
    let groups = files.read(c"/proc/self/cgroup", &mut text)?;
    let limits = groups.split(|&byte| byte == b'\n').filter_map(|line| {
        // "4:memory:/a/b" of version 1, "0::/a/b" of version 2.
        let mut fields = line.splitn(3, |&byte| byte == b':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        if controllers.split(|&byte| byte == b',').any(|controller| controller == b"memory") {
            left_of_group(files, path, &VERSION_1)
        } else if controllers.is_empty() {
            left_of_group(files, path, &VERSION_2)
        } else {
            None
        }
    });
    limits.min()
}

/// The least that is left in the group at `path` and in those that hold it.
fn left_of_group(files: &dyn Files, path: &[u8], names: &Names) -> Option<u64> {
    let mut group = path;
    let mut least: Option<u64> = None;
    loop {
        if let Some(left) = left_of(files, group, names) {
            least = Some(least.map_or(left, |least| least.min(left)));
        }
        // A container may see the path of its group outside, and its own group as the root.
        let Some(end) = group.iter().rposition(|&byte| byte == b'/') else { return least };
        group = group.get(..end).unwrap_or_default();
    }
}

/// What is left of one group's limit; `None` where it has none.
fn left_of(files: &dyn Files, group: &[u8], names: &Names) -> Option<u64> {
    let mut text = [0; TEXT_BYTES];
    let mut read = |name: &[u8], look: &dyn Fn(&[u8]) -> Option<u64>| {
        let mut path = [0; PATH_BYTES];
        let path = joined(&[names.root, group, b"/", name], &mut path)?;
        look(files.read(path, &mut text)?)
    };
    // "max" is no number, and version 1 says a number beyond any memory.
    let limit = read(names.limit, &digits).filter(|limit| *limit < 1 << 60)?;
    let mut cached = 0;
    for name in names.cache {
        cached += read(b"memory.stat", &|text| digits(after(text, name)?)).unwrap_or(0);
    }
    let used = read(names.usage, &digits)?.saturating_sub(cached);
    Some(limit.saturating_sub(used))
}

/// `parts` as one path.
fn joined<'p>(parts: &[&[u8]], into: &'p mut [u8]) -> Option<&'p CStr> {
    let mut end = 0;
    for part in parts {
        into.get_mut(end..)?.get_mut(..part.len())?.copy_from_slice(part);
        end += part.len();
    }
    into.get(end)?;
    CStr::from_bytes_until_nul(into).ok()
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::vec::Vec;

    /// Files as the kernel would show them.
    struct Shown(HashMap<Vec<u8>, &'static str>);

    impl Files for Shown {
        fn read<'t>(&self, path: &CStr, into: &'t mut [u8]) -> Option<&'t [u8]> {
            let text = self.0.get(path.to_bytes())?.as_bytes();
            into[..text.len()].copy_from_slice(text);
            Some(&into[..text.len()])
        }
    }

    fn shown(files: &[(&str, &'static str)]) -> Shown {
        Shown(files.iter().map(|&(path, text)| (path.as_bytes().to_vec(), text)).collect())
    }

    #[test]
    fn lines_are_found_and_anything_else_is_none() {
        let text = b"MemTotal:  10 kB\nMemAvailable:   24105 kB\nSwapTotal: 0 kB\n";
        assert_eq!(kilobytes(text, b"MemAvailable:"), Some(24105 << 10));
        assert_eq!(kilobytes(text, b"SwapTotal:"), Some(0));
        assert_eq!(kilobytes(text, b"SwapFree:"), None);
        assert_eq!(kilobytes(b"A: x kB", b"A:"), None);
        assert_eq!(kilobytes(b"A: 99999999999999999999 kB", b"A:"), None);
        assert_eq!(after(b"total_cache 5\ncache 77\n", b"cache "), Some(&b"77"[..]));
    }

    #[test]
    fn the_tightest_group_counts_and_its_page_cache_does_not() {
        const STAT: &str = "inactive_file 100\nactive_file 50\nanon 7\n";
        let left = |path| {
            let root = "/sys/fs/cgroup";
            let mut files = shown(&[]);
            for (group, limit) in
                [("", "max\n"), ("/a", "3000\n"), ("/a/b", "5000\n"), ("/a/b/c", "max\n")]
            {
                let of =
                    [("memory.max", limit), ("memory.current", "1150\n"), ("memory.stat", STAT)];
                for (name, text) in of {
                    files.0.insert(format!("{root}{group}/{name}").into_bytes(), text);
                }
            }
            files.0.insert(b"/proc/self/cgroup".to_vec(), path);
            control_group_bytes(&files)
        };
        assert_eq!(left("0::/a/b/c\n"), Some(2000));
        assert_eq!(left("0::/a/b/gone\n"), Some(2000));
        assert_eq!(left("0::/\n"), None);
        assert_eq!(left("0::/elsewhere\n"), None);
        assert_eq!(left("3:cpu:/a/b/c\n"), None);
        let root = "/sys/fs/cgroup/memory/";
        let paths: Vec<_> = ["memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat"]
            .iter()
            .map(|name| format!("{root}{name}"))
            .collect();
        let stat = "total_inactive_file 1\ntotal_active_file 2\nactive_file 900\n";
        let files = shown(&[
            (&paths[0], "4096\n"),
            (&paths[1], "5000\n"),
            (&paths[2], stat),
            ("/proc/self/cgroup", "4:cpu,memory:/x\n"),
        ]);
        assert_eq!(control_group_bytes(&files), Some(0));
    }

    #[test]
    fn a_path_that_is_too_long_is_no_group() {
        let mut path = [0; 8];
        assert_eq!(joined(&[b"/abc", b"/de"], &mut path), Some(c"/abc/de"));
        assert_eq!(joined(&[b"/abc", b"/def"], &mut path), None);
    }
}
