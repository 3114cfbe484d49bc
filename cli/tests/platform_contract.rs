//! What every platform shim promises, on whatever system this runs: the same test for all three.

#[path = "../src/platform.rs"]
#[allow(dead_code, unused_imports)]
mod platform;

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use picolm_core::port::{Clock, Need, Parallel, ReadError, Sink, Source, Stripe, Weights, Worker};
use platform::map::{MapError, MappedFile, Memory};
use platform::memory;
use platform::save::{Replacement, SaveError, SavedFile};
use platform::stream::{StreamOptions, StreamedFile};
use platform::threads::{Pool, usable_cores};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// Runs one job and checks that every chunk ran once and no worker did two things at a time.
fn run_checked(pool: &Pool, chunks: usize, work: impl Fn() + Sync) {
    let ran: Vec<AtomicUsize> = (0..chunks).map(|_| AtomicUsize::new(0)).collect();
    let busy: Vec<AtomicBool> = (0..pool.workers()).map(|_| AtomicBool::new(false)).collect();
    pool.run(chunks, &|worker: Worker, chunk| {
        assert!(!busy[worker.0].swap(true, Ordering::SeqCst), "{worker:?} is working already");
        work();
        ran[chunk].fetch_add(1, Ordering::SeqCst);
        busy[worker.0].store(false, Ordering::SeqCst);
    });
    for (chunk, count) in ran.iter().enumerate() {
        assert_eq!(count.load(Ordering::SeqCst), 1, "chunk {chunk} of {chunks}");
    }
}

#[test]
fn every_chunk_runs_once_in_ten_thousand_jobs() {
    for workers in 1..=4 {
        let pool = Pool::new(workers);
        assert_eq!(pool.workers(), workers);
        for job in 0..10_000 {
            run_checked(&pool, job % 9, || ());
        }
    }
}

#[test]
fn more_workers_than_cores_finish_too() {
    let pool = Pool::new(usable_cores() * 4);
    for _ in 0..200 {
        run_checked(&pool, 64, std::thread::yield_now);
    }
}

#[test]
fn sleeping_helpers_wake_and_a_slow_helper_is_awaited() {
    let both = AtomicUsize::new(0);
    for _ in 0..5 {
        // A pool of its own: the next job may do without a helper that was as slow as this one.
        let pool = Pool::new(3);
        std::thread::sleep(Duration::from_millis(20));
        both.store(0, Ordering::SeqCst);
        // Each of two chunks waits for the other, so two workers must have come; then one of them
        // takes long after the other has finished.
        run_checked(&pool, 2, || {
            let turn = both.fetch_add(1, Ordering::SeqCst);
            while both.load(Ordering::SeqCst) < 2 {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(10 * turn as u64));
        });
    }
}

/// Helpers that are preempted sit out and come back; whatever they do, every chunk runs once.
#[test]
fn jobs_are_whole_while_helpers_are_preempted() {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..usable_cores() {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    core::hint::spin_loop();
                }
            });
        }
        let pool = Pool::new(usable_cores() + 1);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(500) {
            run_checked(&pool, 32, || (0..1000).for_each(|_| core::hint::spin_loop()));
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn callers_from_several_threads_take_turns() {
    let pool = Pool::new(3);
    let running = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..300 {
                    let first = AtomicBool::new(true);
                    pool.run(7, &|_, _| {
                        if first.swap(false, Ordering::SeqCst) {
                            assert!(!running.swap(true, Ordering::SeqCst), "two jobs at a time");
                            std::thread::yield_now();
                            running.store(false, Ordering::SeqCst);
                        }
                    });
                }
            });
        }
    });
}

#[test]
fn workers_are_within_what_the_engine_has_scratch_for() {
    assert!(usable_cores() >= 1);
    assert_eq!(Pool::new(0).workers(), 1);
    assert_eq!(Pool::new(1000).workers(), picolm_core::mem::MAX_WORKERS);
}

