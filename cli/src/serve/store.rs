//! The folder that `--cache-dir` names: texts of earlier runs, and how much may be written there.
//!
//! A file is a prompt cache as `--cache` writes it. Its name, `picolm-ENGINE-FIRST-TEXT.kv`, holds
//! three hashes: of all that it depends on besides its tokens, of its first 64 tokens, and of all
//! its tokens. At the start only names and sizes are read. The tokens of a file are read when a
//! prompt begins with its first 64. Files with other names are not touched.

use super::written::Written;
use crate::args::CacheFolder;
use crate::platform::save::{Replacement, SaveError, SavedFile};
use crate::report::{self, Failure, printable};
use core::fmt;
use picolm_core::ops::BLOCK_POSITIONS;
use picolm_core::session::{Engine, Fingerprint, Hash, Mismatch, RestoreError};
use std::fs::FileTimes;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Most files, so that what is known of them takes no memory worth speaking of.
const MAX_FILES: usize = 256;

/// The texts in a folder.
pub(super) struct Store {
    folder: PathBuf,
    /// Most bytes of all files.
    limit_bytes: u64,
    written: Written,
    /// Least recently used first.
    files: Vec<Stored>,
}

/// The hashes in a file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// What must be the same for a text to be restored: [`Engine::saved_key`].
    engine: u64,
    /// The first 64 tokens.
    first: u64,
    /// All tokens.
    text: u64,
}

struct Stored {
    name: Name,
    bytes: u64,
    content: Content,
}

/// What is known of a file.
enum Content {
    Unread,
    Text(Prefixes),
    Ignored(Fault),
}

/// Why a file is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is of no use to this server, and the first to go.
    Useless,
    /// It is something else under the name of a text, which must stay.
    NotACache,
    /// The system would not let it be read, this time.
    Unreadable,
}

/// A text by hashes of what it begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prefixes {
    /// Of the first 64 tokens, of the first 128, and so on.
    blocks: Vec<u64>,
    text: Hash,
    positions: usize,
}

/// Why a text was not loaded.
pub(super) enum LoadError {
    /// Someone has removed the file.
    Gone,
    /// It cannot be used.
    Ignored { fault: Fault, why: String },
}

impl Name {
    /// The name of a text; `None` where it is too short for one.
    fn of(engine: u64, text: &Prefixes) -> Option<Self> {
        Some(Self { engine, first: *text.blocks.first()?, text: text.text.value() })
    }

    fn parse(name: &str) -> Option<Self> {
        let hashes = name.strip_prefix("picolm-")?.strip_suffix(".kv")?;
        let mut hashes = hashes.split('-').map(|hash| {
            let is_hash = hash.len() == 16
                && hash.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
            is_hash.then(|| u64::from_str_radix(hash, 16).ok()).flatten()
        });
        let mut next = || hashes.next().flatten();
        let (engine, first, text) = (next()?, next()?, next()?);
        hashes.next().is_none().then_some(Self { engine, first, text })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, first, text } = self;
        write!(f, "picolm-{engine:016x}-{first:016x}-{text:016x}.kv")
    }
}

impl Prefixes {
    const fn new() -> Self {
        Self { blocks: Vec::new(), text: Hash::new(), positions: 0 }
    }

    pub(super) fn of(tokens: &[u32]) -> Self {
        let mut prefixes = Self::new();
        tokens.iter().for_each(|&token| prefixes.push(token));
        prefixes
    }

    fn push(&mut self, token: u32) {
        self.text.update(&token.to_le_bytes());
        self.positions += 1;
        if self.positions.is_multiple_of(BLOCK_POSITIONS) {
            self.blocks.push(self.text.value());
        }
    }

    /// Positions that two texts have in common, in whole blocks.
    fn common(&self, other: &Self) -> usize {
        let same =
            self.blocks.iter().zip(&other.blocks).take_while(|(ours, theirs)| ours == theirs);
        same.count() * BLOCK_POSITIONS
    }
}

impl Stored {
    fn has(&self, fault: Fault) -> bool {
        matches!(self.content, Content::Ignored(found) if found == fault)
    }

    const fn text(&self) -> Option<&Prefixes> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether `text` makes the file needless: it has all of it, or all but a short end, such as an
    /// answer that a template spells in another way once it is history.
    fn is_replaced_by(&self, name: Name, text: &Prefixes) -> bool {
        let blocks = |own: &Prefixes| own.blocks.len() * BLOCK_POSITIONS;
        let almost_all = |own: &Prefixes| 8 * own.common(text) >= 7 * blocks(own);
        self.name.engine == name.engine && self.text().is_some_and(almost_all)
    }
}

