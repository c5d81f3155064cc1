//! A campaign's report: as text, as JSON, and as a page.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::campaign::Part;

/// What came of a campaign.
#[derive(Clone, Debug)]
pub struct Report {
    /// The server's command line.
    pub server: String,
    /// The seed, by which a campaign is repeated as far as a server and its threads allow.
    pub seed: u64,
    /// Clients, and what they did.
    pub load: String,
    /// What is promised.
    pub promise: String,
    /// Each fault.
    pub parts: Vec<Part>,
}

impl Report {
    /// True when no promise was broken.
    pub fn is_sound(&self) -> bool {
        self.parts.iter().all(|part| part.broken == 0)
    }

    /// True when some fault could not be tried.
    pub fn is_incomplete(&self) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|part| part.is_incomplete())
    }

    /// For a terminal.
    pub fn as_text(&self) -> String {
        let mut text = format!(
            "server   {}\nload     {}\nseed     {}\npromise  {}\n\n",
            self.server, self.load, self.seed, self.promise
        );
        let head = ["fault", "rounds", "acked", "judged", "outcome"];
        let _ = writeln!(text, "{:<10} {:>7} {:>9} {:>7}  {}", head[0], head[1], head[2], head[3], head[4]);
        for part in &self.parts {
            let outcome = outcome(part);
            let _ =
                writeln!(text, "{:<10} {:>7} {:>9} {:>7}  {outcome}", part.fault, part.rounds, part.acked, part.judged);
        }
        for part in self.parts.iter().filter(|part| part.broken > 0) {
            let _ = writeln!(text, "\n{}: the promise was broken {} times; the first time:", part.fault, part.broken);
            for line in &part.first {
                let _ = writeln!(text, "  {}", shortened(line));
            }
            for (file, _) in &part.cases {
                let _ = writeln!(text, "  see it again: ackd torture --replay {}", file.display());
            }
        }
        for part in &self.parts {
            for remark in part.remarks.iter().chain(&part.untested) {
                let _ = writeln!(text, "\n{}: {remark}", part.fault);
            }
        }
        let _ = writeln!(text, "\n{}", self.verdict());
        text
    }

    /// All of it in a sentence.
    pub fn verdict(&self) -> &'static str {
        match (self.is_sound(), self.is_incomplete()) {
            (false, _) => "BROKEN: something that was promised was not kept",
            (true, true) => "nothing was lost, but not everything was tried",
            (true, false) => "nothing was lost",
        }
    }

    /// For programs.
    pub fn as_json(&self) -> Value {
        let part = |part: &Part| {
            json!({
                "fault": part.fault,
                "rounds": part.rounds,
                "acked": part.acked,
                "refused_operations": part.refused_operations,
                "states": part.states,
                "distinct": part.distinct,
                "of_recoveries": part.of_recoveries,
                "judged": part.judged,
                "struck": part.struck,
                "missed": part.missed,
                "unnamed": part.unnamed,
                "outcomes": part.outcomes,
                "broken": part.broken,
                "oldest_lost_ms": part.oldest_lost_ms,
                "cases": part.cases.iter().map(|(file, lines)| {
                    json!({ "file": file.display().to_string(), "findings": lines })
                }).collect::<Vec<_>>(),
                "first": part.first,
                "remarks": part.remarks,
                "skipped": part.skipped,
                "untested": part.untested,
                "seconds": part.seconds,
            })
        };
        json!({
            "server": self.server,
            "seed": self.seed,
            "load": self.load,
            "promise": self.promise,
            "sound": self.is_sound(),
            "incomplete": self.is_incomplete(),
            "faults": self.parts.iter().map(part).collect::<Vec<_>>(),
        })
    }

    /// For a browser.
    pub fn as_page(&self) -> String {
        super::page::of_report(self)
    }
}

/// What the starts led to, in words.
pub fn outcome(part: &Part) -> String {
    if let Some(why) = &part.skipped {
        return format!("NOT TRIED: {why}");
    }
    let mut words: Vec<String> =
        part.outcomes.iter().filter(|(_, count)| **count > 0).map(|(name, count)| format!("{count} {name}")).collect();
    if part.states > 0 {
        words.push(format!("of {} states built {} differ", part.states, part.distinct));
    }
    if part.of_recoveries > 0 {
        words.push(format!("{} of those tried were left by a second power cut", part.of_recoveries));
    }
    if part.struck > 0 {
        words.push(format!("struck {} times", part.struck));
    }
    if part.missed > 0 {
        words.push(format!("not in {} rounds", part.missed));
    }
    if part.unnamed > 0 {
        words.push(format!("{} refusals without the name of the damaged file", part.unnamed));
    }
    if part.refused_operations > 0 {
        words.push(format!("{} operations refused", part.refused_operations));
    }
    if let Some(oldest) = part.oldest_lost_ms {
        words.push(format!("lost acks up to {oldest} ms old"));
    }
    words.join(", ")
}

/// What servers print can be long; why they end stands at the end of it.
fn shortened(line: &str) -> String {
    const HEAD: usize = 120;
    const TAIL: usize = 480;
    let letters: Vec<char> = line.chars().collect();
    if letters.len() <= HEAD + TAIL {
        return line.to_owned();
    }
    let text = |part: &[char]| part.iter().collect::<String>();
    format!("{} … {}", text(&letters[..HEAD]), text(&letters[letters.len() - TAIL..]))
}
