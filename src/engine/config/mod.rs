//! Layer 3: the settings.
//!
//! [`table`] says what there is; [`Config`] holds the values. Commands read and change them through [`Config::get`] and
//! [`Config::set`], the start from the command line and the file, everything else through accessors with the settings'
//! names ([`Config::appendfsync`], …). What always holds: a change is made in full or not at all; a setting that is
//! not built never has another value than Redis' default; setting a setting to its present value is always accepted.

mod composite;
mod documentation;
mod file;
mod live;
mod rewrite;
mod setting;
pub mod table;

pub use composite::{BufferLimit, CLIENT_CLASSES, Composite, KeyEvents};
pub use documentation::configuration;
pub use file::{Include, LineError, Reader, Source};
pub use live::{Allowed, AppendFsync, ChannelsOfNewUsers, LogLevel, MaxmemoryPolicy, Shutdown, Supervised};
pub use setting::{Change, Class, Kind, Setting, Value};

use crate::base::glob;
use live::Live;
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The values of all settings.
#[derive(Clone)]
pub struct Config {
    values: Vec<Value>,
    live: Live,
    file: Option<PathBuf>,
    hook: Option<ApplyHook>,
    /// The words of each `user` line.
    users: Vec<Vec<Vec<u8>>>,
    /// The `user` lines that a rewrite states.
    stated_users: Vec<Vec<u8>>,
    /// `rename-command`: what commands are called, and by their own names.
    renamed: Vec<(Vec<u8>, Vec<u8>)>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values hold passwords.
        f.debug_struct("Config").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Applies changed settings to what is outside of the engine, while CONFIG SET waits: gets the new values and the names of
/// what changed. An error names the setting that failed and why; all changes are taken back then.
pub type ApplyHook = Rc<dyn Fn(&Config, &[&'static str]) -> Result<(), (&'static str, String)>>;

/// Why [`Config::set`] changed nothing. The texts are Redis'.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SetError {
    /// There is no such setting.
    #[error("Unknown option or number of arguments for CONFIG SET - '{0}'")]
    Unknown(String),
    /// A value is wrong, or may not be set.
    #[error("CONFIG SET failed (possibly related to argument '{name}') - {reason}")]
    Refused {
        /// The setting as the client wrote it.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

/// What [`Config::set`] changed, and how to take it back.
#[derive(Clone, Debug, Default)]
#[must_use = "changes have to be applied to the running server, or taken back"]
pub struct Changes {
    changed: Vec<Changed>,
}

/// One setting that has another value now.
#[derive(Clone, Debug)]
struct Changed {
    index: usize,
    before: Value,
    after: Value,
}

impl Changes {
    /// The names of the settings whose value is another now.
    pub fn names(&self) -> Vec<&'static str> {
        self.changed.iter().map(|change| table::settings()[change.index].name).collect()
    }

    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// All defaults.
    pub fn new() -> Self {
        let values: Vec<Value> = table::settings().iter().map(|setting| setting.default_value()).collect();
        let live = Live::read(&values);
        let (users, stated_users, renamed) = (Vec::new(), Vec::new(), Vec::new());
        Self { values, live, file: None, hook: None, users, stated_users, renamed }
    }

    /// The file that the settings came from and that CONFIG REWRITE writes.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Names that file.
    pub fn set_file(&mut self, file: PathBuf) {
        self.file = Some(file);
    }

    /// Lets `hook` apply what [`Config::set`] changes.
    pub fn on_change(&mut self, hook: ApplyHook) {
        self.hook = Some(hook);
    }

    /// A value as CONFIG GET shows it.
    pub fn show(&self, name: &str) -> Option<Vec<u8>> {
        let index = table::index_of(name.as_bytes())?;
        Some(table::settings()[index].show(&self.values[index]))
    }

    /// Name and value of every setting that one of the patterns means. A name without wildcards finds hidden settings
    /// too, and is answered as it was written.
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut add = |name: &[u8], index: usize| {
            if !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                found.push((name.to_vec(), table::settings()[index].show(&self.values[index])));
            }
        };
        for pattern in patterns {
            if !pattern.iter().any(|byte| b"[*?".contains(byte)) {
                if let Some(index) = table::index_of(pattern) {
                    add(pattern, index);
                }
                continue;
            }
            for (index, setting) in table::settings().iter().enumerate().filter(|(_, setting)| !setting.hidden) {
                for name in setting.names() {
                    if glob::matches_ignoring_case(pattern, name.as_bytes()) {
                        add(name.as_bytes(), index);
                    }
                }
            }
        }
        found
    }

