//! Finding the oracles: servers that the tests compare ackd with. They are test tools, installed by
//! `.ci/install-oracles`; without them the comparing tests say so and pass.

use std::path::{Path, PathBuf};

use super::process::{Program, Settings};

/// A server whose answers are taken as right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracle {
    /// Valkey 8.1 with `extended-redis-compatibility yes`: a fork of Redis 7.2.4, the first oracle.
    Valkey,
    /// Redis 7.0.15.
    Redis7,
    /// Redis 8.2, for options that are newer than 7.2.
    Redis8,
}

impl Oracle {
    pub fn name(self) -> &'static str {
        match self {
            Self::Valkey => "valkey",
            Self::Redis7 => "redis7",
            Self::Redis8 => "redis8",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Valkey => "ACKD_ORACLE_VALKEY",
            Self::Redis7 => "ACKD_ORACLE_REDIS7",
            Self::Redis8 => "ACKD_ORACLE_REDIS8",
        }
    }

    /// Where `.ci/install-oracles` links the binary, below `target/oracles` or the folder in `ACKD_ORACLES`.
    fn installed(self) -> &'static str {
        match self {
            Self::Valkey => "valkey-server",
            Self::Redis7 => "redis7-server",
            Self::Redis8 => "redis8-server",
        }
    }

    /// The binary: from the environment, from where it was installed, or from PATH (Valkey and 7.0 only, by version).
    pub fn find(self) -> Option<PathBuf> {
        if let Some(path) = std::env::var_os(self.variable()) {
            let path = PathBuf::from(path);
            assert!(path.is_file(), "{} names {}, which is no file", self.variable(), path.display());
            return Some(path);
        }
        let folder = std::env::var_os("ACKD_ORACLES").unwrap_or_else(|| "target/oracles".into());
        let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(self.installed());
        if installed.is_file() {
            return Some(installed);
        }
        let (name, version) = match self {
            Self::Valkey => ("valkey-server", "v=8.1."),
            Self::Redis7 => ("redis-server", "v=7.0."),
            Self::Redis8 => ("redis-server", "v=8."),
        };
        let paths = std::env::var_os("PATH")?;
        std::env::split_paths(&paths).map(|dir| dir.join(name)).find(|path| {
            path.is_file()
                && std::process::Command::new(path)
                    .arg("--version")
                    .output()
                    .is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains(version))
        })
    }

    /// The oracle as a program to start, or `None` after saying on stderr why the test is skipped.
    pub fn program(self) -> Option<Program> {
        let Some(path) = self.find() else {
            eprintln!("SKIPPED: {} oracle not found, run .ci/install-oracles", self.name());
            return None;
        };
        let mut settings = Settings::for_tests();
        if self == Self::Valkey {
            settings = settings.with("extended-redis-compatibility", "yes");
        }
        Some(Program { name: self.name().into(), path, settings })
    }
}