impl Store {
    /// The texts that lie in the folder, which is made where it is not there.
    pub(super) fn open(cache: &CacheFolder) -> Result<Self, Failure> {
        let CacheFolder { folder, limit_bytes, writes_bytes } = cache;
        let failure = |error: io::Error| Failure::about(folder, error);
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failure(error));
            }
            _ => {}
        }
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failure)?.flatten() {
            let (file_name, Ok(metadata)) = (entry.file_name(), entry.metadata()) else { continue };
            if !metadata.is_file() {
                continue;
            }
            let file_name = file_name.to_string_lossy();
            if let Some(name) = Name::parse(&file_name) {
                let used = metadata.accessed().ok().max(metadata.modified().ok());
                let file = Stored { name, bytes: metadata.len(), content: Content::Unread };
                files.push((used, file));
            } else {
                remove_part(folder, &file_name);
            }
        }
        files.sort_by_key(|&(used, _)| used);
        Ok(Self {
            written: Written::open(folder, *writes_bytes),
            folder: folder.clone(),
            limit_bytes: *limit_bytes,
            files: files.into_iter().map(|(_, file)| file).collect(),
        })
    }

    pub(super) fn path(&self, name: Name) -> PathBuf {
        self.folder.join(name.to_string())
    }

    pub(super) const fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// The file that has most of what `prompt` begins with, if that is worth reading the file where
    /// `have` positions are there anyway.
    pub(super) fn find(
        &mut self,
        engine: &Engine<'_>,
        model: Fingerprint,
        prompt: &[u32],
        have: usize,
    ) -> Option<Name> {
        let prompt = Prefixes::of(prompt);
        let wanted = Name::of(engine.saved_key(model), &prompt)?;
        self.read_tokens(engine, model, wanted);
        let of_engine = self.files.iter().filter(|file| file.name.engine == wanted.engine);
        let texts = of_engine.filter_map(|file| Some((file.name, file.text()?)));
        let (name, text) = texts
            .max_by_key(|(_, text)| (text.common(&prompt), core::cmp::Reverse(text.positions)))?;
        let gain = text.common(&prompt).saturating_sub(have);
        // The file is read to its end, which takes the longer the more of it is of no use.
        (gain >= BLOCK_POSITIONS && 8 * gain >= text.positions).then_some(name)
    }

    /// Reads the tokens of the files that begin as `wanted`, if they are not known.
    fn read_tokens(&mut self, engine: &Engine<'_>, model: Fingerprint, wanted: Name) {
        let is_wanted = |file: &Stored| {
            let Name { engine, first, .. } = file.name;
            (engine, first) == (wanted.engine, wanted.first)
                && matches!(file.content, Content::Unread)
        };
        let names: Vec<Name> =
            self.files.iter().filter(|file| is_wanted(file)).map(|file| file.name).collect();
        for name in names {
            let mut text = Prefixes::new();
            let path = self.path(name);
            let read = open(&path).and_then(|mut file| {
                engine.saved_tokens(&mut file, model, &mut |token| text.push(token))?;
                Ok(())
            });
            match read {
                Ok(()) => self.set(name, Content::Text(text)),
                Err(error) => self.ignore(name, error),
            }
        }
    }

    fn set(&mut self, name: Name, content: Content) {
        if let Some(file) = self.files.iter_mut().find(|file| file.name == name) {
            file.content = content;
        }
    }

    /// The file `name` cannot be used: says so, once.
    pub(super) fn ignore(&mut self, name: Name, error: LoadError) {
        match error {
            LoadError::Gone => self.files.retain(|file| file.name != name),
            LoadError::Ignored { fault, why } => {
                self.say(&self.path(name), format_args!("ignored: {why}"));
                self.set(name, Content::Ignored(fault));
            }
        }
    }

    /// The file `name` was of use: it is the last to go.
    pub(super) fn used(&mut self, name: Name) {
        if let Some(index) = self.files.iter().position(|file| file.name == name) {
            let file = self.files.remove(index);
            self.files.push(file);
        }
        // For the next run. Where that cannot be, it goes by the time at which it was written.
        let times = FileTimes::new().set_accessed(SystemTime::now());
        let _ = std::fs::File::open(self.path(name)).and_then(|file| file.set_times(times));
    }

    /// How many of a text's positions are in files already.
    pub(super) fn covered(&self, engine_key: u64, text: &Prefixes) -> usize {
        let of_engine = self.files.iter().filter(|file| file.name.engine == engine_key);
        of_engine.filter_map(|file| file.text()).map(|own| own.common(text)).max().unwrap_or(0)
    }

    /// Makes room for a file of `bytes` with this text, and counts it as written. `None` where it
    /// must not be written.
    pub(super) fn reserve(&mut self, engine: u64, text: &Prefixes, bytes: u64) -> Option<Name> {
        let name = Name::of(engine, text)?;
        let is_other = |file: &Stored| file.name == name && file.has(Fault::NotACache);
        if bytes > self.limit_bytes || self.files.iter().any(is_other) {
            return None;
        }
        if !self.written.has_room(bytes) {
            if self.written.is_new_refusal() {
                let why = "nothing more is kept today: see --cache-writes";
                self.say(&self.folder, format_args!("{why}"));
            }
            return None;
        }
        // The versions that it replaces stay until it is there.
        let stays = |file: &Stored| !file.is_replaced_by(name, text) && !file.has(Fault::NotACache);
        while self.files.iter().filter(|file| stays(file)).map(|file| file.bytes).sum::<u64>()
            > self.limit_bytes - bytes
            || self.files.len() >= MAX_FILES
        {
            let goes = self.files.iter().position(|file| file.has(Fault::Useless));
            let goes = goes.or_else(|| self.files.iter().position(stays))?;
            self.remove(goes)?;
        }
        if let Err(error) = self.written.add(bytes) {
            self.say(&self.folder, format_args!("not saved: {error}"));
            return None;
        }
        Some(name)
    }

    /// Removes the file with this index; `None` where it cannot be removed.
    fn remove(&mut self, index: usize) -> Option<()> {
        let path = self.path(self.files[index].name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.say(&path, format_args!("not removed: {error}"));
                None
            }
            _ => {
                self.files.remove(index);
                Some(())
            }
        }
    }

    /// The file `name` is there, with this text.
    pub(super) fn saved(&mut self, name: Name, text: Prefixes, bytes: u64) {
        self.files.retain(|file| file.name != name);
        while let Some(index) = self.files.iter().position(|it| it.is_replaced_by(name, &text)) {
            if self.remove(index).is_none() {
                break;
            }
        }
        self.files.push(Stored { name, bytes, content: Content::Text(text) });
    }

    /// Prints a line about a file of the folder.
    pub(super) fn say(&self, path: &Path, what: fmt::Arguments<'_>) {
        let line = printable(&format!("{}: {what}", path.display()));
        report::line(format_args!("picolm: {line}"));
    }
}

