//! Keyspace notifications: the same commands to both servers, and what a listener hears of each.

use ackd::command::spec;
use ackd::command::table;

use super::super::support::client::{Client, encode};
use super::super::support::process::Server;
use super::accepted::Against;
use super::generate;
use super::step::{Arg, Step};

/// All classes but evictions: with those, too, Redis shows "new keys" no more.
const CLASSES: &str = "g$lshzxtdmnKE";

/// Steps of a session.
const LENGTH: usize = 150;

/// Commands whose outcome is chance, or that would leave the session.
const LEFT_OUT: &[&str] =
    &["spop", "reset", "quit", "hello", "auth", "shutdown", "swapdb", "sort", "sort_ro", "migrate"];

struct Side {
    speaker: Client,
    listener: Client,
}

impl Side {
    fn new(server: &Server) -> Self {
        let mut speaker = server.client();
        for line in ["RESET", "FLUSHALL", "DEBUG SET-ACTIVE-EXPIRE 0"] {
            speaker.command(line);
        }
        speaker.command(&format!("CONFIG SET notify-keyspace-events {CLASSES}"));
        let mut listener = server.client();
        listener.send(&encode(&["PSUBSCRIBE", "__key*"])).expect("the listener speaks");
        listener.receive().expect("it listens");
        Self { speaker, listener }
    }

    /// What the listener hears of a command: channel and message.
    fn events_of(&mut self, words: &[Vec<u8>]) -> (String, Vec<String>) {
        let reply = self.speaker.call(words).expect("a reply").value;
        self.listener.send(&encode(&["PING", "that is all"])).expect("the listener speaks");
        let mut heard = Vec::new();
        loop {
            let message = self.listener.receive().expect("a message").value;
            let parts = message.elements().unwrap_or_default();
            match parts {
                [_, _, channel, text] => heard.push(format!("{channel} {text}")),
                _ => break,
            }
        }
        if reply.is_error() {
            // What a command looks at before it finds its mistake is told to nobody else.
            heard.retain(|line| !line.contains("keymiss"));
        }
        (reply.to_string(), heard)
    }
}

/// Gives `commands` commands to both and compares what is heard.
pub fn compare(oracle: &Server, tested: &Server, against: Against, seed: u64, commands: u64) {
    let (mut done, mut events, mut sessions, mut given_up) = (0, 0, 0, 0);
    for seed in seed.. {
        let (mut theirs, mut ours) = (Side::new(oracle), Side::new(tested));
        let mut before = Vec::new();
        sessions += 1;
        for words in generate::session(against, seed, LENGTH).into_iter().filter_map(plain) {
            let ((reply, expected), (own_reply, heard)) = (theirs.events_of(&words), ours.events_of(&words));
            let shown = words.iter().map(|word| word[..word.len().min(30)].escape_ascii().to_string());
            let shown = shown.take(12).collect::<Vec<_>>().join(" ");
            before.push(shown.clone());
            let tail = before[before.len().saturating_sub(12)..].join("\n  ");
            let expired = |heard: &[String]| heard.iter().any(|line| line.contains("expired"));
            if heard != expected && (own_reply != reply || expired(&heard) != expired(&expected)) {
                // A key that lives for a millisecond was there for one of them only.
                given_up += 1;
                break;
            }
            assert_eq!(
                heard, expected,
                "seed {seed}: {shown}\nanswered {own_reply}, by the oracle {reply}; heard of ours, of theirs; before:\n  {tail}"
            );
            events += heard.len() as u64;
            done += 1;
        }
        if done >= commands {
            break;
        }
    }
    println!("{events} events of {done} commands in {sessions} sessions are equal; {given_up} sessions were given up");
    assert!(given_up * 5 <= sessions, "{given_up} of {sessions} sessions were given up");
    assert!(events > done / 4, "{events} events of {done} commands prove little");
}

/// The words of a step that is one command on keys and has one outcome.
fn plain(step: Step) -> Option<Vec<Vec<u8>>> {
    let Step::Command { argv, .. } = step else { return None };
    let words: Vec<Vec<u8>> = argv
        .into_iter()
        .map(|arg| match arg {
            Arg::Bytes(bytes) => Some(bytes),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let slices: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let row = table::resolve(&slices)?;
    let is_on_keys = !row.spec.keys.is_empty() || row.spec.key_finder.is_some();
    let is_plain = is_on_keys && !row.spec.flags.has(spec::BLOCKING) && !row.spec.flags.has(spec::PUBSUB);
    // A value that has expired when it is set is not set at all here, nor in later versions of Redis.
    let has_time = slices.iter().any(|word| word.eq_ignore_ascii_case(b"EXAT") || word.eq_ignore_ascii_case(b"PXAT"));
    (is_plain && !has_time && !dies_soon(&slices) && !LEFT_OUT.contains(&row.spec.name)).then_some(words)
}

/// Whether a key gets a time to live so short that the two servers may not see it alike.
fn dies_soon(words: &[&[u8]]) -> bool {
    let times: [(&[u8], usize); 3] = [(b"PX", 1), (b"PEXPIRE", 2), (b"PSETEX", 2)];
    let milliseconds = |at: usize| words.get(at).and_then(|word| std::str::from_utf8(word).ok()?.parse::<i64>().ok());
    words.iter().enumerate().any(|(at, word)| {
        let time = times.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
        time.and_then(|(_, distance)| milliseconds(at + distance)).is_some_and(|time| (1..1000).contains(&time))
    })
}
