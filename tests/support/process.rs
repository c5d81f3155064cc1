//! Server processes for tests: on loopback, in a private directory, killed when dropped. Readiness is a condition
//! (PING is answered), never a guess about time; what the server printed is shown when the test fails.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::Client;
use super::reply::Value;

const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Where ackd writes the port that the system chose for it.
const PORT_FILE: &str = "server.port";
/// Of an oracle: another process may take a free port before the server binds it; then another one is tried.
const PORT_ATTEMPTS: usize = 5;

/// Directives of a configuration file, in Redis' form.
#[derive(Clone, Debug, Default)]
pub struct Settings(Vec<(String, String)>);

impl Settings {
    /// What all servers of the tests start with: no snapshots, no append-only file, DEBUG allowed.
    pub fn for_tests() -> Self {
        Self::default()
            .with("bind", "127.0.0.1")
            .with("appendonly", "no")
            .with("save", "\"\"")
            .with("enable-debug-command", "yes")
    }

    /// Sets a directive; a later value replaces an earlier one.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.retain(|(n, _)| n != name);
        self.0.push((name.into(), value.into()));
        self
    }

    fn text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (name, value)| {
            let _ = writeln!(text, "{name} {value}");
            text
        })
    }
}

/// A server program and its settings.
#[derive(Clone, Debug)]
pub struct Program {
    pub name: String,
    pub path: PathBuf,
    pub settings: Settings,
}

impl Program {
    /// The server of this crate: cargo names it for tests; elsewhere (examples) it is found in the target folder, or
    /// named by `ACKD_BIN`.
    pub fn ackd() -> Self {
        let path = std::env::var_os("ACKD_BIN")
            .map(PathBuf::from)
            .or_else(|| option_env!("CARGO_BIN_EXE_ackd").map(PathBuf::from))
            .or_else(|| {
                let exe = std::env::current_exe().ok()?;
                exe.ancestors().skip(1).map(|dir| dir.join("ackd")).find(|path| path.is_file())
            })
            .expect("the ackd binary: build it first, or name it in ACKD_BIN");
        Self { name: "ackd".into(), path, settings: Settings::for_tests() }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings = self.settings.with(name, value);
        self
    }

    /// Starts the program in a new private directory and waits until it answers.
    pub fn start(&self) -> Server {
        self.start_with(|_| {})
    }

    /// [`Program::start`], after `prepare` has put files into the directory.
    pub fn start_with(&self, prepare: impl FnOnce(&Path)) -> Server {
        self.try_start_with(prepare).unwrap_or_else(|why| panic!("{why}"))
    }

    /// [`Program::start_with`] where the server may refuse to start: then the error tells why, with what it printed.
    pub fn try_start_with(&self, prepare: impl FnOnce(&Path)) -> Result<Server, String> {
        let dir = tempfile::Builder::new().prefix("ackd-test-").tempdir().expect("a temporary directory");
        prepare(dir.path());
        let mut server = Server::new(self.clone(), dir);
        server.try_start()?;
        Ok(server)
    }
}

/// A running server. Dropping it kills the process, also while a panic unwinds.
pub struct Server {
    program: Program,
    dir: TempDir,
    child: Option<Child>,
    port: u16,
}

impl Server {
    fn new(program: Program, dir: TempDir) -> Self {
        Self { program, dir, child: None, port: 0 }
    }

    pub fn name(&self) -> &str {
        &self.program.name
    }

    /// The server's working directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// A new connection; panics with the server's output when there is none.
    pub fn client(&self) -> Client {
        Client::connect(self.address())
            .unwrap_or_else(|e| panic!("connect to {}: {e}\n{}", self.program.name, self.output()))
    }

