//! From where to where the states reach that a directory can be brought back to.

use std::fmt;

use crate::base::calendar::utc;

use super::super::manifest::Place;
use super::Inspection;

/// A place in the stream and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Stream offset.
    pub offset: u64,
    /// Wall-clock milliseconds of the last frame before it; of the first frame, where nothing is before it.
    pub wall_ms: u64,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The oldest state: that of the oldest snapshot, unless the log reaches back to its beginning.
    pub oldest: Moment,
    /// The newest state that the log gives.
    pub newest: Moment,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {} ({})", self.offset, utc(self.wall_ms))
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.oldest, self.newest)
    }
}

impl From<Place> for Moment {
    fn from(place: Place) -> Self {
        Self { offset: place.offset, wall_ms: place.wall_ms }
    }
}

impl Inspection {
    /// The oldest state, as MANIFEST and the beginning of the log say; `None` for a directory without any.
    pub fn oldest(&self) -> Option<Moment> {
        let snapshot = self.manifest()?.snapshots.first().map(|oldest| oldest.place.into());
        if !self.begins_at_zero() {
            return snapshot;
        }
        let first = self.reader(true, None).next().and_then(Result::ok);
        first.map(|frame| Moment { offset: 0, wall_ms: frame.header.wall_ms }).or(snapshot)
    }

    /// What is kept, read from the newest snapshot on; `None` for a directory without any state.
    pub fn kept(&self) -> Option<Kept> {
        let oldest = self.oldest()?;
        let newest = self.manifest()?.snapshots.last().map(|newest| newest.place);
        let Ok((outcome, _)) = self.read_behind(newest, |_| Ok::<_, std::convert::Infallible>(()));
        let end = outcome.end;
        Some(Kept { oldest, newest: Moment { offset: end.offset, wall_ms: end.wall_ms } })
    }
}
