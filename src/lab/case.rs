//! A failure as files: what is needed to see it again.
//!
//! A case is a directory with `case.json`, the files of the server right behind the crash in `data/`, and
//! `report.html`. `ackd torture --replay …/case.json` starts the server on a copy of the files and judges again.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::arena::Arena;
use super::drive::Clock;
use super::fault::Fault;
use super::history::{Cell, History};
use super::judge::{Finding, Judged};
use super::server::{Program, copy};
use super::volume::{Kind, Moment, Tree};

/// The name of the file.
pub const FILE: &str = "case.json";

/// The form of these files.
const FORMAT: u32 = 3;

/// A failure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    /// The form of the file.
    pub format: u32,
    /// The server's command line.
    pub server: Vec<String>,
    /// What is set for it.
    pub environment: Vec<(String, String)>,
    /// The fault's name.
    pub fault: String,
    /// The seed of the run.
    pub seed: u64,
    /// What is wrong.
    pub findings: Vec<String>,
    /// What was done to the files, in words.
    pub damage: Vec<String>,
    /// The moment of the crash.
    pub at: Moment,
    /// What was acked longer ago than this before the crash must be there.
    pub may_lose_ms: u64,
    /// When the crash was, in milliseconds since 1970.
    pub crash_ms: u64,
    /// When the run had ended, in milliseconds since 1970.
    pub end_ms: u64,
    /// What the clients did to the keys concerned.
    pub histories: Vec<History>,
    /// Whether there are files: there are none where replies alone are wrong.
    pub has_files: bool,
}

/// Where the files of a server are.
#[derive(Clone, Copy, Debug)]
pub enum Files<'a> {
    /// There.
    Directory(&'a Path),
    /// In memory.
    Tree(&'a Tree),
}

impl Case {
    /// Of these findings. Histories are cut to what is needed to see them.
    pub fn new(program: &Program, fault: Fault, seed: u64, judged: &Judged, findings: &[Finding], at: Moment) -> Self {
        let mut cells: Vec<Cell> = findings.iter().filter_map(Finding::cell).collect();
        if findings.iter().any(|finding| matches!(finding, Finding::Reordered)) {
            cells = judged.all_cells();
        }
        cells.sort_unstable();
        cells.dedup();
        Self {
            format: FORMAT,
            server: program.words().to_vec(),
            environment: program.environment.clone(),
            fault: fault.name().to_owned(),
            seed,
            findings: findings.iter().map(Finding::to_string).collect(),
            damage: Vec::new(),
            at,
            may_lose_ms: 0,
            crash_ms: judged.crash_ms(at),
            end_ms: super::drive::wall_ms(),
            histories: cells.into_iter().map(|cell| judged.history(cell)).collect(),
            has_files: false,
        }
    }

    /// Writes it, with the files of the server, into a new directory.
    pub fn save(&mut self, directory: &Path, files: Option<Files<'_>>) -> io::Result<PathBuf> {
        std::fs::create_dir_all(directory)?;
        let data = directory.join("data");
        match files {
            Some(Files::Directory(files)) => copy(files, &data)?,
            Some(Files::Tree(tree)) => write_tree(tree, &data)?,
            None => {}
        }
        self.has_files = files.is_some();
        let file = directory.join(FILE);
        std::fs::write(&file, serde_json::to_vec_pretty(self)?)?;
        std::fs::write(directory.join("report.html"), super::page::of_case(self))?;
        Ok(file)
    }

    /// Reads one.
    pub fn load(file: &Path) -> io::Result<Self> {
        let text = std::fs::read(file)?;
        let case: Self = serde_json::from_slice(&text)?;
        if case.format != FORMAT {
            let why = format!("a case of form {}; this ackd knows form {FORMAT}", case.format);
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(case)
    }

    /// Starts the server on the files again, and judges. What the fault allows is no finding.
    pub fn replay(&self, file: &Path) -> io::Result<Vec<Finding>> {
        let fault: Fault = self.fault.parse().map_err(io::Error::other)?;
        let mut program = Program::from_words(self.server.clone()).map_err(io::Error::other)?;
        program.environment = self.environment.clone();
        let initial = self.histories.iter().map(|history| (history.cell, history.initial.clone())).collect();
        let calls = self.histories.iter().flat_map(|history| history.calls.clone()).collect();
        let (judged, mut findings) = Judged::new(initial, calls, self.end_ms, fault.skew_ms());
        if !self.has_files {
            return Ok(findings);
        }
        let arena = if fault.needs_mount() { Arena::mounted(Clock::default().ticks)? } else { Arena::on_disk()? };
        let data = file.parent().unwrap_or(Path::new(".")).join("data");
        arena.fill_from(&data)?;
        match arena.look(&program)? {
            Ok(found) => {
                let may_lose = std::time::Duration::from_millis(self.may_lose_ms);
                findings.extend(judged.crashed_at(self.crash_ms).judge_only(&found, self.at, may_lose));
            }
            Err(finding) => findings.push(finding),
        }
        findings.retain(|finding| !finding.is_allowed_by(fault));
        Ok(findings)
    }
}

fn write_tree(tree: &Tree, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    let mut result = Ok(());
    tree.walk(super::volume::ROOT, "", &mut |path, _, node| {
        let write = || match &node.kind {
            Kind::Directory(_) => std::fs::create_dir_all(to.join(path)),
            Kind::File(content) => std::fs::write(to.join(path), content.to_vec()),
        };
        if result.is_ok() {
            result = write();
        }
    });
    result
}
