//! The scan behind damage, and the verdict: a torn tail that may be cut, or a reason to refuse the start.

use super::*;

impl Walk {
    /// Passes a frame on; anything else found is where the chain ends, and is scanned behind before it is judged.
    pub(super) fn damaged<'a>(
        &mut self,
        segment: usize,
        position: u64,
        found: Found<'a>,
        chained: bool,
    ) -> Option<Step<'a>> {
        let (cause, broken_chain) = match found {
            Found::Frame(step) => return Some(step),
            Found::Nothing(fault) => (fault.to_string(), false),
            Found::Broken(cause) => (cause, chained),
        };
        let ends_here = self.input.clean && self.point.offset == self.input.durable && !broken_chain;
        let damage =
            Damage { segment, position, start_of: None, cause, broken_chain, covered: false, known: 0, bytes: 0 };
        self.damage = Some(damage);
        let last = self.chain.last().is_none_or(|l| l.segment == segment);
        let under_way = self.input.tail_is_live && last && self.point.offset >= self.durable;
        self.phase = if ends_here || under_way { Phase::Done } else { Phase::Scan { segment, position } };
        None
    }

    /// Looks on behind the damage, up to the end of the last segment.
    pub(super) fn scan<'a>(
        &mut self,
        segment: usize,
        from: u64,
        window: Window<'a>,
    ) -> Result<Option<Step<'a>>, Refusal> {
        let Some(&listed) = self.input.segments.get(segment) else {
            return self.judge().map(|()| None);
        };
        let mut position = from;
        while position < listed.size {
            let block = FRAME_ALIGN as usize;
            let need = |len| Ok(Some(Step::Need { segment, offset: position, len }));
            let Some(bytes) = window.from(segment, position, block) else {
                self.phase = Phase::Scan { segment, position };
                return need(block);
            };
            if bytes[..block].iter().any(|&b| b != 0) {
                if listed.size - position >= FRAME_HEADER as u64 && bytes.len() < FRAME_HEADER {
                    self.phase = Phase::Scan { segment, position };
                    return need(FRAME_HEADER);
                }
                self.look_at(segment, position, bytes)?;
            }
            position += FRAME_ALIGN;
        }
        let unit = self.input.segments.get(segment + 1).map_or(0, |next| next.unit);
        self.phase = Phase::Scan { segment: segment + 1, position: unit };
        Ok(None)
    }

    /// One place behind the damage that is not zero.
    fn look_at(&mut self, segment: usize, position: u64, bytes: &[u8]) -> Result<(), Refusal> {
        let listed = self.input.segments[segment];
        let sealed = parse_header(bytes, listed.salt);
        let Some(damage) = &mut self.damage else { return Ok(()) };
        // In a file that is used again, anything may stand behind the last frame.
        if listed.is_recycled() && sealed.is_err() {
            return match sealed {
                Err(fault @ FrameFault::Unsupported { .. }) => {
                    Err(self.refuse(segment, position, Cause::Unsupported(fault.to_string())))
                }
                _ => Ok(()),
            };
        }
        if damage.bytes == 0 && position == listed.unit && self.surveyed[segment].start.is_none() {
            damage.start_of = Some(segment);
        }
        let before: u64 = if segment == damage.segment { damage.position } else { listed.unit };
        let whole: u64 = position + FRAME_ALIGN - before;
        damage.bytes = if segment == damage.segment { whole } else { damage.bytes.saturating_add(FRAME_ALIGN) };
        match sealed {
            Ok(Sealed { header, .. }) => {
                // A start frame that does not verify cuts nothing off, and proves only what lies before its offset.
                let at_damage = (segment, position) == (damage.segment, damage.position)
                    || (position == listed.unit
                        && self.surveyed[segment].start.is_none()
                        && header.offset <= self.point.offset);
                damage.covered |= header.always && (!at_damage || damage.broken_chain);
                damage.known = damage.known.max(header.end_offset());
                if !self.faults.drop_watermark {
                    self.durable = self.durable.max(header.durable);
                }
                Ok(())
            }
            Err(fault @ FrameFault::Unsupported { .. }) => {
                Err(self.refuse(segment, position, Cause::Unsupported(fault.to_string())))
            }
            Err(_) => Ok(()),
        }
    }

    /// Damage at or above the durable offset is a torn tail; anything else refuses the start.
    fn judge(&mut self) -> Result<(), Refusal> {
        self.phase = Phase::Done;
        let Some(damage) = &self.damage else { return Ok(()) };
        let kept = self.point.offset;
        let cause = if self.durable > kept {
            Some(Cause::Damaged(damage.cause.clone()))
        } else if damage.covered && !self.faults.drop_watermark {
            let cause = damage.cause.clone();
            Some(if damage.broken_chain { Cause::BrokenChain(cause) } else { Cause::Covered(cause) })
        } else {
            None
        };
        match cause {
            None => {
                self.raise_durable_at();
                Ok(())
            }
            Some(cause) => {
                let start = damage.start_of.and_then(|s| Some((s, self.input.segments.get(s)?.unit)));
                let (segment, position) = start.unwrap_or((damage.segment, damage.position));
                Err(self.refuse(segment, position, cause))
            }
        }
    }
}
