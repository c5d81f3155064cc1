//! stub
#[derive(Clone, Default)]
pub struct Config;
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AppendFsync {
    Always,
    EverySec,
    No,
}
pub struct OL {
    pub hard: u64,
    pub soft: u64,
    pub soft_seconds: u64,
}
impl Config {
    pub fn databases(&self) -> usize {
        16
    }
    pub fn appendfsync(&self) -> AppendFsync {
        AppendFsync::Always
    }
    pub fn lazyfree_lazy_expire(&self) -> bool {
        false
    }
    pub fn min_replicas_to_write(&self) -> i64 {
        0
    }
    pub fn min_replicas_max_lag(&self) -> i64 {
        0
    }
    pub fn requirepass(&self) -> &str {
        ""
    }
    pub fn proto_max_bulk_len(&self) -> u64 {
        512 << 20
    }
    pub fn client_query_buffer_limit(&self) -> u64 {
        1 << 30
    }
    pub fn output_buffer_limit(&self) -> OL {
        OL { hard: 0, soft: 0, soft_seconds: 0 }
    }
}
