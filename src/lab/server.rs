//! The server under test: a process with a port and a directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::client::Client;
use crate::resp::Value;

/// How long a start may take.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a server may take to stop when it is asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Ports that another process took before the server could.
const PORT_ATTEMPTS: usize = 5;

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its words; `{port}` and `{dir}` stand for what changes.
    words: Vec<String>,
    /// Set for it, besides what is set for this process.
    pub environment: Vec<(String, String)>,
}

/// A command line that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It does not tell the server where to listen.
    #[error("the server's command line has no {{port}}: where it stands the lab puts the port to listen on")]
    NoPort,
    /// It does not tell the server where its data are.
    #[error("the server's command line has no {{dir}}: where it stands the lab puts the data directory")]
    NoDirectory,
    /// A quote is not closed.
    #[error("the server's command line ends inside quotes")]
    Quotes,
}

impl Program {
    /// A command line with `{port}` and `{dir}`, in which quotes keep words together.
    pub fn parse(line: &str) -> Result<Self, ProgramError> {
        let words = split(line).ok_or(ProgramError::Quotes)?;
        Self::from_words(words)
    }

    /// The same, of words.
    pub fn from_words(words: Vec<String>) -> Result<Self, ProgramError> {
        let has = |what: &str| words.iter().any(|word| word.contains(what));
        if !has("{port}") {
            return Err(ProgramError::NoPort);
        }
        if !has("{dir}") {
            return Err(ProgramError::NoDirectory);
        }
        Ok(Self { words, environment: Vec::new() })
    }

    /// Its words.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// As it was given.
    pub fn line(&self) -> String {
        self.words.join(" ")
    }

    /// Starts it on a directory and waits until it answers. Its process is told as soon as there is one.
    pub fn start(&self, directory: &Path, log: &Path, pid: &AtomicU32) -> Result<Server, StartError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.start_once(directory, log, pid) {
                Err(StartError::Exited { output, .. }) if attempt < PORT_ATTEMPTS && port_was_taken(&output) => {}
                other => return other,
            }
        }
    }

    fn start_once(&self, directory: &Path, log: &Path, pid: &AtomicU32) -> Result<Server, StartError> {
        let port = free_port().map_err(StartError::Io)?;
        let place = directory.to_string_lossy();
        let mut words =
            self.words.iter().map(|word| word.replace("{port}", &port.to_string()).replace("{dir}", &place));
        let program = words.next().unwrap_or_default();
        let output = OpenOptions::new().create(true).append(true).open(log).map_err(StartError::Io)?;
        let from = output.metadata().map_err(StartError::Io)?.len();
        let mut command = Command::new(&program);
        command.args(words).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdout(output.try_clone().map_err(StartError::Io)?).stderr(output);
        // What the terminal sends to the lab is not meant for the server.
        command.process_group(0);
        die_with_us(&mut command);
        let child = command.spawn().map_err(|error| StartError::Program { program, error })?;
        pid.store(child.id(), Ordering::SeqCst);
        let mut server = Server { child, port, log: log.to_owned(), from };
        let deadline = Instant::now() + START_TIMEOUT;
        let mut pause = Duration::from_millis(1);
        while !server.answers() || !server.is_the_one_that_answers() {
            if let Some(status) = server.child.try_wait().map_err(StartError::Io)? {
                return Err(StartError::Exited { status, output: server.output() });
            }
            if Instant::now() > deadline {
                return Err(StartError::Stuck { output: server.output() });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        Ok(server)
    }
}

/// The server dies when this process does, however it ends.
fn die_with_us(command: &mut Command) {
    let parent = rustix::process::getpid();
    let before_exec = move || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        if rustix::process::getppid() != Some(parent) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(())
    };
    // SAFETY: between fork and exec only two system calls are made.
    unsafe { command.pre_exec(before_exec) };
}

/// Why a server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It cannot be run.
    #[error("cannot run '{program}': {error}")]
    Program {
        /// The program.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// It ended.
    #[error("it ended with {}: {output}", in_words(*status))]
    Exited {
        /// How.
        status: ExitStatus,
        /// What it printed.
        output: String,
    },
    /// It answers nothing.
    #[error("it does not answer within {} seconds: {output}", START_TIMEOUT.as_secs())]
    Stuck {
        /// What it printed.
        output: String,
    },
    /// Something of the lab's own failed.
    #[error("the lab: {0}")]
    Io(io::Error),
}

