//! How much memory there is for this process, and how much it has taken.
//!
//! Linux says so in text files: `/proc/meminfo` for the machine, the control group's files (of
//! version 1 or 2) for a container or service that is held to less, `/proc/self` for the process.
//! A file that is missing or reads otherwise gives `None`: no reason to fail.

use crate::threads::usable_cores;
use std::path::{Path, PathBuf};

/// What a process of this program takes apart from what the engine plans, and from its own file:
/// data of the program and of the C library that it writes to, heap (64 KiB to tokenize with, and
/// the prompt), stack, the kernel's records of it. Measured: 0.7 MB.
const PROCESS_BYTES: u64 = 768 << 10;

/// Control groups count in steps of 64 pages for each core that a thread runs on.
const CORE_BYTES: u64 = 64 * 4096;

/// A thread: its stack's touched pages, its stack in the kernel, its records.
const THREAD_BYTES: u64 = 48 << 10;

/// A page table takes 8 bytes for a page of 4096.
const BYTES_PER_TABLE_BYTE: u64 = 4096 / 8;

/// Memory that a process of this program takes with `threads` threads when it has `bytes` of
/// memory in all: what the engine does not plan.
pub fn process_bytes(threads: usize, bytes: u64) -> u64 {
    let program = std::env::current_exe().and_then(std::fs::metadata).map_or(0, |file| file.len());
    let threads_bytes = threads as u64 * THREAD_BYTES;
    let cores_bytes = threads.min(usable_cores()) as u64 * CORE_BYTES;
    PROCESS_BYTES + threads_bytes + cores_bytes + program + bytes / BYTES_PER_TABLE_BYTE
}

/// Bytes that this process could take now without something else having to go: the machine's, or
/// the control group's where that is less.
pub fn available_bytes() -> Option<u64> {
    let machine = read("/proc/meminfo").and_then(|text| kilobytes(&text, "MemAvailable:"));
    // The machine's number is an estimate, and others live there too.
    let machine = machine.map(|bytes| bytes - bytes / 16);
    [machine, control_group_bytes()].into_iter().flatten().min()
}

/// Bytes that only this process has: anonymous ones, not those of mapped files.
pub fn private_bytes() -> Option<u64> {
    // The first counts page by page, the second is kept up to some pages a core.
    read("/proc/self/smaps_rollup")
        .and_then(|text| kilobytes(&text, "Anonymous:"))
        .or_else(|| kilobytes(&read("/proc/self/status")?, "RssAnon:"))
}

/// Whether pages of this process may be written to a disk to make room.
pub fn swap_is_on() -> bool {
    read("/proc/meminfo").and_then(|text| kilobytes(&text, "SwapTotal:")).unwrap_or(0) > 0
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The number of the line that begins with `name`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// What is left of the tightest limit of this process's control group and those above it.
fn control_group_bytes() -> Option<u64> {
    let groups = read("/proc/self/cgroup")?;
    let limits = groups.lines().filter_map(|line| {
        // "4:memory:/a/b" of version 1, "0::/a/b" of version 2.
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        if controllers.split(',').any(|controller| controller == "memory") {
            left_of_group("/sys/fs/cgroup/memory", path, &VERSION_1)
        } else if controllers.is_empty() {
            left_of_group("/sys/fs/cgroup", path, &VERSION_2)
        } else {
            None
        }
    });
    limits.min()
}

/// Names of a version's files.
struct Names {
    limit: &'static str,
    usage: &'static str,
    /// Lines of `memory.stat` for page cache, which can go at any time.
    cache: [&'static str; 2],
}

const VERSION_1: Names = Names {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    cache: ["total_inactive_file ", "total_active_file "],
};

const VERSION_2: Names = Names {
    limit: "memory.max",
    usage: "memory.current",
    cache: ["inactive_file ", "active_file "],
};

/// The least that is left in the group at `path` below `root` and in those that hold it.
fn left_of_group(root: &str, path: &str, names: &Names) -> Option<u64> {
    let mut folder = PathBuf::from(root);
    folder.push(path.trim_start_matches('/'));
    let mut least: Option<u64> = None;
    while folder.starts_with(root) {
        if let Some(left) = left_of(&folder, names) {
            least = Some(least.map_or(left, |least| least.min(left)));
        }
        // A container may see the path of its group outside, and its own group as the root.
        folder.pop();
    }
    least
}

/// What is left of one group's limit; `None` where it has none.
fn left_of(folder: &Path, names: &Names) -> Option<u64> {
    let number = |name: &str| read(folder.join(name))?.trim().parse::<u64>().ok();
    // "max" is no number, and version 1 says a number beyond any memory.
    let limit = number(names.limit).filter(|limit| *limit < 1 << 60)?;
    let stat = read(folder.join("memory.stat")).unwrap_or_default();
    let cached: u64 = names.cache.iter().filter_map(|name| plain(&stat, name)).sum();
    let used = number(names.usage)?.saturating_sub(cached);
    Some(limit.saturating_sub(used))
}

/// The number of the line that begins with `name`.
fn plain(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_and_anything_else_is_none() {
        let text = "MemTotal:  10 kB\nMemAvailable:   24105 kB\nSwapTotal: 0 kB\n";
        assert_eq!(kilobytes(text, "MemAvailable:"), Some(24105 << 10));
        assert_eq!(kilobytes(text, "SwapTotal:"), Some(0));
        assert_eq!(kilobytes(text, "SwapFree:"), None);
        assert_eq!(kilobytes("A: x kB", "A:"), None);
        assert_eq!(kilobytes("A: 99999999999999999999 kB", "A:"), None);
        assert_eq!(plain("total_cache 5\ncache 77\n", "cache "), Some(77));
    }

    /// A folder as the kernel would show it.
    fn group(folder: &Path, files: &[(&str, &str)]) {
        std::fs::create_dir_all(folder).unwrap();
        for (name, text) in files {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }

    #[test]
    fn the_tightest_group_counts_and_its_page_cache_does_not() {
        let root = std::env::temp_dir().join(format!("picolm-groups-{}", std::process::id()));
        let stat = "inactive_file 100\nactive_file 50\nanon 7\n";
        let of = |limit| [("memory.max", limit), ("memory.current", "1150"), ("memory.stat", stat)];
        group(&root, &of("max\n"));
        group(&root.join("a"), &of("3000\n"));
        group(&root.join("a/b"), &of("5000\n"));
        group(&root.join("a/b/c"), &of("max\n"));
        let left = |path| left_of_group(root.to_str().unwrap(), path, &VERSION_2);
        assert_eq!(left("/a/b/c"), Some(2000));
        assert_eq!(left("/a/b/gone"), Some(2000));
        assert_eq!(left("/"), None);
        assert_eq!(left("/elsewhere"), None);
        let stat = "total_inactive_file 1\ntotal_active_file 2\nactive_file 900\n";
        let limit = ("memory.limit_in_bytes", "4096");
        group(&root, &[limit, ("memory.usage_in_bytes", "5000"), ("memory.stat", stat)]);
        assert_eq!(left_of_group(root.to_str().unwrap(), "/x", &VERSION_1), Some(0));
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory() {
        let before = private_bytes().unwrap();
        let memory = vec![1u8; 8 << 20];
        let after = private_bytes().unwrap();
        assert!(core::hint::black_box(&memory)[5] == 1);
        assert!(after >= before + (7 << 20), "{before} {after}");
        assert!(available_bytes().unwrap() > 1 << 20);
        assert!(process_bytes(2, 1 << 30) > process_bytes(1, 0) + (2 << 20));
    }
}
