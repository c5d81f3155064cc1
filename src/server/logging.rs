//! The server's own log, in the shape that people and scripts know from Redis: `pid:M date mark message`.

use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::time::{ClockId, clock_gettime};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use crate::engine::config::LogLevel;

/// Changes the level of a log that runs.
pub struct Logging {
    set_level: Box<dyn Fn(LevelFilter)>,
}

impl Logging {
    /// Starts logging to `file`, or to standard output if it is empty.
    pub fn start(file: &str, level: LogLevel) -> io::Result<Self> {
        let target = Target::open(file)?;
        let (filter, handle) = reload::Layer::new(filter(level));
        let layer = tracing_subscriber::fmt::layer().event_format(RedisLike).with_writer(target);
        // A second start in one process (tests) keeps the first.
        let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
        Ok(Self {
            set_level: Box::new(move |level| {
                let _ = handle.modify(|filter| *filter = level);
            }),
        })
    }

    /// Sets the level.
    pub fn set_level(&self, level: LogLevel) {
        (self.set_level)(filter(level));
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::TRACE,
        LogLevel::Verbose => LevelFilter::DEBUG,
        LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Nothing => LevelFilter::OFF,
    }
}

enum Target {
    StandardOutput,
    File(LogFile),
}

impl Target {
    fn open(file: &str) -> io::Result<Self> {
        if file.is_empty() { Ok(Self::StandardOutput) } else { LogFile::open(Path::new(file)).map(Self::File) }
    }
}

impl<'a> MakeWriter<'a> for Target {
    type Writer = Box<dyn io::Write + 'a>;

    fn make_writer(&'a self) -> Self::Writer {
        match self {
            Self::StandardOutput => Box::new(io::stdout()),
            Self::File(file) => Box::new(file.writer()),
        }
    }
}

/// The file that has the name now: who rotates logs moves it away, or removes it, and expects that the next line goes to
/// a new one, as Redis opens the file for each line.
struct LogFile {
    path: PathBuf,
    file: Mutex<File>,
}

impl LogFile {
    fn open(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let file = Mutex::new(append_to(&path)?);
        Ok(Self { path, file })
    }

    /// The file for one line. If there can be no new one, the old one goes on.
    fn writer(&self) -> LogWriter<'_> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if !has_name(&file, &self.path)
            && let Ok(new) = append_to(&self.path)
        {
            *file = new;
        }
        LogWriter(file)
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn has_name(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(named)) = (file.metadata(), std::fs::metadata(path)) else { return false };
    (open.dev(), open.ino()) == (named.dev(), named.ino())
}

struct LogWriter<'a>(MutexGuard<'a, File>);

impl io::Write for LogWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

struct RedisLike;

impl<S, N> FormatEvent<S, N> for RedisLike
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mark = match *event.metadata().level() {
            Level::ERROR | Level::WARN => '#',
            Level::INFO => '*',
            Level::DEBUG => '-',
            Level::TRACE => '.',
        };
        write!(writer, "{}:M ", std::process::id())?;
        write_time(&mut writer)?;
        write!(writer, " {mark} ")?;
        let mut line = Line { message: String::new(), fields: String::new() };
        event.record(&mut line);
        writeln!(writer, "{}{}", line.message, line.fields)
    }
}

/// `24 Nov 2026 17:03:59.123`, in UTC.
fn write_time(writer: &mut Writer<'_>) -> fmt::Result {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let now = clock_gettime(ClockId::Realtime);
    let (year, month, day) = civil_date(now.tv_sec.div_euclid(86_400));
    let second = now.tv_sec.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let month = MONTHS[month - 1];
    write!(writer, "{day:02} {month} {year} {hour:02}:{minute:02}:{second:02}.{:03}", now.tv_nsec / 1_000_000)
}

/// The date of a day counted from 1970-01-01, by Howard Hinnant's `civil_from_days`.
fn civil_date(days: i64) -> (i64, usize, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, usize::try_from(month).expect("a month is from 1 to 12"), day)
}

struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let result = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
        result.expect("writing to a String cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn after_a_rotation_the_log_goes_to_the_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, rotated) = (folder.path().join("log"), folder.path().join("log.1"));
        let log = LogFile::open(&path).unwrap();
        log.writer().write_all(b"one\n").unwrap();
        std::fs::rename(&path, &rotated).unwrap();
        log.writer().write_all(b"two\n").unwrap();
        log.writer().write_all(b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(&rotated).unwrap(), "one\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\nthree\n");
    }

    #[test]
    fn days_become_dates() {
        assert_eq!(civil_date(0), (1970, 1, 1));
        assert_eq!(civil_date(19_782), (2024, 2, 29));
        assert_eq!(civil_date(20_781), (2026, 11, 24));
    }
}
