//! The verdict on a run: what was answered, and what was found after the crash.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::fault::Fault;
use super::history::{
    Call, Cell, Explained, History, Observation, Reachable, Search, Span, State, Unexplained, Window, in_words,
};
use super::server::StartError;
use super::volume::Moment;

/// The calls of a run, by cell, with all states that they can lead to.
#[derive(Debug)]
pub struct Judged {
    initial: BTreeMap<Cell, State>,
    cells: HashMap<Cell, (Vec<Call>, Reachable)>,
    /// Cells whose replies have no explanation.
    unexplained: HashMap<Cell, Vec<Call>>,
    /// By how much the server's clock may be off.
    skew_ms: u64,
    /// Returns of all operations: tick, wall clock.
    returns: Vec<(Moment, u64)>,
    /// The time of the crash, where the calls do not tell: not all of them are here.
    crash_ms: Option<u64>,
}

/// Something that must not be.
#[derive(Clone, Debug)]
pub enum Finding {
    /// Replies that no order of the operations explains.
    Replies {
        /// The keys concerned.
        cell: Cell,
        /// Why there is none.
        why: Unexplained,
    },
    /// An acked operation is gone.
    Lost {
        /// The keys concerned.
        cell: Cell,
        /// How many acked operations, at most, are not in what was found.
        operations: usize,
        /// How long before the crash the first of them was acked.
        oldest_ms: u64,
        /// When its reply was read.
        from: Moment,
    },
    /// A state that no order of the operations leads to.
    Wrong {
        /// The keys concerned.
        cell: Cell,
    },
    /// Of some keys an operation is there, of others one is lost that had returned before that one began.
    Reordered,
    /// Something that nobody wrote.
    Foreign(String),
    /// It ended by itself, hung, or answered what is no reply, while it was driven.
    Misbehaved(String),
    /// The server ends in order and says why it does not serve.
    Refused(String),
    /// It neither serves nor refuses in order: it crashes or hangs.
    Crashed(String),
}

impl Finding {
    /// A start that came to nothing.
    pub fn of_start(error: &StartError) -> Self {
        if error.is_orderly() { Self::Refused(error.to_string()) } else { Self::Crashed(error.to_string()) }
    }

    /// Whether no server can do better under this fault.
    pub fn is_allowed_by(&self, fault: Fault) -> bool {
        match self {
            Self::Refused(_) => fault.allows_refusal(),
            Self::Lost { .. } => fault.allows_loss(),
            _ => false,
        }
    }

    /// The keys concerned.
    pub fn cell(&self) -> Option<Cell> {
        match self {
            Self::Replies { cell, .. } | Self::Lost { cell, .. } | Self::Wrong { cell } => Some(*cell),
            Self::Reordered | Self::Foreign(_) | Self::Misbehaved(_) | Self::Refused(_) | Self::Crashed(_) => None,
        }
    }

    /// How bad it is: a start is called by the worst that it led to.
    pub fn gravity(&self) -> u8 {
        match self.name() {
            "wrong" | "reordered" => 4,
            "wrong replies" | "misbehaved" | "crashed" => 3,
            "lost" => 2,
            "refused" => 1,
            _ => 0,
        }
    }