/// Opens the file of a text.
pub(super) fn open(path: &Path) -> Result<SavedFile, LoadError> {
    let unreadable =
        |error: SaveError| LoadError::Ignored { fault: Fault::Unreadable, why: error.to_string() };
    SavedFile::open(path).map_err(unreadable)?.ok_or(LoadError::Gone)
}

impl From<RestoreError<io::Error>> for LoadError {
    fn from(error: RestoreError<io::Error>) -> Self {
        let fault = match &error {
            RestoreError::Source(_) => Fault::Unreadable,
            RestoreError::Mismatch(Mismatch::NotACache) => Fault::NotACache,
            RestoreError::Mismatch(_) => Fault::Useless,
        };
        Self::Ignored { fault, why: error.to_string() }
    }
}

/// Removes what a process that was killed has left of a text that it wrote. A replacement of the
/// text would do that: one that is not written does no more.
fn remove_part(folder: &Path, file_name: &str) {
    let Some(hidden) = file_name.strip_prefix('.') else { return };
    let Some(end) = hidden.find(".kv.") else { return };
    let name = &hidden[..end + ".kv".len()];
    if Name::parse(name).is_some() {
        drop(Replacement::new(&folder.join(name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(count: u32, seed: u32) -> Vec<u32> {
        (0..count).map(|index| index * seed).collect()
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let text = Prefixes::of(&tokens(64, 3));
        let name = Name::of(0xabc, &text).unwrap();
        assert_eq!(name.first, name.text);
        let file = name.to_string();
        assert_eq!(Name::parse(&file), Some(name));
        let upper = file.to_uppercase();
        let plus = file.replacen("0000", "+000", 1);
        for other in ["", "picolm-.kv", "picolm-1-2-3.kv", &file[1..], &upper, &plus] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
        assert_eq!(Name::parse(&file.replace(".kv", "-0000000000000000.kv")), None);
        assert_eq!(Name::of(1, &Prefixes::of(&tokens(63, 3))), None);
    }

    #[test]
    fn texts_have_whole_blocks_in_common() {
        let (short, long) = (Prefixes::of(&tokens(130, 1)), Prefixes::of(&tokens(300, 1)));
        let mut other = tokens(300, 1);
        other[128] = 9;
        let other = Prefixes::of(&other);
        assert_eq!((short.common(&long), long.common(&short), long.common(&long)), (128, 128, 256));
        assert_eq!((short.common(&other), other.common(&long)), (128, 128));
        assert_eq!(short.common(&Prefixes::of(&tokens(300, 2))), 0);
    }

    #[test]
    fn a_longer_version_replaces_a_text_and_its_short_end() {
        let file = |engine: u64, text: &Prefixes| Stored {
            name: Name::of(engine, text).unwrap(),
            bytes: 1,
            content: Content::Text(text.clone()),
        };
        let history = tokens(600, 1);
        let long = Prefixes::of(&history);
        let name = Name::of(1, &long).unwrap();
        // Its answer was spelled in another way than the history that it became.
        let answered = Prefixes::of(&[&history[..500], &tokens(20, 7)].concat());
        let another = Prefixes::of(&[&history[..300], &tokens(300, 7)].concat());
        assert!(file(1, &answered).is_replaced_by(name, &long));
        assert!(!file(1, &another).is_replaced_by(name, &long));
        assert!(!file(2, &answered).is_replaced_by(name, &long));
        let unread = Stored { content: Content::Unread, ..file(1, &answered) };
        assert!(!unread.is_replaced_by(name, &long));
    }
}