    /// Changes a setting for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.program = self.program.clone().with(name, value);
    }

    /// Starts the (stopped) server in its directory, and waits until it answers PING.
    pub fn start(&mut self) {
        self.try_start().unwrap_or_else(|why| panic!("{why}"));
    }

    /// [`Server::start`] where the server may refuse it: then the error tells why, with what it printed.
    pub fn try_start(&mut self) -> Result<(), String> {
        assert!(self.child.is_none(), "the server runs already");
        for attempt in 1.. {
            // ackd is known by its port file, which it writes anew.
            let _ = std::fs::remove_file(self.dir.path().join(PORT_FILE));
            self.port = if self.chooses_port() { 0 } else { free_port() };
            self.spawn();
            match self.wait_until_ready() {
                Ok(()) => return Ok(()),
                Err(why) if attempt < PORT_ATTEMPTS && self.output().contains("ddress already in use") => {
                    eprintln!("{why}; trying another port");
                }
                Err(why) => return Err(format!("{} did not start: {why}\n{}", self.program.name, self.output())),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// The address that a server started in this directory by other means has written down, once it has.
    pub fn written_address(&self) -> Option<SocketAddr> {
        let text = std::fs::read_to_string(self.dir.path().join(PORT_FILE)).ok()?;
        Some((Ipv4Addr::LOCALHOST, text.trim().parse().ok()?).into())
    }

    /// Whether the server is one that lets the system choose its port.
    fn chooses_port(&self) -> bool {
        self.program.name == "ackd"
    }

    fn spawn(&mut self) {
        let config = self.dir.path().join("server.conf");
        let settings = self.program.settings.clone();
        let settings = if self.chooses_port() {
            settings.with("ackd-port-file", &self.dir.path().join(PORT_FILE).display().to_string())
        } else {
            settings.with("port", &self.port.to_string())
        };
        std::fs::write(&config, settings.text()).expect("write the configuration");
        let output = std::fs::File::create(self.output_path()).expect("create the output file");
        let mut command = Command::new(&self.program.path);
        command
            .arg("server.conf")
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("share the output file"))
            .stderr(output);
        // SAFETY: between fork and exec only the async-signal-safe prctl is called.
        unsafe {
            command.pre_exec(|| {
                // A killed test run (no unwinding, no Drop) must not leave servers behind. The signal comes when the
                // thread that starts the server ends, so a server belongs to one test.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        // A script is busy for as long as a process that another test has just forked still has it open.
        let child = loop {
            match command.spawn() {
                Err(e) if e.kind() == ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                spawned => break spawned.unwrap_or_else(|e| panic!("start {}: {e}", self.program.path.display())),
            }
        };
        self.child = Some(child);
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let child = self.child.as_mut().expect("the server was spawned");
            if let Some(status) = child.try_wait().expect("ask for the process") {
                self.child = None;
                return Err(format!("it ended with {status}"));
            }
            if self.port == 0 {
                let text = std::fs::read_to_string(self.dir.path().join(PORT_FILE)).unwrap_or_default();
                self.port = text.parse().unwrap_or(0);
            }
            if self.port != 0 && self.answers() {
                return Ok(());
            }
            if Instant::now() > deadline {
                self.kill();
                return Err(format!("no answer to PING in {START_TIMEOUT:?}"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn answers(&self) -> bool {
        let Ok(mut client) = Client::connect(self.address()) else { return false };
        match client.call(&["PING"]).map(|reply| reply.value) {
            Ok(Value::Simple(_)) => true,
            Ok(Value::Error(text)) => text.starts_with(b"NOAUTH"),
            _ => false,
        }
    }

    /// True while the process lives.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// SIGKILL, and the process is gone when this returns.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.pid()).expect("a pid fits");
        // SAFETY: kill(2) has no memory effects; the pid is that of our own child, which has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "signal {signal} to {pid}");
    }

    /// Waits for the process to end by itself.
    pub fn wait_for_exit(&mut self, timeout: Duration) -> ExitStatus {
        let deadline = Instant::now() + timeout;
        let child = self.child.as_mut().expect("the server runs");
        loop {
            if let Some(status) = child.try_wait().expect("ask for the process") {
                self.child = None;
                return status;
            }
            assert!(Instant::now() < deadline, "{} still runs after {timeout:?}", self.program.name);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn output_path(&self) -> PathBuf {
        self.dir.path().join("server.output")
    }

    /// What the server of the last start wrote to stdout and stderr.
    pub fn output(&self) -> String {
        let bytes = std::fs::read(self.output_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let output = self.output();
            let tail: Vec<&str> = output.lines().rev().take(40).collect();
            eprintln!("--- last output of {} ---", self.program.name);
            for line in tail.iter().rev() {
                eprintln!("{line}");
            }
        }
    }
}

/// A port that was free a moment ago. (Port 0 means "no TCP" to Redis, so it cannot be asked for.)
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind a loopback port");
    listener.local_addr().expect("the bound address").port()
}
