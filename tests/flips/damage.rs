//! What is done to a file, or to two.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use ackd::disk::sim::World;

/// The unit that a disk writes whole.
pub const SECTOR: u64 = 512;

/// The unit in which the cache writes.
pub const BLOCK: u64 = 4096;

/// One of them.
#[derive(Clone, Debug)]
pub enum Damage {
    /// A bit of a byte is inverted.
    Flip { file: PathBuf, at: u64, bit: u8 },
    /// A sector is zeros.
    Zero { file: PathBuf, at: u64 },
    /// Two neighbouring blocks have changed places.
    Swap { file: PathBuf, at: u64 },
    /// The file ends here.
    Truncate { file: PathBuf, at: u64 },
    /// It is not there.
    Remove { file: PathBuf },
    /// It is in the place of another one, too.
    Duplicate { file: PathBuf, over: PathBuf },
    /// Two have changed places.
    Exchange { file: PathBuf, with: PathBuf },
}

impl Damage {
    /// The files concerned.
    pub fn files(&self) -> Vec<&Path> {
        match self {
            Self::Flip { file, .. }
            | Self::Zero { file, .. }
            | Self::Swap { file, .. }
            | Self::Truncate { file, .. }
            | Self::Remove { file } => vec![file],
            Self::Duplicate { over, .. } => vec![over],
            Self::Exchange { file, with } => vec![file, with],
        }
    }

    /// The files that a refusal may name. A segment of whose first frame nothing is left looks as if it had never been begun:
    /// then it is the end of the one before that is named.
    pub fn may_be_named(&self) -> Vec<PathBuf> {
        let mut named: Vec<PathBuf> = self.files().into_iter().map(Path::to_owned).collect();
        if let Self::Zero { file, at: BLOCK } = self {
            let sequence = file.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
            named.extend(sequence.map(|sequence| file.with_file_name(ackd::log::Segment::name_of(sequence - 1))));
        }
        named
    }

    /// Does it; false when it changes nothing.
    pub fn apply(&self, world: &World) -> io::Result<bool> {
        let content = |file: &Path| world.read(file).ok_or(io::ErrorKind::NotFound);
        match self {
            Self::Flip { file, at, bit } => {
                world.flip_bit(file, *at, *bit)?;
                return Ok(true);
            }
            Self::Remove { file } => {
                world.remove(file)?;
                return Ok(true);
            }
            _ => {}
        }
        let file = self.files()[0];
        let before = content(file)?;
        let mut after = before.clone();
        match self {
            Self::Zero { at, .. } => {
                let end = after.len().min((at + SECTOR) as usize);
                after[*at as usize..end].fill(0);
            }
            Self::Swap { at, .. } => {
                let (at, half) = (*at as usize, BLOCK as usize);
                let (first, second) = after[at..at + 2 * half].split_at_mut(half);
                first.swap_with_slice(second);
            }
            Self::Truncate { at, .. } => after.truncate(*at as usize),
            Self::Duplicate { file, .. } => after = content(file)?,
            Self::Exchange { with, .. } => {
                after = content(with)?;
                world.put(with, &before)?;
            }
            Self::Flip { .. } | Self::Remove { .. } => {}
        }
        if after == before {
            return Ok(false);
        }
        world.put(file, &after)?;
        Ok(true)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flip { file, at, bit } => write!(f, "{}, byte {at}, bit {bit}", file.display()),
            Self::Zero { file, at } => write!(f, "{}, zeros from byte {at}", file.display()),
            Self::Swap { file, at } => write!(f, "{}, blocks swapped at byte {at}", file.display()),
            Self::Truncate { file, at } => write!(f, "{}, cut at byte {at}", file.display()),
            Self::Remove { file } => write!(f, "{} removed", file.display()),
            Self::Duplicate { file, over } => write!(f, "{} over {}", file.display(), over.display()),
            Self::Exchange { file, with } => write!(f, "{} exchanged with {}", file.display(), with.display()),
        }
    }
}
