//! A model in several files, `NAME-00001-of-00003.gguf` and so on, read as if it were one.

use crate::platform::map::MappedFile;
use crate::report::Failure;
use picolm_core::gguf::{Gguf, JoinError, join};
use picolm_core::port::{Lease, MAX_LEASES, ReadError, Stripe, Weights};
use std::path::{Path, PathBuf};

/// Most parts: the names have five digits, and nobody opens as many.
const MAX_PARTS: u32 = 1000;

/// The name of a part, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PartName<'n> {
    /// What comes before `-00001-of-00003.gguf`.
    stem: &'n str,
    /// From 1 on.
    number: u32,
    count: u32,
}

impl<'n> PartName<'n> {
    fn of(name: &'n str) -> Option<Self> {
        const DIGITS: usize = 5;
        let rest = name.strip_suffix(".gguf")?;
        let (rest, count) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
        let rest = rest.strip_suffix("-of-")?;
        let (rest, number) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
        let stem = rest.strip_suffix('-')?;
        let parse = |digits: &str| {
            let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            all_digits.then(|| digits.parse::<u32>().ok()).flatten()
        };
        let (number, count) = (parse(number)?, parse(count)?);
        (1..=count).contains(&number).then_some(Self { stem, number, count })
    }

    /// The path of part `number`, in the same folder.
    fn path(self, own: &Path, number: u32) -> PathBuf {
        own.with_file_name(format!("{}-{number:05}-of-{:05}.gguf", self.stem, self.count))
    }
}

/// One of the files.
struct Part {
    map: MappedFile,
    /// Where its data section begins in the whole model.
    start: u64,
    /// Where it begins in the file.
    data_offset: u64,
}

/// All files of a model.
pub(crate) struct Parts {
    /// That of the whole model.
    header: Vec<u8>,
    parts: Vec<Part>,
    bytes: u64,
}

impl Parts {
    /// Opens all parts of the model whose first one is the file at `path`; `None` where its name is
    /// not that of one of several parts.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, Failure> {
        let name = path.file_name().and_then(|name| name.to_str()).and_then(PartName::of);
        let Some(name) = name.filter(|name| name.count > 1) else { return Ok(None) };
        if name.number != 1 {
            let (number, first) = (name.number, name.path(path, 1));
            return Err(Failure::about(
                path,
                format_args!(
                    "is part {number} of {}: name the first, {}",
                    name.count,
                    first.display()
                ),
            ));
        }
        if name.count > MAX_PARTS {
            return Err(Failure::about(path, format_args!("more than {MAX_PARTS} parts")));
        }
        let paths: Vec<_> = (1..=name.count).map(|number| name.path(path, number)).collect();
        let open = |path: &PathBuf| MappedFile::open(path).map_err(|e| Failure::about(path, e));
        let maps = paths.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        Self::join(&paths, maps).map(Some)
    }

    fn join(paths: &[PathBuf], maps: Vec<MappedFile>) -> Result<Self, Failure> {
        let mut headers = Vec::with_capacity(maps.len());
        for (path, map) in paths.iter().zip(&maps) {
            let header = Gguf::parse_part(map.bytes(), map.file_bytes());
            headers.push(header.map_err(|error| Failure::about(path, error))?);
        }
        let mut header = Vec::new();
        join(&headers, &mut |bytes| header.extend(bytes)).map_err(|error| {
            let path = match error {
                JoinError::Part { index } => paths.get(index as usize),
                _ => None,
            };
            Failure::about(path.unwrap_or(&paths[0]), error)
        })?;
        let data: Vec<_> =
            headers.iter().map(|part| (part.data_offset(), part.data_bytes())).collect();
        let alignment = headers[0].alignment();
        drop(headers);
        let mut end = (header.len() as u64).next_multiple_of(alignment);
        let mut parts = Vec::with_capacity(maps.len());
        for (map, (data_offset, bytes)) in maps.into_iter().zip(data) {
            parts.push(Part { map, start: end, data_offset });
            end = end.saturating_add(bytes);
        }
        Ok(Self { header, parts, bytes: end })
    }

    /// The header of the whole model.
    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    /// The files.
    pub(crate) fn maps(&self) -> impl Iterator<Item = &MappedFile> {
        self.parts.iter().map(|part| &part.map)
    }

    /// The part with the byte at `offset` of the whole model, and the byte's place in its file.
    fn place(&self, offset: u64) -> Option<(usize, u64)> {
        let index = self.parts.partition_point(|part| part.start <= offset).checked_sub(1)?;
        let part = self.parts.get(index)?;
        Some((index, offset - part.start + part.data_offset))
    }
}

impl Weights for Parts {
    fn file_bytes(&self) -> u64 {
        self.bytes
    }

    fn schedule(&self, stripes: &[Stripe]) -> Result<(), ReadError> {
        for (index, part) in self.parts.iter().enumerate() {
            let own = stripes.iter().filter_map(|stripe| {
                let (found, offset) = self.place(stripe.offset)?;
                (found == index).then_some(Stripe { offset, ..*stripe })
            });
            part.map.schedule(&own.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn leases(&self) -> usize {
        MAX_LEASES
    }

    fn lease(&self, index: usize, stripe: &Stripe) -> Result<Lease<'_>, ReadError> {
        let out_of_range = ReadError::OutOfRange { offset: stripe.offset };
        let (part, offset) = self.place(stripe.offset).ok_or(out_of_range)?;
        self.parts[part].map.lease(index, &Stripe { offset, ..*stripe })
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        let mut offset = offset;
        let mut left = into;
        while !left.is_empty() {
            let out_of_range = ReadError::OutOfRange { offset };
            let Some((index, place)) = self.place(offset) else {
                let header = usize::try_from(offset).ok().and_then(|from| self.header.get(from..));
                let bytes = header.and_then(|header| header.get(..left.len()));
                left.copy_from_slice(bytes.ok_or(out_of_range)?);
                return Ok(());
            };
            let end = self.parts.get(index + 1).map_or(self.bytes, |next| next.start);
            let here = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
            let (now, later) = left.split_at_mut(here.min(left.len()));
            if now.is_empty() {
                return Err(out_of_range);
            }
            self.parts[index].map.read(place, now)?;
            offset += now.len() as u64;
            left = later;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_gguf_split() {
        let name = PartName::of("a-00001-of-00003.gguf").unwrap();
        assert_eq!((name.stem, name.number, name.count), ("a", 1, 3));
        let path = name.path(Path::new("x/a-00001-of-00003.gguf"), 2);
        assert_eq!(path, Path::new("x/a-00002-of-00003.gguf"));
        for other in [
            "a.gguf",
            "a-0001-of-0003.gguf",
            "a-00004-of-00003.gguf",
            "a-00000-of-00003.gguf",
            "a-00001-of-00003.bin",
            "a-0000x-of-00003.gguf",
            "a-+0001-of-00003.gguf",
            "00001-of-00003.gguf",
            "ü-of-00003.gguf",
            "",
        ] {
            assert_eq!(PartName::of(other), None, "{other}");
        }
        assert_eq!(PartName::of("-00001-of-00001.gguf").map(|name| name.count), Some(1));
    }
}