/// A job that panics must end the process, quickly and not with success: seen from outside, by
/// running this test again as a child.
#[test]
fn a_panicking_job_aborts_instead_of_hanging() {
    const CHILD: &str = "PICOLM_TEST_PANICKING_JOB";
    if std::env::var_os(CHILD).is_some() {
        Pool::new(2).run(8, &|_, chunk| assert!(chunk != 5, "on purpose"));
        return;
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_panicking_job_aborts_instead_of_hanging", "--nocapture"])
        .env(CHILD, "1")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("a worker panicked"), "{text}");
}

/// A file of this test's own that is gone afterwards.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("picolm-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_mapped_file_reads_within_its_bounds_only() {
    let file = TemporaryFile::new("map", b"0123456789");
    let mapped = MappedFile::open(&file.0).unwrap();
    assert_eq!(mapped.bytes(), b"0123456789");
    assert_eq!(mapped.file_bytes(), 10);
    let mut three = [0; 3];
    mapped.read(7, &mut three).unwrap();
    assert_eq!(&three, b"789");
    for offset in [8, 11, u64::MAX] {
        assert_eq!(mapped.read(offset, &mut three), Err(ReadError::OutOfRange { offset }));
    }
    let stripe = |offset, bytes| Stripe { offset, bytes, need: Need::Always, group: 0 };
    assert_eq!(&*mapped.lease(0, &stripe(2, 4)).unwrap(), b"2345");
    assert!(mapped.lease(0, &stripe(10, 0)).unwrap().is_empty());
    for refused in [stripe(9, 2), stripe(0, u64::MAX), stripe(u64::MAX, 1)] {
        assert!(mapped.lease(0, &refused).is_err());
    }
}

#[test]
fn what_is_no_file_is_refused_in_one_line() {
    let missing = MappedFile::open(Path::new("no/such/file.gguf")).unwrap_err();
    assert!(matches!(missing, MapError::System(_)));
    let directory = MappedFile::open(&std::env::temp_dir()).unwrap_err();
    assert!(matches!(directory, MapError::NotAFile("a directory")));
    let empty = TemporaryFile::new("empty", b"");
    let empty = MappedFile::open(&empty.0).unwrap_err();
    assert!(matches!(empty, MapError::Empty));
    for error in [missing, directory, empty] {
        let line = error.to_string();
        assert!(!line.is_empty() && line.len() < 100 && !line.contains('\n'), "{line}");
    }
}

#[test]
fn a_streamed_file_has_the_same_bytes_and_ends_where_it_ends() {
    let bytes: Vec<u8> = (0..300_001u32).map(|index| (index % 251) as u8).collect();
    let file = TemporaryFile::new("stream", &bytes);
    let stripes: Vec<Stripe> = (0..30)
        .map(|index| Stripe { offset: index * 10_000, bytes: 10_000, need: Need::Always, group: 0 })
        .collect();
    for budget in [0, 150_000, 1 << 20] {
        let options = StreamOptions { stripe_bytes: 10_000, ..StreamOptions::default() };
        let mut source = StreamedFile::open(&file.0, 77, options).unwrap();
        assert_eq!(source.header(), &bytes[..77]);
        assert_eq!(source.file_bytes(), 300_001);
        source.set_budget(budget);
        source.schedule(&stripes).unwrap();
        for _ in 0..3 {
            source.begin();
            for (index, stripe) in stripes.iter().enumerate() {
                let start = stripe.offset as usize;
                assert!(*source.lease(index, stripe).unwrap() == bytes[start..start + 10_000]);
            }
        }
        assert_eq!(source.plan().unwrap().streamed_bytes == 0, budget > 300_000);
        let mut last = [0; 2];
        source.read(299_999, &mut last).unwrap();
        assert_eq!(last, bytes[299_999..]);
        let beyond = source.read(300_000, &mut last);
        assert_eq!(beyond, Err(ReadError::OutOfRange { offset: 300_000 }));
        assert!(source.device_bytes_per_s().unwrap() > 0.0);
    }
    let missing = StreamedFile::open(Path::new("no/such/file.gguf"), 1, StreamOptions::default());
    assert!(matches!(missing, Err(MapError::System(_))));
}

