//! The survey: header block and start frame of every segment listed, and the chain that the start frames make.

use super::*;

impl Walk {
    pub(super) fn survey<'a>(&mut self, window: Window<'a>) -> Result<Option<Step<'a>>, Refusal> {
        let index = self.surveyed.len();
        let Some(&listed) = self.input.segments.get(index) else {
            self.link()?;
            return Ok(None);
        };
        let first = usize::try_from(listed.unit + frame_len(START_PAYLOAD as u64)).unwrap_or(usize::MAX);
        let Some(bytes) = window.from(index, 0, first) else {
            return Ok(Some(Step::Need { segment: index, offset: 0, len: first }));
        };
        let header = match Segment::decode(bytes) {
            Ok((found, _)) if found == listed => Ok(()),
            Ok(_) => return Err(self.refuse(index, 0, Cause::Swapped)),
            Err(fault @ SegmentFault::Version(_)) => {
                return Err(self.refuse(index, 8, Cause::Unsupported(fault.to_string())));
            }
            Err(fault) => Err(fault),
        };
        let at = usize::try_from(listed.unit).unwrap_or(usize::MAX);
        let start = match parse(&bytes[at..], listed.size - listed.unit, listed.salt) {
            Ok(Parsed::Frame(sealed, range)) if sealed.header.kind == FrameKind::Start => {
                let mark = StartMark::decode(&bytes[at..][range]).ok();
                mark.map(|mark| (sealed.header, mark))
            }
            Err(fault @ FrameFault::Unsupported { .. }) => {
                return Err(self.refuse(index, listed.unit, Cause::Unsupported(fault.to_string())));
            }
            _ => None,
        };
        self.surveyed.push(Surveyed { header, start });
        Ok(None)
    }

    /// Builds the chain from the last start frame backwards: each names the segment before it.
    fn link(&mut self) -> Result<(), Refusal> {
        let first = self.first_walked();
        let Some(last) = self.surveyed.iter().rposition(|s| s.start.is_some()).filter(|last| *last >= first) else {
            // Nothing was ever begun, or the only start frame is torn: the scan decides.
            self.chain =
                (!self.surveyed.is_empty()).then_some(Link { segment: first, live_end: None }).into_iter().collect();
            self.phase = if self.chain.is_empty() { Phase::Done } else { Phase::Frames { link: 0 } };
            self.begin_behind()?;
            if self.chain.is_empty() && self.durable > self.point.offset.max(self.input.base_offset) {
                let cause = Cause::Damaged("no segment is listed".into());
                return Err(Refusal {
                    file: self.input.directory.clone(),
                    position: 0,
                    cause,
                    consequence: Some(Consequence { kept: self.point.offset, known: self.durable }),
                });
            }
            return Ok(());
        };
        let mut chain = vec![Link { segment: last, live_end: None }];
        let mut current = last;
        while current > first {
            let (before, live_end) = match &self.surveyed[current].start {
                Some((_, mark)) if mark.previous_sequence == 0 => break,
                Some((_, mark)) => {
                    let named = |s: &Segment| s.salt == mark.previous_salt && s.sequence == mark.previous_sequence;
                    let Some(before) = self.input.segments[..current].iter().position(named) else {
                        let cause = format!("the segment before it (number {}) is not listed", mark.previous_sequence);
                        return Err(self.refuse(current, self.input.segments[current].unit, Cause::BrokenChain(cause)));
                    };
                    (before, Some((mark.live_end, mark.last_crc)))
                }
                // Its own start frame is damaged: the walk will stop there, and the scan judge it.
                None => (current - 1, None),
            };
            chain.push(Link { segment: before, live_end });
            current = before;
        }
        chain.reverse();
        self.chain = chain;
        self.phase = Phase::Frames { link: 0 };
        self.begin_behind()?;
        if let Some((sequence, point)) = self.resume {
            let at = |l: &Link| self.input.segments[l.segment].sequence == sequence;
            if let Some(link) = self.chain.iter().position(at) {
                self.point = Point { segment: Some(self.chain[link].segment), ..point };
                self.durable_at = self.point;
                self.phase = Phase::Frames { link };
            }
        }
        self.warn_of_spares(last);
        Ok(())
    }

    /// Takes the place where replay begins, which must be in the first segment of the chain.
    fn begin_behind(&mut self) -> Result<(), Refusal> {
        let Some(place) = self.from.filter(|place| place.sequence > 0) else { return Ok(()) };
        let first = self.first_walked();
        let begins_there = self.chain.first().is_some_and(|l| {
            l.segment == first && self.input.segments.get(first).is_some_and(|s| s.sequence == place.sequence)
        });
        if !begins_there {
            let cause = "the place at which a snapshot ends is not in it".to_owned();
            return Err(self.refuse(first, place.position, Cause::BrokenChain(cause)));
        }
        self.point.segment = Some(first);
        self.durable_at = self.point;
        for index in 0..first {
            let Surveyed { header, start } = &self.surveyed[index];
            if header.is_err() || start.is_none() {
                let file = self.path(index);
                self.warnings.push(format!("{} is damaged; only older snapshots would need it", file.display()));
            }
        }
        Ok(())
    }

    fn warn_of_spares(&mut self, last: usize) {
        for index in last + 1..self.surveyed.len() {
            if let Err(fault) = self.surveyed[index].header {
                self.warnings.push(format!("{}: {fault}; the segment is unused", self.path(index).display()));
            }
        }
    }
}