    /// What kind it is, in one word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Replies { why: Unexplained::TooMany, .. } => "undecided",
            Self::Replies { .. } => "wrong replies",
            Self::Lost { .. } => "lost",
            Self::Wrong { .. } | Self::Foreign(_) => "wrong",
            Self::Reordered => "reordered",
            Self::Misbehaved(_) => "misbehaved",
            Self::Refused(_) => "refused",
            Self::Crashed(_) => "crashed",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replies { cell, why: Unexplained::TooMany } => {
                write!(f, "keys {{{cell}}}: too many orders to decide whether the replies are right")
            }
            Self::Replies { cell, why: Unexplained::NoOrder { longest, .. } } => {
                write!(f, "keys {{{cell}}}: no order of the operations explains the replies beyond {}", longest.len())
            }
            Self::Lost { cell, operations, oldest_ms, .. } => write!(
                f,
                "keys {{{cell}}}: acked operations are lost: {operations}, the first of them acked {oldest_ms} ms before the crash",
            ),
            Self::Wrong { cell } => {
                write!(f, "keys {{{cell}}}: what is there is nothing that any order of the operations leads to")
            }
            Self::Reordered => {
                write!(f, "an operation is there and one on other keys is lost that had returned before it began")
            }
            Self::Foreign(what) => write!(f, "nobody wrote this: {what}"),
            Self::Misbehaved(how) => write!(f, "while it was driven: {how}"),
            Self::Refused(why) => write!(f, "the server does not serve: {why}"),
            Self::Crashed(why) => write!(f, "the server neither serves nor refuses in order: {why}"),
        }
    }
}

/// A call as a line.
pub fn call_in_words(call: &Call) -> String {
    let commands = call.operation.commands(call.cell);
    let commands: Vec<String> = commands.iter().map(|command| in_words(command)).collect();
    let reply = call.returned.as_ref().map_or("no reply".to_owned(), |(_, value)| {
        let text = value.to_string();
        let cut: String = text.chars().take(120).collect();
        if cut.len() < text.len() { format!("{cut}…") } else { cut }
    });
    format!("{} -> {reply}", commands.join("; "))
}

/// The promise: what was acked longer ago than this is there after a crash.
pub type MayLose = std::time::Duration;

impl Judged {
    /// Searches the orders of all calls, of a server whose clock is off by at most so many milliseconds. What cannot be
    /// explained is a finding, and its cell is not judged further.
    pub fn new(initial: BTreeMap<Cell, State>, calls: Vec<Call>, end_ms: u64, skew_ms: u64) -> (Self, Vec<Finding>) {
        let mut returns: Vec<_> = calls
            .iter()
            .filter_map(|call| call.returned.as_ref())
            .map(|(stamp, _)| (stamp.tick, stamp.wall_ms))
            .collect();
        returns.sort_unstable();
        let mut by_cell: BTreeMap<Cell, Vec<Call>> = initial.keys().map(|cell| (*cell, Vec::new())).collect();
        for call in calls {
            by_cell.entry(call.cell).or_default().push(call);
        }
        let (mut cells, mut unexplained, mut findings) = (HashMap::new(), HashMap::new(), Vec::new());
        let nothing = State::default();
        for (cell, mut calls) in by_cell {
            calls.sort_by_key(|call| call.invoked.tick);
            let from = initial.get(&cell).unwrap_or(&nothing);
            match Search::new(&calls, end_ms, skew_ms).explore(from) {
                Ok(reachable) => {
                    cells.insert(cell, (calls, reachable));
                }
                Err(why) => {
                    unexplained.insert(cell, calls);
                    findings.push(Finding::Replies { cell, why });
                }
            }
        }
        (Self { initial, cells, unexplained, returns, skew_ms, crash_ms: None }, findings)
    }

    /// Of a state that is known, and that nothing has changed since.
    pub fn at_rest(known: BTreeMap<Cell, State>) -> Self {
        Self::new(known, Vec::new(), u64::MAX, 0).0
    }

    /// The same for a crash at this time.
    #[must_use]
    pub fn crashed_at(self, crash_ms: u64) -> Self {
        Self { crash_ms: Some(crash_ms), ..self }
    }

    /// The time of a crash at that moment: that of the last reply before.
    pub fn crash_ms(&self, at: Moment) -> u64 {
        let before = self.returns.partition_point(|(tick, _)| *tick < at);
        self.crash_ms.or(self.returns[..before].last().map(|(_, ms)| *ms)).unwrap_or_default()
    }

    /// All cells that have a history.
    pub fn all_cells(&self) -> Vec<Cell> {
        self.cells.keys().chain(self.unexplained.keys()).copied().collect()
    }