#[test]
fn memory_is_counted_where_the_system_says_so() {
    assert!(memory::available_bytes().unwrap() > 1 << 20);
    let before = memory::private_bytes();
    if cfg!(windows) && before.is_none() {
        eprintln!("not tested: this system does not count (wine)");
        return;
    }
    let before = before.unwrap();
    let mut taken = Memory::reserve(16 << 20).unwrap();
    taken.as_mut_slice().fill(1);
    let after = memory::private_bytes().unwrap();
    assert!(after >= before + (15 << 20), "{before} {after}");
    assert_eq!(taken.as_slice()[7], 1);
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused_without_waiting() {
    let path = std::env::temp_dir().join(format!("picolm-{}-fifo", std::process::id()));
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let start = Instant::now();
    let pipe = MappedFile::open(&path);
    let device = MappedFile::open(Path::new("/dev/zero"));
    let elapsed = start.elapsed();
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(pipe, Err(MapError::NotAFile("a pipe"))));
    assert!(matches!(device, Err(MapError::NotAFile("a device"))));
    assert!(elapsed < Duration::from_secs(20));
}

#[test]
fn memory_is_zeroed_writable_and_refused_when_absurd() {
    let mut memory = Memory::reserve(1 << 20).unwrap();
    let bytes = memory.as_mut_slice();
    assert!(bytes.len() >= 1 << 20);
    assert_eq!(bytes.as_ptr().align_offset(picolm_core::mem::ARENA_ALIGN), 0);
    assert!(bytes.iter().all(|&byte| byte == 0));
    bytes.fill(7);
    assert!(Memory::reserve(0).is_ok());
    assert!(Memory::reserve(u64::MAX).is_err());
    assert!(Memory::reserve(1 << 60).is_err());
}

/// A folder of this test's own that is gone afterwards.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("picolm-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// All of a saved file.
fn contents(path: &Path) -> Vec<u8> {
    let mut file = SavedFile::open(path).unwrap().unwrap();
    let mut bytes = vec![0; file.bytes() as usize];
    file.read(&mut bytes).unwrap();
    assert!(file.read(&mut [0]).is_err(), "longer than it says");
    bytes
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let folder = TemporaryFolder::new("replaced");
    let path = folder.0.join("file");
    assert!(SavedFile::open(&path).unwrap().is_none());
    let mut long = Vec::new();
    for version in 0..3u8 {
        let before = version.checked_sub(1).map(|_| contents(&path));
        long = (0..200_000u32).map(|index| (index % 251) as u8 ^ version).collect();
        let mut new = Replacement::new(&path).unwrap();
        for piece in long.chunks(777) {
            new.write(piece).unwrap();
        }
        // Until the new one is whole, the old one is there; and it can be read on afterwards.
        assert_eq!(SavedFile::open(&path).unwrap().map(|_| contents(&path)), before);
        // Windows 10 can put a file in an open one's place; wine 8 (`ci/wine`) cannot yet.
        let can_be_open = std::env::var_os("PICOLM_WINE").is_none();
        let reader = SavedFile::open(&path).unwrap().filter(|_| can_be_open);
        new.commit().unwrap();
        assert_eq!(contents(&path), long);
        if let (Some(mut reader), Some(before)) = (reader, before) {
            let mut bytes = vec![0; before.len()];
            reader.read(&mut bytes).unwrap();
            assert_eq!(bytes, before);
        }
        assert_eq!(folder.names(), ["file"]);
    }
    // Given up before it was whole: nothing is left of it.
    let mut given_up = Replacement::new(&path).unwrap();
    given_up.write(&[7; 100_000]).unwrap();
    drop(given_up);
    assert_eq!(contents(&path), long);
    assert_eq!(folder.names(), ["file"]);
    // A file without bytes is a file too.
    Replacement::new(&path).unwrap().commit().unwrap();
    assert!(contents(&path).is_empty());
}