    /// Changes settings of the running server: all of them, or none. `protected` says whether the connection may change
    /// settings that name files.
    pub fn set(&mut self, pairs: &[(&[u8], &[u8])], protected: bool) -> Result<Changes, SetError> {
        let mut indices = Vec::with_capacity(pairs.len());
        for (at, (name, text)) in pairs.iter().enumerate() {
            let index = table::index_of(name).ok_or_else(|| SetError::Unknown(lossy(name)))?;
            // As the client wrote the name: Redis looks at values, and at its own spelling, only after this.
            let refused = |reason: String| SetError::Refused { name: lossy(name), reason };
            if let Some(reason) = self.forbids(index, text, protected) {
                return Err(refused(reason));
            }
            if pairs[..at].iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(name)) {
                return Err(refused("duplicate parameter".into()));
            }
            indices.push(index);
        }
        let mut changed = self.values.clone();
        for ((name, text), index) in pairs.iter().zip(indices) {
            let setting = table::settings()[index];
            let refused = |reason: String| SetError::Refused { name: lossy(name).to_ascii_lowercase(), reason };
            let value = setting.read(&changed[index], text).map_err(refused)?;
            if value != self.values[index] && lacks(setting, &value) {
                return Err(refused("ackd does not have what this setting asks for yet".into()));
            }
            changed[index] = value;
        }
        let previous = std::mem::replace(&mut self.values, changed);
        let changes =
            previous.into_iter().zip(&self.values).enumerate().filter(|(_, (before, after))| before != *after);
        let changes = changes.map(|(index, (before, after))| Changed { index, before, after: after.clone() });
        let changes = Changes { changed: changes.collect() };
        self.live = Live::read(&self.values);
        if let Err((name, reason)) = self.apply(&changes.names()) {
            self.roll_back(changes);
            return Err(SetError::Refused { name: name.into(), reason });
        }
        Ok(changes)
    }

    fn apply(&self, names: &[&'static str]) -> Result<(), (&'static str, String)> {
        match &self.hook {
            Some(hook) if !names.is_empty() => hook(self, names),
            _ => Ok(()),
        }
    }

    /// Takes changes back, inside and outside of the engine. What was changed again since then stays.
    pub fn roll_back(&mut self, changes: Changes) {
        let names = changes.names();
        for Changed { index, before, after } in changes.changed {
            if self.values[index] == after {
                self.values[index] = before;
            }
        }
        self.live = Live::read(&self.values);
        if let Err((name, reason)) = self.apply(&names) {
            tracing::warn!("{name} has its value back, but not its effect: {reason}");
        }
    }

    /// Why a setting may not be changed at run time, unless it keeps its value.
    fn forbids(&self, index: usize, text: &[u8], protected: bool) -> Option<String> {
        let setting = table::settings()[index];
        let reason = match setting.change {
            Change::Anytime => return None,
            Change::Protected if protected => return None,
            Change::Protected => "can't set protected config",
            Change::AtStart => "can't set immutable config",
        };
        let stays = setting.read(&self.values[index], text).is_ok_and(|value| value == self.values[index]);
        (!stays).then(|| reason.into())
    }

    /// Makes `dir` absolute, as CONFIG GET shows it; relative to where the server was started.
    pub fn resolve_dir(&mut self, started_in: &Path) {
        let absolute: PathBuf = started_in.join(self.dir()).components().collect();
        if let (Some(index), Some(text)) = (table::index_of(b"dir"), absolute.to_str()) {
            self.values[index] = Value::Text(text.into());
            self.live = Live::read(&self.values);
        }
    }

    /// `bind`: addresses, one with a leading `-` if it may be missing.
    pub fn bind(&self) -> impl Iterator<Item = &str> {
        self.live.bind.iter().map(String::as_str)
    }

    /// `requirepass`; empty for no password.
    #[inline]
    pub fn requirepass(&self) -> &[u8] {
        &self.live.requirepass
    }

    /// The words behind `user` of each such line.
    pub fn users(&self) -> &[Vec<Vec<u8>>] {
        &self.users
    }

    /// Lets a rewrite state these `user` lines.
    pub fn state_users(&mut self, lines: Vec<Vec<u8>>) {
        self.stated_users = lines;
    }

    /// `rename-command`: the names of commands and what they are called; nothing for those that are not there.
    pub fn renamed(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.renamed
    }

    /// Whether new users may use every channel.
    pub fn new_users_have_all_channels(&self) -> bool {
        self.acl_pubsub_default() == ChannelsOfNewUsers::All
    }

    /// `maxmemory-clients` in bytes, if there is a limit.
    #[inline]
    pub fn maxmemory_clients(&self) -> Option<u64> {
        let limit = match self.maxmemory_clients_setting() {
            percent @ ..0 => (u128::from(self.maxmemory()) * u128::from(percent.unsigned_abs()) / 100) as u64,
            bytes => bytes as u64,
        };
        (limit != 0).then_some(limit)
    }

    /// `notify-keyspace-events`.
    #[inline]
    pub fn key_events(&self) -> KeyEvents {
        self.live.key_events
    }

    /// From how many microseconds on a command concerns the slow log or the latency monitor.
    #[inline]
    pub fn slow_from_us(&self) -> u64 {
        self.live.slow_from_us
    }

    /// Whether a setting has a value that is not for everybody's eyes.
    pub fn is_secret(name: &[u8]) -> bool {
        table::index_of(name).is_some_and(|index| table::settings()[index].secret)
    }

    /// The output buffer limits by [`CLIENT_CLASSES`].
    #[inline]
    pub fn output_buffer_limits(&self) -> [BufferLimit; 3] {
        self.live.output_buffer_limits
    }

    /// `save`: pairs of seconds and changes.
    pub fn save_points(&self) -> Vec<(u64, u64)> {
        let text = self.show("save").unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
    }

    /// What an operator should hear about the value of a setting, if anything.
    pub fn warning(&self, name: &str) -> Option<String> {
        let index = table::index_of(name.as_bytes())?;
        let setting = table::settings()[index];
        let shown = || if setting.secret { "(secret)".into() } else { lossy(&setting.show(&self.values[index])) };
        match setting.name {
            "appendfsync" if self.appendfsync() != AppendFsync::Always => Some(format!(
                "appendfsync is {}: an acknowledged write survives the death of the process, but not always the loss of power",
                shown()
            )),
            "appendonly" if !self.appendonly() => {
                Some("appendonly is no: that is kept, but ackd writes its log all the same".into())
            }
            _ if setting.class == Class::Remembered && self.values[index] != setting.redis_default_value() => {
                Some(format!("{} is {}: that is kept, but has no effect in ackd", setting.name, shown()))
            }
            _ => None,
        }
    }

    /// The warnings of all settings but `appendfsync`: at the start, the server itself names the durability level.
    pub fn warnings(&self) -> Vec<String> {
        let others = table::settings().iter().filter(|setting| setting.name != "appendfsync");
        others.filter_map(|setting| self.warning(setting.name)).collect()
    }
}

/// Whether a value asks for something that is not built.
fn lacks(setting: &Setting, value: &Value) -> bool {
    setting.class == Class::NotBuilt && *value != setting.redis_default_value()
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests;
