//! Who survives a crash: the draws that decide, unsynced change by unsynced change.

use super::block::WHOLE;

/// The draws of one crash.
pub(super) struct Survival {
    rng: fastrand::Rng,
    style: Style,
}

/// Mixed draws alone almost never meet the corners, where most bugs live; so each crash first draws its style.
#[derive(Clone, Copy)]
enum Style {
    Nothing,
    Everything,
    /// What began up to this number survives, in order, as on a file system with an ordered journal.
    UpTo(u64),
    /// Each change on its own, with this probability; damaged with that one.
    Each {
        survive: f64,
        damage: f64,
    },
}

/// What became of one page.
pub(super) enum Fate {
    /// The sectors of this set are new, the others as before.
    Sectors(u8),
    /// The whole unit is lost, what it held before included.
    Destroyed,
}

impl Survival {
    /// The draws for `choice`: 0 nothing survives, 1 everything does, else by that seed. `numbers` spans the changes
    /// that are at stake.
    pub(super) fn new(choice: u64, numbers: (u64, u64)) -> Self {
        let mut rng = fastrand::Rng::with_seed(choice);
        let style = match choice {
            0 => Style::Nothing,
            1 => Style::Everything,
            _ => match rng.u8(..8) {
                0 => Style::UpTo(rng.u64(numbers.0.min(numbers.1).saturating_sub(1)..=numbers.1)),
                n => Style::Each {
                    survive: [0.1, 0.5, 0.9, 1.0][usize::from(n % 4)],
                    damage: if n < 4 { 0.0 } else { 0.3 },
                },
            },
        };
        Self { rng, style }
    }

    pub(super) fn rng(&mut self) -> &mut fastrand::Rng {
        &mut self.rng
    }

    /// Whether the corner cases "nothing" and "everything" were asked for.
    pub(super) fn is_mixed(&self) -> bool {
        !matches!(self.style, Style::Nothing | Style::Everything)
    }

    /// Whether the change that began at `number` survives.
    pub(super) fn survives(&mut self, number: u64) -> bool {
        match self.style {
            Style::Nothing => false,
            Style::Everything => true,
            Style::UpTo(last) => number <= last,
            Style::Each { survive, .. } => self.rng.f64() < survive,
        }
    }

    /// Which of several successive versions the medium has: an index, or `None` for the one before them all.
    pub(super) fn version(
        &mut self,
        numbers: impl DoubleEndedIterator<Item = u64> + ExactSizeIterator,
    ) -> Option<usize> {
        let count = numbers.len();
        let newest = numbers.enumerate().rev().find(|(_, number)| self.survives(*number)).map(|(index, _)| index)?;
        // Writeback may have happened at any moment, so an older version is as good as the newest.
        if self.is_mixed() && self.rng.u8(..4) == 0 {
            Some(self.rng.usize(..count.min(newest + 1)))
        } else {
            Some(newest)
        }
    }

    /// What became of a page on its way to the medium.
    pub(super) fn fate(&mut self) -> Fate {
        match self.style {
            Style::Each { damage, .. } if self.rng.f64() < damage => match self.rng.u8(..4) {
                0 => Fate::Destroyed,
                1 => Fate::Sectors(WHOLE >> self.rng.u8(1..8)),
                _ => Fate::Sectors(self.rng.u8(..)),
            },
            _ => Fate::Sectors(WHOLE),
        }
    }
}