#[test]
fn writers_do_not_disturb_each_other_and_clear_up_after_the_dead() {
    let folder = TemporaryFolder::new("writers");
    let path = folder.0.join("file");
    let abandoned = folder.0.join(".file.1-2-3.picolm-part");
    let others = [".file.1-2-3", ".other.1-2-3.picolm-part", "file.1-2-3.picolm-part"];
    std::fs::write(&abandoned, b"half").unwrap();
    for name in others {
        std::fs::write(folder.0.join(name), b"somebody's").unwrap();
    }
    // One that is not a minute old may be someone's who has closed it to rename it.
    let fresh = folder.0.join(".file.4-5-6.picolm-part");
    std::fs::write(&fresh, b"half").unwrap();
    let file = std::fs::File::options().write(true).open(&abandoned).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(61)).unwrap();
    drop(file);
    let mut first = Replacement::new(&path).unwrap();
    assert!(!abandoned.exists() && fresh.exists());
    std::fs::remove_file(&fresh).unwrap();
    let mut second = Replacement::new(&path).unwrap();
    first.write(b"first").unwrap();
    second.write(b"second").unwrap();
    assert_eq!(folder.names().len(), others.len() + 2, "{:?}", folder.names());
    second.commit().unwrap();
    assert_eq!(contents(&path), b"second");
    first.commit().unwrap();
    assert_eq!(contents(&path), b"first");
    assert_eq!(folder.names().len(), others.len() + 1, "{:?}", folder.names());
}

#[test]
fn what_cannot_be_replaced_is_refused_in_one_line() {
    let folder = TemporaryFolder::new("refused");
    let directory = SavedFile::open(&folder.0).unwrap_err();
    assert!(matches!(directory, SaveError::NotAFile("a directory")));
    let nowhere = SavedFile::open(&folder.0.join("no/file")).unwrap_err();
    assert!(matches!(nowhere, SaveError::NoFolder));
    assert!(SavedFile::open(Path::new("")).is_err());
    assert!(SavedFile::open(Path::new("..")).is_err());
    assert!(Replacement::new(Path::new("..")).is_err());
    assert!(Replacement::new(&folder.0.join("no/file")).is_err());
    let path = folder.0.join("read-only");
    std::fs::write(&path, b"x").unwrap();
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions.clone()).unwrap();
    let read_only = SavedFile::open(&path).unwrap_err();
    assert!(matches!(read_only, SaveError::ReadOnly));
    // Over a folder nothing can be renamed; and then nothing is left.
    let taken = folder.0.join("taken");
    let mut new = Replacement::new(&taken).unwrap();
    new.write(b"x").unwrap();
    std::fs::create_dir(&taken).unwrap();
    assert!(new.commit().is_err());
    assert_eq!(folder.names().len(), 2, "{:?}", folder.names());
    for error in [directory, nowhere, read_only] {
        let line = error.to_string();
        assert!(!line.is_empty() && line.len() < 100 && !line.contains('\n'), "{line}");
    }
}

#[cfg(unix)]
#[test]
fn a_saved_file_is_its_owners_alone_and_no_link_is_followed() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TemporaryFolder::new("owner");
    let path = folder.0.join("file");
    std::fs::write(&path, b"for all").unwrap();
    Replacement::new(&path).unwrap().commit().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let link = folder.0.join("link");
    for target in ["file", "nothing"] {
        std::os::unix::fs::symlink(target, &link).unwrap();
        let refused = SavedFile::open(&link).unwrap_err();
        assert!(matches!(refused, SaveError::NotAFile("a symbolic link")));
        std::fs::remove_file(&link).unwrap();
    }
    let pipe = folder.0.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let start = Instant::now();
    assert!(matches!(SavedFile::open(&pipe), Err(SaveError::NotAFile("a pipe"))));
    let device = SavedFile::open(Path::new("/dev/zero"));
    assert!(matches!(device, Err(SaveError::NotAFile("a device"))));
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn the_clock_never_goes_back() {
    let clock = platform::clock::MonotonicClock::new();
    let mut last = clock.now_ns();
    for _ in 0..10_000 {
        let now = clock.now_ns();
        assert!(now >= last);
        last = now;
    }
    std::thread::sleep(Duration::from_millis(2));
    assert!(clock.now_ns() >= last + 2_000_000);
}

