//! A verified copy of a directory, beside a running server or not. The copying is `log::backup`'s.

use std::path::Path;

use super::beside::{Beside, BesideError};
use super::check;
use crate::log::LogError;
use crate::log::backup::{self, BackupError, Copied};

/// What a copy is called while it is written.
pub const ENDING: &str = ".copying";

/// What was made.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The copy.
    pub copied: Copied,
    /// What is wrong in it where a start does not look, as in the source.
    pub warnings: Vec<String>,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The target.
    #[error(transparent)]
    Beside(#[from] BesideError),
    /// The copying.
    #[error(transparent)]
    Copy(#[from] BackupError),
    /// The copy cannot be read back.
    #[error("the copy cannot be verified: {0}")]
    Unread(#[from] LogError),
    /// The copy is not what was copied.
    #[error("the copy does not verify: {0}")]
    Unsound(String),
}

/// Copies `directory` to `target`; `progress` is told how many bytes of how many were copied, and then verified.
pub async fn backup(directory: &Path, target: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Summary, Failure> {
    let beside = Beside::create(target, ENDING).await?;
    match copy(directory, &beside, progress).await {
        Ok(summary) => {
            beside.finish()?;
            Ok(summary)
        }
        Err(failure) => {
            beside.abandon();
            Err(failure)
        }
    }
}

async fn copy(directory: &Path, beside: &Beside, progress: &mut dyn FnMut(u64, u64)) -> Result<Summary, Failure> {
    let copied = backup::copy(directory, &beside.directory, progress).await?;
    let report = check::check(beside.path(), &mut |done| progress(done.bytes, done.total))?;
    if let Some(damage) = &report.damage {
        return Err(Failure::Unsound(damage.to_string()));
    }
    let end = report.kept.map(|kept| kept.newest.offset);
    if end != Some(copied.end.offset) || report.used() != copied.snapshot.as_ref() {
        let found = end.map_or("nothing".to_owned(), |end| format!("data up to offset {end}"));
        return Err(Failure::Unsound(format!("it holds {found} and not up to {}", copied.end.offset)));
    }
    // The copy is about to get another name; what is wrong came from the source.
    let (copy, source) = (beside.path().display().to_string(), directory.display().to_string());
    let warnings = report.warnings.iter().map(|warning| warning.replace(&copy, &source)).collect();
    Ok(Summary { copied, warnings })
}
