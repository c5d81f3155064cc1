//! What there is to import: the files of a source, in the order in which they are read.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::super::beside::parent;
use super::{ImportError, unreadable};
use crate::base::quoting;
use crate::rdb::{Event, Reader};

/// How RDB files begin.
pub(super) const RDB: &[&[u8]] = &[b"REDIS", b"VALKEY"];

/// The files to read.
#[derive(Debug)]
pub struct Source {
    parts: Vec<Part>,
    /// What one who wants all data has to know.
    pub warning: Option<String>,
}

/// One of them.
#[derive(Debug)]
pub enum Part {
    /// An RDB file, and its size.
    Rdb(PathBuf, u64),
    /// An append-only file, and its size. It may begin with an RDB file.
    Aof(PathBuf, u64),
    /// A file that a manifest names, and that is not there.
    Missing(PathBuf),
}

impl Part {
    /// Its size.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Rdb(_, bytes) | Self::Aof(_, bytes) => *bytes,
            Self::Missing(_) => 0,
        }
    }
}

impl Source {
    /// Looks at what is there: an RDB file, an append-only file, or an append-only directory of Redis 7.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let found = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if found.is_dir() {
            return Self::directory(path);
        }
        if path.extension().is_some_and(|extension| extension == "manifest") {
            let folder = parent(path).display();
            return Err(ImportError::Source(format!("{} is a manifest: import {folder}", path.display())));
        }
        let part = match begins_with(path, &[RDB, &[b"*", b"#"]].concat()) {
            Err(error) => return Err(unreadable(path, &error)),
            Ok(false) => {
                return Err(ImportError::Source(format!(
                    "{} is neither an RDB file nor an append-only file of Redis or Valkey",
                    path.display()
                )));
            }
            Ok(true) if is_preamble(path) => Part::Aof(path.to_owned(), found.len()),
            Ok(true) => Part::of(path),
        };
        // It may be one of several.
        let warning = manifest_of(path).map(|manifest| {
            let (path, folder) = (path.display(), parent(path).display());
            let manifest = manifest.display();
            format!("{path} alone: {manifest} names other files besides; to have them all, import {folder}")
        });
        let newer = append_only_beside(path).filter(|_| matches!(part, Part::Rdb(..))).map(|other| {
            let (path, other) = (path.display(), other.display());
            format!("{other} stands beside {path}: with `appendonly yes` it is what Redis loads, and holds more; then import that")
        });
        Ok(Self { parts: vec![part], warning: warning.or(newer) })
    }

    /// The files.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Their size together.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(Part::bytes).sum()
    }

    fn directory(path: &Path) -> Result<Self, ImportError> {
        let names = std::fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
        let is_manifest = |entry: &PathBuf| entry.extension().is_some_and(|extension| extension == "manifest");
        let mut manifests: Vec<_> = names.flatten().map(|entry| entry.path()).filter(is_manifest).collect();
        match (manifests.pop(), manifests.pop()) {
            (Some(manifest), None) => Self::manifest(&manifest, path),
            (None, _) => Err(ImportError::Source(format!(
                "{} holds no manifest of an append-only directory: name the file or the append-only directory itself",
                path.display()
            ))),
            (Some(one), Some(other)) => Err(ImportError::Source(format!(
                "{} holds more than one manifest: {} and {}",
                path.display(),
                one.display(),
                other.display()
            ))),
        }
    }

    /// The base and then the increments; what the manifest calls history is over.
    fn manifest(manifest: &Path, folder: &Path) -> Result<Self, ImportError> {
        let text = std::fs::read(manifest).map_err(|error| unreadable(manifest, &error))?;
        let (mut base, mut increments) = (Vec::new(), Vec::new());
        let (mut named, mut last) = (Vec::new(), 0);
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let (name, sequence, kind) = manifest_line(line).ok_or_else(|| {
                let (manifest, line) = (manifest.display(), index + 1);
                ImportError::Source(format!("{manifest}: line {line} is not `file NAME seq NUMBER type b|h|i`"))
            })?;
            match kind {
                b'b' => base.push(folder.join(&name)),
                b'i' if sequence <= last => {
                    let (manifest, line) = (manifest.display(), index + 1);
                    let why =
                        format!("the sequence number {sequence} is not above {last}, that of the increment before");
                    return Err(ImportError::Source(format!("{manifest}: line {line}: {why}; Redis refuses it too")));
                }
                b'i' => {
                    last = sequence;
                    increments.push(folder.join(&name));
                }
                _ => {}
            }
            named.push(name);
        }
        if base.len() > 1 {
            return Err(ImportError::Source(format!("{} names more than one base file", manifest.display())));
        }
        let parts: Vec<_> = base.into_iter().chain(increments).map(|path| Part::of(&path)).collect();
        if parts.is_empty() {
            return Err(ImportError::Source(format!("{} names no files", manifest.display())));
        }
        let warning = unnamed(folder, &named).map(|unnamed| {
            let (folder, manifest) = (folder.display(), manifest.display());
            format!("left out of {folder}: {unnamed}, which {manifest} does not name: Redis does not load it either")
        });
        Ok(Self { parts, warning })
    }
}

