//! Raw bytes: inline commands, protocol errors, CLIENT REPLY, authentication. Each goes to a connection of its own,
//! which ends with QUIT, with what the server does about the error, or with the end of the bytes.

use super::super::super::support::client::encode;
use super::super::accepted::Against;
use super::super::step::Arg;
use super::{Generator, PASSWORD, born_expired};

const QUIT: &[u8] = b"*1\r\n$4\r\nQUIT\r\n";

/// The longest inline command, and the longest count, that Redis reads.
const INLINE_LIMIT: usize = 64 * 1024;

const BAD: &[&[u8]] = &[
    b"*x\r\n",
    b"*1048577\r\n",
    b"*2147483648\r\n",
    b"*99999999999999999999\r\n",
    b"*1\r\n:1\r\n",
    b"*1\r\nPING\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$-5\r\n",
    b"*1\r\n$x\r\n",
    b"*1\r\n$\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$9223372036854775808\r\n",
    b"*2\r\n$3\r\nGET\r\n+k0\r\n",
    b"*1\r\n\r\n",
    b"set k0 \"unbalanced\r\n",
    b"set k0 'unbalanced\r\n",
    b"set k0 \"a\"b\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"Host: localhost\r\n",
    b"get k0\r\nHost: x\r\nget k0\r\n",
    b"*\r\n",
    b"*+1\r\n$4\r\nPING\r\n",
    b"* 1\r\n$4\r\nPING\r\n",
    b"*01\r\n$4\r\nPING\r\n",
    b"*1\r\n$04\r\nPING\r\n",
];

const FINE: &[&[u8]] = &[
    b"PING\r\n",
    b"ping\n",
    b"  ping  \r\n",
    b"\r\n\r\nPING\r\n",
    b"*0\r\nPING\r\n",
    b"*-1\r\nPING\r\n",
    b"set k0 \"a\\x00\\n\\\"b\"\r\nget k0\r\n",
    b"set k0 'a\\'b \\n'\r\nget k0\r\n",
    b"set \"\" ''\r\nget \"\"\r\n",
    b"echo \"\\xzz\\q\"\r\n",
    b"get k0 k1 k2\r\n",
    b"nosuchcommand \"with\\r\\nnewline\" and more\r\n",
    b"nosuchcommand\r\n",
    b"*1\r\n$0\r\n\r\n",
    b"*2\r\n$4\r\nPING\r\n$5\r\nhello\r\n",
    b"CLIENT REPLY OFF\r\nSET k0 quiet\r\nGET k0\r\nCLIENT REPLY ON\r\nGET k0\r\n",
    b"CLIENT REPLY SKIP\r\nSET k1 quiet\r\nGET k1\r\n",
    b"CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nGET k1\r\nGET k1\r\n",
    b"CLIENT REPLY OFF\r\nGET k1\r\nCLIENT REPLY SKIP\r\nGET k1\r\nCLIENT REPLY ON\r\nGET k1\r\n",
    b"CLIENT REPLY SKIP\r\nMULTI\r\nSET k2 x\r\nEXEC\r\n",
    b"CLIENT REPLY OFF\r\nNOSUCHCOMMAND\r\nRESET\r\nPING\r\n",
    b"CLIENT REPLY OFF\r\nWAIT 0 0\r\nCLIENT REPLY ON\r\nWAIT 0 0\r\n",
    b"CLIENT REPLY SKIP\r\nRESET\r\nPING\r\n",
    // What these leave out of an array comes behind it, so that whoever reads the bytes finds replies in them.
    b"MULTI\r\nGET k0\r\nCLIENT REPLY SKIP\r\nGET k1\r\nEXEC\r\nGET k0\r\nGET k1\r\n",
    b"MULTI\r\nGET k0\r\nCLIENT REPLY OFF\r\nGET k1\r\nEXEC\r\nGET k0\r\nCLIENT REPLY ON\r\nPING\r\n",
    b"MULTI\r\nCLIENT REPLY OFF\r\nGET k1\r\nCLIENT REPLY ON\r\nGET k0\r\nEXEC\r\nPING\r\nPING\r\n",
    b"MULTI\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\nEXEC\r\nPING\r\nGET k0\r\n",
    b"CLIENT REPLY OFF\r\nMULTI\r\nGET k0\r\nCLIENT REPLY ON\r\nGET k1\r\nEXEC\r\nPING\r\n",
    b"CLIENT REPLY SKIP\r\nMULTI\r\nCLIENT REPLY SKIP\r\nEXEC\r\nPING\r\nPING\r\n",
    b"CLIENT REPLY MAYBE\r\nPING\r\n",
    b"MULTI\r\nSET k3 1\r\nQUIT\r\n",
    b"QUIT now\r\n",
    b"MULTI\r\nRESET\r\nGET k3\r\nEXEC\r\n",
    b"HELLO 3\r\nGET nokey\r\nRESET\r\nGET nokey\r\n",
    b"HELLO 3\r\nMULTI\r\nGET nokey\r\nEXEC\r\nWATCH k0\r\nSET k0 x\r\nMULTI\r\nEXEC\r\n",
];