#[test]
fn a_file_that_spares_memory_has_the_same_bytes() {
    let folder = TemporaryFolder::new("spared");
    let path = folder.0.join("file");
    let bytes: Vec<u8> = (0..5_000_000u32).map(|index| (index % 251) as u8).collect();
    let mut new = Replacement::new(&path).unwrap();
    new.spare_memory();
    for piece in bytes.chunks(70_001) {
        new.write(piece).unwrap();
    }
    new.commit().unwrap();
    assert_eq!(contents(&path), bytes);
    let mut file = SavedFile::open(&path).unwrap().unwrap();
    file.spare_memory();
    let mut found = vec![0; bytes.len()];
    for piece in found.chunks_mut(70_001) {
        file.read(piece).unwrap();
    }
    assert_eq!(found, bytes);
}

/// Bytes that a stream in text mode would change: line ends, the end of a text, and no UTF-8.
fn awkward_bytes() -> Vec<u8> {
    let all: Vec<u8> = (0..=255).collect();
    [b"a\r\nb\n\r\x1a\x1ac\0\xff\xef\xbb\xbf".as_slice(), &all, &all].concat()
}

/// Input is bytes, output is bytes, and an endless input is refused: seen from outside, by running
/// this test again as a child.
#[test]
fn streams_are_bytes_and_have_an_end() {
    const CHILD: &str = "PICOLM_TEST_STREAMS";
    let bytes = awkward_bytes();
    if let Some(limit) = std::env::var_os(CHILD) {
        let limit = limit.to_str().unwrap().parse().unwrap();
        match platform::console::read_stdin(limit) {
            Ok(read) => platform::console::write_stdout(&read).unwrap(),
            Err(error) => assert!(error.to_string().contains("more than"), "{error}"),
        }
        assert!(!platform::console::stdin_is_terminal());
        std::process::exit(7);
    }
    for (limit, whole) in [(bytes.len(), true), (1 << 20, true), (bytes.len() - 1, false)] {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "streams_are_bytes_and_have_an_end", "--nocapture"])
            .env(CHILD, limit.to_string())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), &bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(7));
        // What the test's own runner wrote stands before it.
        assert_eq!(output.stdout.ends_with(&bytes), whole, "{limit}");
    }
}

#[test]
fn an_argument_is_its_text() {
    for text in ["", "plain", "Grüße, 世界 🦀", "a\r\n\tb\u{1a}"] {
        let bytes = platform::console::argument_bytes(text.into());
        assert_eq!(bytes.as_deref(), Some(text.as_bytes()));
    }
    assert!(platform::console::terminal_columns() > 0);
}

/// Half a pair of UTF-16 is no text.
#[cfg(windows)]
#[test]
fn an_argument_that_is_no_text_is_refused() {
    use std::os::windows::ffi::OsStringExt;
    let half = std::ffi::OsString::from_wide(&[0x61, 0xd800, 0x62]);
    assert_eq!(platform::console::argument_bytes(half), None);
}

#[test]
fn instruction_sets_can_be_taken_away_and_not_added() {
    use platform::cpu::{LevelError, detect, levels, limit};
    let all = detect();
    assert_eq!(limit(all, "no-such"), Err(LevelError::Unknown));
    assert_eq!(levels().next(), Some("portable"));
    let least = limit(all, "portable").unwrap();
    for level in levels() {
        match limit(all, level) {
            Ok(limited) => assert_eq!(limit(limited, level), Ok(limited), "{level}"),
            Err(error) => assert_eq!(error, LevelError::Unsupported, "{level}"),
        }
        // Nothing above the least can be had from the least.
        if let Ok(limited) = limit(least, level) {
            assert_eq!(limited, least, "{level}");
        }
    }
}
