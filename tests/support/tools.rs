//! Running the tools on the data of servers.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value as Json;

use super::client::Client;
use super::process::{Program, Server};

/// What a tool prints, and how it ends.
pub fn tool(name: &str, paths: &[&Path], options: &[&str]) -> Output {
    Command::new(Program::ackd().path).arg(name).args(paths).args(options).output().expect("run ackd")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The tool's JSON and its exit code; panics if it prints something else.
pub fn json(name: &str, paths: &[&Path], options: &[&str]) -> (i32, Json) {
    let output = tool(name, paths, &[options, &["--json"]].concat());
    let code = output.status.code().expect("it is not killed");
    let object = serde_json::from_slice(&output.stdout);
    (code, object.unwrap_or_else(|e| panic!("{e}: {} {}", text(&output.stdout), text(&output.stderr))))
}

/// What a failing tool says; panics if it does not fail with code 1 and one line.
pub fn refusal(name: &str, paths: &[&Path], options: &[&str]) -> String {
    let output = tool(name, paths, options);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let said = text(&output.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

/// The data directory of a server.
pub fn data(server: &Server) -> PathBuf {
    server.dir().join("ackd-data")
}

/// The files of a folder of the data directory, by name.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A figure of INFO.
pub fn info(client: &mut Client, name: &str) -> u64 {
    let all = client.command("INFO").text().expect("text");
    let line = all.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("the figure is there");
    line.trim().parse().expect("a number")
}

/// Ends a server cleanly.
pub fn stop(server: &mut Server) {
    server.signal(libc::SIGTERM);
    assert!(server.wait_for_exit(Duration::from_secs(20)).success());
}

/// Inverts a byte within the first place in the file where `needle` stands; answers the place.
pub fn flip(file: &Path, needle: &[u8]) -> u64 {
    let mut content = std::fs::read(file).unwrap();
    let at = content.windows(needle.len()).position(|window| window == needle).expect("the needle is in the file");
    content[at] ^= 0x20;
    std::fs::write(file, content).unwrap();
    at as u64
}

/// The segment in which `needle` stands.
pub fn segment_with(server: &Server, needle: &[u8]) -> PathBuf {
    let holds = |path: &PathBuf| std::fs::read(path).unwrap().windows(needle.len()).any(|window| window == needle);
    files(&data(server).join("log")).into_iter().find(holds).expect("the needle is in a segment")
}