/// Asked only of Redis 7.0: Valkey 8.1 insists on CRLF after a bulk, Redis skips two bytes.
const FINE_IN_REDIS: &[u8] = b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n";
/// Asked only of Valkey: since 7.2, a push that a command causes follows its reply.
const FINE_SINCE_7_2: &[u8] = b"DEBUG PROTOCOL push\r\nHELLO 3\r\nDEBUG PROTOCOL push\r\nPING\r\n";

impl Generator {
    pub(super) fn protocol(&mut self) {
        let mut bytes = Vec::new();
        for _ in 0..self.rng.usize(0..4) {
            if self.percent(50) {
                bytes.extend_from_slice(self.pick(FINE));
            } else if self.percent(10) {
                let only = if self.against == Against::Redis7 { FINE_IN_REDIS } else { FINE_SINCE_7_2 };
                bytes.extend_from_slice(only);
            } else {
                let line = self.string_command();
                let argv: Vec<Arg> = line.iter().cloned().map(Arg::Bytes).collect();
                if !self.is_not_asked(self.current, &line) && born_expired(&argv).is_none() {
                    bytes.extend_from_slice(&encode(&line));
                }
            }
        }
        match self.rng.u32(0..10) {
            0..=4 => bytes.extend_from_slice(self.pick(BAD)),
            5 => {
                // Longer than the limits of an inline command and of a count.
                let start = self.pick(&[&b""[..], b"*", b"*1\r\n$"]);
                bytes.extend_from_slice(start);
                // One byte more than the limit, and nothing behind it: what the server leaves unread when it closes
                // may cost us its last reply.
                let digits = INLINE_LIMIT + 1 - if start == b"*" { 1 } else { 0 };
                bytes.resize(bytes.len() + digits, b'1');
                self.steps.push(super::Step::Raw { bytes });
                return;
            }
            _ => bytes.extend_from_slice(self.pick(FINE)),
        }
        bytes.extend_from_slice(QUIT);
        self.steps.push(super::Step::Raw { bytes });
    }

    /// What a client does while a password is set.
    pub(super) fn authentication(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let lines: Vec<Vec<&str>> = vec![
            vec!["AUTH", PASSWORD],
            vec!["AUTH", "default", PASSWORD],
            vec!["AUTH", "wrong"],
            vec!["AUTH", "nobody", PASSWORD],
            vec!["AUTH"],
            vec!["AUTH", "a", "b", "c"],
            vec!["GET", "k0"],
            vec!["PING"],
            vec!["HELLO"],
            vec!["HELLO", "3", "AUTH", "default", "wrong"],
            vec!["HELLO", "9"],
            vec!["NOSUCHCOMMAND"],
            vec!["GET"],
            vec!["MULTI"],
            vec!["EXEC"],
            vec!["RESET"],
            vec!["CLIENT", "SETNAME", "x"],
            vec!["COMMAND", "COUNT", "x"],
        ];
        for _ in 0..self.rng.usize(1..6) {
            let line = self.pick(&lines);
            // Inside MULTI, Valkey refuses MULTI otherwise than Redis does, and HELLO would stand among EXEC's replies, where
            // it is not recognised.
            if !matches!(line[..], ["MULTI"] | ["HELLO"]) || !bytes.windows(5).any(|word| word == b"MULTI") {
                bytes.extend_from_slice(&encode(&line));
            }
        }
        // Behind a RESET in the same packet they may be read with the rights from before.
        if self.percent(10) && !bytes.windows(5).any(|word| word == b"RESET") {
            bytes.extend_from_slice(self.pick(&[&b"*11\r\n"[..], b"*1\r\n$16385\r\n", b"*10\r\n$1\r\nx\r\n"]));
        }
        bytes.extend_from_slice(QUIT);
        bytes
    }
}
