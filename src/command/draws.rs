//! What SRANDMEMBER, HRANDFIELD and ZRANDMEMBER draw with repetition: as much as they are told to, so there must be a limit.

use super::failure::Failure;
use crate::resp::Reply;

/// The most that is drawn, and the bytes of reply after which no more is: one small member would fill all memory.
const DRAWS_MAX: u64 = 1 << 27;
const BYTES_MAX: usize = 1 << 30;

const OUT_OF_RANGE: Failure = Failure::fixed("ERR value is out of range");

/// How many a negative count asks for.
pub(super) fn number(count: i64) -> Result<usize, Failure> {
    let number = Some(count.unsigned_abs()).filter(|number| *number <= DRAWS_MAX);
    number.map(|number| number as usize).ok_or(OUT_OF_RANGE)
}

/// Writes what is drawn, unless it is too much.
pub(super) fn write<T>(
    reply: &mut Reply,
    draws: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Reply, T),
) -> Result<(), Failure> {
    let most = reply.len() + BYTES_MAX;
    for draw in draws {
        write(reply, draw);
        if reply.len() > most {
            return Err(OUT_OF_RANGE);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::harness::Harness;

    #[test]
    fn more_than_memory_may_hold_is_refused_before_or_while_it_is_drawn() {
        let mut server = Harness::new();
        server.run("SADD s a");
        server.run("ZADD z 1 a");
        server.run("HSET h f v");
        let refused = "-ERR value is out of range";
        for count in [-(DRAWS_MAX as i64) - 1, -i64::MAX] {
            for command in ["SRANDMEMBER s", "ZRANDMEMBER z", "HRANDFIELD h"] {
                assert_eq!(server.run(&format!("{command} {count}")), refused, "{command} {count}");
            }
        }
        let mut reply = Reply::resp2();
        let large = vec![b'x'; 1 << 20];
        let written = write(&mut reply, 0..2000, |reply, _| reply.bulk(&large));
        assert!(written.is_err() && reply.len() < BYTES_MAX + (2 << 20));
        assert!(write(&mut Reply::resp2(), 0..10, |reply, _| reply.bulk(&large)).is_ok());
    }
}