/// The files that look like parts of an append-only directory, and that its manifest does not name.
fn unnamed(folder: &Path, named: &[String]) -> Option<String> {
    let is_part = |name: &str| [".base.rdb", ".base.aof", ".incr.aof"].iter().any(|ending| name.ends_with(ending));
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let names = names.filter_map(|name| name.into_string().ok());
    let mut unnamed: Vec<String> = names.filter(|name| is_part(name) && !named.contains(name)).collect();
    unnamed.sort();
    (!unnamed.is_empty()).then(|| unnamed.join(", "))
}

impl Part {
    fn of(path: &Path) -> Self {
        let Ok(found) = std::fs::metadata(path) else { return Self::Missing(path.to_owned()) };
        let named = |ending| path.extension().is_some_and(|extension| extension == ending);
        let is_rdb = named("rdb") || !named("aof") && begins_with(path, RDB).unwrap_or(false);
        if is_rdb { Self::Rdb(path.to_owned(), found.len()) } else { Self::Aof(path.to_owned(), found.len()) }
    }
}

/// An append-only directory, or file of old, beside an RDB file.
fn append_only_beside(path: &Path) -> Option<PathBuf> {
    let has = |path: &Path, ending| path.extension().is_some_and(|extension| extension == ending);
    let inside = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    inside(parent(path)).find(|other| has(other, "aof") || inside(other).any(|file| has(&file, "manifest")))
}

/// The manifest beside a file that names it and others.
fn manifest_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let beside = std::fs::read_dir(parent(path)).ok()?.flatten().map(|entry| entry.path());
    let mut manifests = beside.filter(|path| path.extension().is_some_and(|extension| extension == "manifest"));
    manifests.find(|manifest| {
        let text = std::fs::read(manifest).unwrap_or_default();
        let lines = text.split(|byte| *byte == b'\n').filter_map(manifest_line);
        let names: Vec<String> = lines.filter(|(_, _, kind)| *kind != b'h').map(|(named, ..)| named).collect();
        names.len() > 1 && names.iter().any(|named| named == name)
    })
}

/// Whether an RDB file says of itself that it begins an append-only file.
fn is_preamble(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let Ok(mut reader) = Reader::new(file) else { return false };
    while let Ok(Event::Aux { name, value }) = reader.next() {
        if name == b"aof-preamble" && value == b"1" {
            return true;
        }
    }
    false
}

/// Name, sequence number and type in a line of a manifest.
fn manifest_line(line: &[u8]) -> Option<(String, u64, u8)> {
    let words = quoting::split(line)?;
    let (mut name, mut sequence, mut kind) = (None, None, None);
    for pair in words.chunks(2) {
        let [key, value] = pair else { return None };
        match key.as_slice() {
            b"file" => name = String::from_utf8(value.clone()).ok().filter(|name| !name.contains('/')),
            b"seq" => sequence = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()),
            b"type" => kind = value.first().copied().filter(|kind| b"bhi".contains(kind) && value.len() == 1),
            _ => {}
        }
    }
    Some((name?, sequence?, kind?))
}

/// Whether a file begins with one of these.
pub(super) fn begins_with(path: &Path, beginnings: &[&[u8]]) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(16).read_to_end(&mut head)?;
    Ok(beginnings.iter().any(|beginning| head.starts_with(beginning)))
}
