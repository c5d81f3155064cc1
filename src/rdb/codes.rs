//! The numbers of the format: operations and types of values.

/// What stands between the values of a file.
pub(super) mod op {
    /// Of Valkey: slots that are being moved here, the name of the job and ranges.
    pub const SLOT_IMPORT: u8 = 243;
    /// A slot of a cluster, its number of keys and of those that expire.
    pub const SLOT: u8 = 244;
    /// The code of a library of functions.
    pub const FUNCTION: u8 = 245;
    /// The same before Redis 7.0 was released.
    pub const FUNCTION_BEFORE_RELEASE: u8 = 246;
    /// Data of a module that belong to no key.
    pub const MODULE: u8 = 247;
    /// Seconds since the next key was used.
    pub const IDLE: u8 = 248;
    /// How often the next key was used, as LFU counts.
    pub const FREQUENCY: u8 = 249;
    /// A name and a value that tell of the file.
    pub const AUX: u8 = 250;
    /// The numbers of keys, and of those that expire, in the database.
    pub const SIZES: u8 = 251;
    /// When the next key expires, in milliseconds.
    pub const EXPIRES_MS: u8 = 252;
    /// The same in seconds.
    pub const EXPIRES_S: u8 = 253;
    /// The database of the keys that follow.
    pub const DATABASE: u8 = 254;
    /// The end.
    pub const END: u8 = 255;
}

/// Types of values: what they are, and in which form.
pub(super) mod code {
    pub const STRING: u8 = 0;
    pub const LIST: u8 = 1;
    pub const SET: u8 = 2;
    /// With scores as text.
    pub const ZSET: u8 = 3;
    pub const HASH: u8 = 4;
    /// With scores of eight bytes.
    pub const ZSET_2: u8 = 5;
    pub const MODULE: u8 = 6;
    pub const MODULE_2: u8 = 7;
    pub const HASH_ZIPMAP: u8 = 9;
    pub const LIST_ZIPLIST: u8 = 10;
    pub const SET_INTSET: u8 = 11;
    pub const ZSET_ZIPLIST: u8 = 12;
    pub const HASH_ZIPLIST: u8 = 13;
    /// Nodes that are ziplists.
    pub const LIST_QUICKLIST: u8 = 14;
    pub const STREAM: u8 = 15;
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    /// Nodes that are listpacks, or one large element.
    pub const LIST_QUICKLIST_2: u8 = 18;
    /// With the first id, the largest deleted one and the number of entries ever added.
    pub const STREAM_2: u8 = 19;
    pub const SET_LISTPACK: u8 = 20;
    /// With the times at which consumers were active.
    pub const STREAM_3: u8 = 21;
    /// In files of Redis: fields with times to live, before 7.4 was released. In those of Valkey: fields with expiry times.
    pub const HASH_FIELDS: u8 = 22;
    /// Field, value and expiry time in a listpack, before 7.4 was released.
    pub const HASH_LISTPACK_TIMES_OLD: u8 = 23;
    /// The earliest expiry time, and fields with what they have more than that.
    pub const HASH_TIMES: u8 = 24;
    /// The earliest expiry time, and field, value and expiry time in a listpack.
    pub const HASH_LISTPACK_TIMES: u8 = 25;
}

/// What a module's data consist of.
pub(super) mod module {
    pub const END: u64 = 0;
    pub const SIGNED: u64 = 1;
    pub const UNSIGNED: u64 = 2;
    pub const FLOAT: u64 = 3;
    pub const DOUBLE: u64 = 4;
    pub const STRING: u64 = 5;
}

/// A node of a quicklist: one large element, or a listpack.
pub(super) mod node {
    pub const PLAIN: u64 = 1;
    pub const PACKED: u64 = 2;
}