    /// The calls of a cell and the state before them.
    pub fn history(&self, cell: Cell) -> History {
        let explained = self.cells.get(&cell).map(|(calls, _)| calls);
        let calls = explained.or_else(|| self.unexplained.get(&cell)).cloned().unwrap_or_default();
        History { cell, initial: self.initial.get(&cell).cloned().unwrap_or_default(), calls }
    }

    /// Moments at which replies were read.
    pub fn returns(&self) -> impl Iterator<Item = Moment> {
        self.returns.iter().map(|(tick, _)| *tick)
    }

    /// True when the run was so long that something acked must be there though the newest may be lost.
    pub fn is_longer_than(&self, may_lose: MayLose) -> bool {
        let (first, last) = (self.returns.first(), self.returns.last());
        first.zip(last).is_some_and(|((_, from), (_, to))| u128::from(to.saturating_sub(*from)) > may_lose.as_millis())
    }

    /// Everything that was acked at least `may_lose` before this moment had been acked by the moment that is answered.
    fn acked_by(&self, at: Moment, may_lose: MayLose) -> (Moment, u64) {
        let by_then = &self.returns[..self.returns.partition_point(|(tick, _)| *tick < at)];
        let Some((last, _)) = by_then.last().copied() else { return (0, 0) };
        let crash_ms = self.crash_ms(at);
        let until = crash_ms.saturating_sub(may_lose.as_millis() as u64);
        let bound = if may_lose.is_zero() {
            last
        } else {
            by_then.iter().rev().find(|(_, ms)| *ms < until).map_or(0, |(tick, _)| *tick)
        };
        (bound, crash_ms)
    }

    /// Judges what was found after a crash at this moment.
    pub fn judge(&self, found: &Observation, at: Moment, may_lose: MayLose) -> Vec<Finding> {
        let mut findings = self.judge_only(found, at, may_lose);
        // A cell that nobody touched.
        let known = |cell: &Cell| self.cells.contains_key(cell) || self.unexplained.contains_key(cell);
        let strangers = found.cells.keys().filter(|cell| !known(cell));
        findings.extend(strangers.map(|cell| Finding::Wrong { cell: *cell }));
        findings
    }

    /// The same of the cells that are known; others may be there.
    pub fn judge_only(&self, found: &Observation, at: Moment, may_lose: MayLose) -> Vec<Finding> {
        let mut findings: Vec<Finding> = found.foreign.iter().cloned().map(Finding::Foreign).collect();
        let window = found.window.unwrap_or(Window { from_ms: 0, to_ms: u64::MAX }).widened(self.skew_ms);
        let (acked, crash_ms) = self.acked_by(at, may_lose);
        let nothing = State::default();
        for (cell, (calls, reachable)) in &self.cells {
            let state = found.cells.get(cell).unwrap_or(&nothing);
            match reachable.explain(state, window, acked, at) {
                Explained::Whole => {}
                Explained::Never => findings.push(Finding::Wrong { cell: *cell }),
                Explained::Lost { from } => {
                    let lost = calls.iter().filter_map(|call| call.returned.as_ref().map(|(stamp, _)| stamp));
                    let lost: Vec<_> = lost.filter(|stamp| (from..=acked).contains(&stamp.tick)).collect();
                    let oldest = lost.iter().map(|stamp| stamp.wall_ms).min().unwrap_or(crash_ms);
                    findings.push(Finding::Lost {
                        cell: *cell,
                        operations: lost.len(),
                        oldest_ms: crash_ms.saturating_sub(oldest),
                        from,
                    });
                }
            }
        }
        // Whoever loses what is young keeps what is older, whichever keys it is of.
        if findings.is_empty() || findings.iter().all(|finding| matches!(finding, Finding::Lost { .. })) {
            let spans = self.cells.iter().map(|(cell, (_, reachable))| {
                let state = found.cells.get(cell).unwrap_or(&nothing);
                reachable.spans(state, window, at).collect()
            });
            if !Span::have_one_end(&spans.collect::<Vec<_>>()) {
                findings.push(Finding::Reordered);
            }
        }
        findings
    }
}
