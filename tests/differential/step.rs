//! What a session consists of, and how a step is shown to a person: as lines for redis-cli.

use std::fmt::Write as _;

/// An argument; those that name a connection differ between the servers and are filled in when they are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    Bytes(Vec<u8>),
    /// The client id of the session's n-th connection.
    ClientId(usize),
    /// The address of the session's n-th connection, as the server sees it.
    ClientAddress(usize),
    /// The server's own address.
    ServerAddress,
}

impl From<Vec<u8>> for Arg {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

/// One thing done to both servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A command on one of the session's connections.
    Command { connection: usize, argv: Vec<Arg> },
    /// Raw bytes on a connection of their own, which is then read until the server closes it.
    Raw { bytes: Vec<u8> },
    /// A whole SCAN iteration; what it returned altogether is compared as a set.
    Scan { connection: usize, options: Vec<Vec<u8>> },
    /// Some connections wait for something while others do what stands there, the last of which ends every wait.
    Waiting { waits: Vec<(usize, Vec<Arg>)>, meanwhile: Vec<Step> },
    /// DUMP of `from`, and the payload of the tested server, if it is its `own`, else of the oracle, given to both with RESTORE
    /// to `to`; with the byte so far from its end damaged.
    Carry {
        connection: usize,
        from: Vec<u8>,
        to: Vec<u8>,
        ttl: Vec<u8>,
        options: Vec<Vec<u8>>,
        own: bool,
        damage: Option<usize>,
    },
    /// Time passes, so that what was about to expire has expired.
    Sleep { milliseconds: u64 },
    /// The whole state is compared.
    Dump,
}

/// A command as redis-cli takes it.
pub fn redis_cli(argv: &[Arg]) -> String {
    let mut line = String::new();
    for arg in argv {
        if !line.is_empty() {
            line.push(' ');
        }
        match arg {
            Arg::Bytes(bytes) => line.push_str(&quoted(bytes)),
            Arg::ClientId(n) => {
                let _ = write!(line, "<id of connection {n}>");
            }
            Arg::ClientAddress(n) => {
                let _ = write!(line, "<address of connection {n}>");
            }
            Arg::ServerAddress => line.push_str("<address of the server>"),
        }
    }
    line
}

fn quoted(bytes: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\');
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    if bytes.len() > 200 && bytes.iter().all(|b| *b == bytes[0]) {
        return format!("\"{}\"(x{})", bytes[..1].escape_ascii(), bytes.len());
    }
    let mut text = String::from("\"");
    for &b in bytes {
        match b {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(b as char);
            }
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b if b.is_ascii_graphic() || b == b' ' => text.push(b as char),
            b => {
                let _ = write!(text, "\\x{b:02x}");
            }
        }
    }
    text.push('"');
    text
}

/// A session as a person can type it, one step a line.
pub fn script(steps: &[Step]) -> String {
    let mut out = String::new();
    for step in steps {
        let _ = match step {
            Step::Command { connection, argv } => writeln!(out, "  [{connection}] {}", redis_cli(argv)),
            Step::Raw { bytes } => writeln!(out, "  [raw] \"{}\"", bytes.escape_ascii()),
            Step::Scan { connection, options } => {
                let argv: Vec<Arg> = options.iter().map(|o| Arg::Bytes(o.clone())).collect();
                writeln!(out, "  [{connection}] SCAN 0.. {}", redis_cli(&argv))
            }
            Step::Carry { connection, from, to, ttl, options, own, damage } => {
                let argv: Vec<Arg> = [from, to, ttl].into_iter().chain(options).cloned().map(Arg::Bytes).collect();
                let whose = if *own { "ackd" } else { "the oracle" };
                let damaged = damage.map(|at| format!(", byte {at} from the end damaged")).unwrap_or_default();
                let words = redis_cli(&argv);
                writeln!(
                    out,
                    "  [{connection}] DUMP and RESTORE (from, to, ttl, options) {words}, payload of {whose}{damaged}"
                )
            }
            Step::Waiting { waits, meanwhile } => {
                for (connection, argv) in waits {
                    let _ = writeln!(out, "  [{connection}] {}  (waits)", redis_cli(argv));
                }
                writeln!(out, "{}  (the replies of who waits)", script(meanwhile))
            }
            Step::Sleep { milliseconds } => writeln!(out, "  (wait {milliseconds} ms)"),
            Step::Dump => writeln!(out, "  (compare the whole state)"),
        };
    }
    out
}
