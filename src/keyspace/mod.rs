//! Layer 2: the data in memory. A pure structure: no clock, no effects, no sockets; callers bring time and hash.
//!
//! [`Db`] is what the engine uses: keys, their expiry times and samples of them. It is made of [`Table`] (hash table)
//! and [`Entry`] (one allocation a key). A value that is no string is of one of the types in `collection.rs`, which says how
//! another one is added; they are made of [`Packed`], [`Intset`], and [`Table`] with one allocation a [`Member`] or [`Field`].

mod ahead;
mod blob;
mod block;
mod bucket;
mod collection;
mod compact;
mod db;
mod deadlines;
mod digest;
mod distinct;
mod entry;
mod field_table;
mod hash;
mod hash_random;
mod intake;
mod intset;
mod kind;
mod layout;
mod list;
mod list_node;
mod member;
mod order;
mod packed;
mod quicklist;
mod ranked;
mod redis_digest;
mod scored;
mod selection;
mod serialized;
mod set;
mod set_algebra;
mod set_random;
mod small_hash;
mod stream;
mod table;
mod thin;
mod zset;
mod zset_random;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

use xxhash_rust::xxh3;

pub use crate::base::text::Text;
pub use collection::{Collection, Family, Owned, Value, ValueMut};
pub use compact::{Compact, Form, FormMut};
pub use db::{Cleared, Db, Place};
pub use deadlines::LATEST_MS;
pub use distinct::Repeated;
pub use entry::{EMBEDDED_MAX, Entry, make_room};
pub use hash::{Hash, HashLimits, NewExpiry};
pub use intake::Intake;
pub use intset::Intset;
pub use kind::{Encoding, Kind};
pub use layout::INLINE_MAX;
pub use list::{End, List, ListLimits, Piece};
pub use member::{Field, Member};
pub use packed::{At, Packed};
pub use ranked::{Ranked, Ranking};
pub use redis_digest::RedisDigest;
pub use scored::Scored;
pub use set::{Set, SetLimits};
pub use set_algebra::Algebra;
pub use stream::{
    Bound, Consumer, ConsumerId, Group, Groups, IdText, Pending, Refused, Stream, StreamEntries, StreamEntry, StreamId,
    StreamLimits, Trim,
};
pub use table::{Keyed, Table};
pub use zset::{Zset, ZsetLimits};

/// The secret of the hash function: all of XXH3's mixing constants, so that nobody outside can find collisions.
static SECRET: OnceLock<[u8; SECRET_LEN]> = OnceLock::new();
const SECRET_LEN: usize = 192;

/// The hash of a key, by which [`Db`] and [`Table`] find it. It differs from process to process.
pub fn hash(key: &[u8]) -> u64 {
    xxh3::xxh3_64_with_secret(key, SECRET.get_or_init(|| secret_from(RandomState::new())))
}

/// Makes [`hash()`] the same in every process, for runs that must repeat exactly. Answers whether it came in time: once
/// a key was hashed the secret stays.
pub fn fix_hash_seed(seed: u64) -> bool {
    let mut random = fastrand::Rng::with_seed(seed);
    SECRET.set(std::array::from_fn(|_| random.u8(..))).is_ok()
}

/// `RandomState` holds 128 bits from the operating system; SipHash stretches them.
fn secret_from(state: RandomState) -> [u8; SECRET_LEN] {
    let mut secret = [0; SECRET_LEN];
    for (block, bytes) in secret.chunks_exact_mut(8).enumerate() {
        let mut hasher = state.build_hasher();
        hasher.write_usize(block);
        bytes.copy_from_slice(&hasher.finish().to_le_bytes());
    }
    secret
}

/// Asks the processor to fetch a cache line; a hint, without effect on other processors than x86-64.
pub fn prefetch<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch reads nothing the program could see and never faults, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}