impl StartError {
    /// True when the server said why it does not serve, and ended by itself. One that was ended by a signal or a panic,
    /// or hangs, found out nothing.
    pub fn is_orderly(&self) -> bool {
        matches!(self, Self::Exited { status, output }
            if !status.success() && !output.is_empty() && ended_in_order(*status, output))
    }

    /// True when it says nothing about the server.
    pub fn is_of_the_lab(&self) -> bool {
        matches!(self, Self::Program { .. } | Self::Io(_))
    }
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
    log: PathBuf,
    /// Where its part of the log begins.
    from: u64,
}

impl Server {
    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new connection.
    pub fn client(&self) -> io::Result<Client> {
        Client::connect(self.port)
    }

    fn answers(&self) -> bool {
        let pong = self.client().and_then(|mut client| client.call(&["PING"]));
        matches!(pong, Ok(Value::Simple(text)) if text == b"PONG")
    }

    /// What INFO tells under a name.
    pub fn info(&self, name: &str) -> Option<String> {
        field(&self.all_info()?, name).map(str::to_owned)
    }

    fn all_info(&self) -> Option<String> {
        self.client().and_then(|mut client| client.call(&["INFO"])).ok()?.text()
    }

    /// Whether it is this server or a child of it, and none that took the port between its choice and its use. One that
    /// does not tell its process is believed.
    fn is_the_one_that_answers(&self) -> bool {
        let Some(info) = self.all_info() else { return false };
        let Some(mut process) = field(&info, "process_id").and_then(|number| number.parse::<u32>().ok()) else {
            return true;
        };
        let mut is_known = false;
        while process != self.child.id() {
            match parent(process) {
                Some(parent) => process = parent,
                // The number may be of another namespace, where a wrapper made one.
                None => return !is_known,
            }
            is_known = true;
        }
        true
    }

    /// `kill -9`, and the end of the process.
    pub fn kill(mut self) -> io::Result<ExitStatus> {
        self.kill_all();
        self.child.wait()
    }

    /// The process and what it has started: a command line may be a wrapper around the server.
    fn kill_all(&mut self) {
        let group = rustix::process::Pid::from_raw(self.child.id() as i32);
        // Whoever is dead already cannot be killed again.
        let _ = group.map(|group| rustix::process::kill_process_group(group, rustix::process::Signal::KILL));
    }

    /// SIGTERM, and the end of the process; a server that does not end is killed and reported.
    pub fn stop(mut self) -> io::Result<Option<ExitStatus>> {
        self.signal(rustix::process::Signal::TERM)?;
        self.wait(STOP_TIMEOUT)
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) -> io::Result<()> {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).ok_or(io::ErrorKind::NotFound)?;
        Ok(rustix::process::kill_process(pid, signal)?)
    }

    /// What it has printed, at most the last lines of it.
    pub fn output(&self) -> String {
        const MOST: u64 = 4 << 10;
        let read = || {
            let mut file = File::open(&self.log)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(self.from.max(length.saturating_sub(MOST))))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            io::Result::Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        read().unwrap_or_else(|error| format!("(its output cannot be read: {error})"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill_all();
        let _ = self.child.wait();
    }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

/// The parent of a process.
fn parent(process: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which may hold anything: state, parent.
    let parent = status.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?;
    (parent != 0).then_some(parent)
}

/// Whether a process ended by itself and as it was meant to end. A panic (101 in Rust) or a signal, also one that a
/// shell tells as 128 and more, is none of that.
pub fn ended_in_order(status: ExitStatus, output: &str) -> bool {
    status.code().is_some_and(|code| code < 128 && code != 101) && !output.contains("panicked at")
}

/// How a process ended, in words.
pub fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".into(),
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn port_was_taken(output: &str) -> bool {
    output.contains("Address already in use") || output.contains("Failed listening")
}

/// Words, between blanks or inside single or double quotes.
fn split(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, blank) if blank.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// Copies a directory with all that is in it.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        } else if kind.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
