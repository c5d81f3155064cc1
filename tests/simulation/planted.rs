//! The bugs that can be planted, by name.

use ackd::engine::trial::Planted;

/// A bug planted on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Bug {
    AckBeforeSync,
    IgnoreFailedSync,
    RewriteAcked,
    SkipDirectorySync,
    UseSpareUnlisted,
    AcceptStale,
    AppendBehindCut,
    DropWatermark,
    TrustCache,
    OpenReadsEarly,
    TellEarly,
    KeepWhatIsGone,
    ReadWithoutLock,
    InstallUndurable,
    RecycleListed,
    InheritLock,
}

impl Bug {
    /// The switches that plant it.
    pub fn planted(self) -> Planted {
        let mut planted = Planted::default();
        let switch = match self {
            Self::AckBeforeSync => &mut planted.ack_before_sync,
            Self::OpenReadsEarly => &mut planted.open_reads_early,
            Self::TellEarly => &mut planted.tell_early,
            Self::KeepWhatIsGone => &mut planted.keep_what_is_gone,
            Self::IgnoreFailedSync => &mut planted.log.ignore_failed_sync,
            Self::RewriteAcked => &mut planted.log.rewrite_acked,
            Self::SkipDirectorySync => &mut planted.log.skip_directory_sync,
            Self::UseSpareUnlisted => &mut planted.log.use_spare_unlisted,
            Self::AcceptStale => &mut planted.log.accept_stale,
            Self::AppendBehindCut => &mut planted.log.append_behind_cut,
            Self::DropWatermark => &mut planted.log.drop_watermark,
            Self::TrustCache => &mut planted.log.trust_cache,
            Self::ReadWithoutLock => &mut planted.log.read_without_lock,
            Self::InstallUndurable => &mut planted.log.install_undurable,
            Self::RecycleListed => &mut planted.log.recycle_listed,
            Self::InheritLock => &mut planted.inherit_lock,
        };
        *switch = true;
        planted
    }
}
