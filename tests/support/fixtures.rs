//! The files in `tests/fixtures/`, whose README tells what they are.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::contents::{Contents, changed_by};
use super::oracle::Oracle;

/// The directory that has the base file for those that were made from it.
const BASE_OF_ALL: &str = "base-and-incr";
/// The append-only directories that a server loads, and those it must not load without a word.
pub const SOUND_AOF: [&str; 2] = [BASE_OF_ALL, "resp-with-timestamps"];
pub const DAMAGED_AOF: [&str; 4] = ["truncated-tail", "cut-inside-multi", "corrupt-in-the-middle", "missing-incr"];
/// Where servers look for the append-only files, below their directory.
pub const AOF_DIRECTORY: &str = "appendonlydir";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// An RDB file, and what it holds.
pub struct Rdb {
    pub name: String,
    pub path: PathBuf,
    /// The server that has loaded it, or refused to.
    pub judge: Oracle,
    /// `None`: the file must be refused.
    pub expected: Option<Contents>,
}

impl Rdb {
    /// All RDB files, and the base of an append-only directory, which is one without compression.
    pub fn all() -> Vec<Self> {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder().join("rdb"))
            .expect("the folder of RDB files")
            .map(|entry| entry.expect("an entry of the folder").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "rdb"))
            .collect();
        paths.sort();
        let mut all: Vec<Self> = paths.into_iter().map(Self::at).collect();
        all.push(Self {
            name: "redis-7.0.15-uncompressed".into(),
            path: folder().join("aof").join(BASE_OF_ALL).join("appendonly.aof.2.base.rdb"),
            judge: Oracle::Redis7,
            expected: expected("rdb/redis-7.0.15-all-types"),
        });
        all
    }

    fn at(path: PathBuf) -> Self {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let judge = match name.as_str() {
            name if name.starts_with("valkey-") => Oracle::Valkey,
            name if name.starts_with("redis-8") => Oracle::Redis8,
            _ => Oracle::Redis7,
        };
        Self { expected: expected(&format!("rdb/{name}")), name, path, judge }
    }
}

/// What the append-only directory of this name holds, or `None` for a damaged one.
pub fn expected_of_aof(name: &str) -> Option<Contents> {
    expected(&format!("aof/{name}"))
}

/// Makes the append-only directory of this name at `target`.
pub fn assemble_aof(name: &str, target: &Path) {
    let aof = folder().join("aof");
    let manifest = fs::read_to_string(aof.join(name).join("appendonly.aof.manifest")).expect("a manifest");
    let base = manifest.split_whitespace().nth(1).expect("the base file in the manifest");
    fs::create_dir_all(target).expect("create the append-only directory");
    for source in [BASE_OF_ALL, name] {
        for entry in fs::read_dir(aof.join(source)).expect("the files of an append-only directory") {
            let path = entry.expect("an entry of the directory").path();
            let file = path.file_name().expect("a name");
            if source == name || file == base {
                fs::copy(&path, target.join(file)).expect("copy a fixture");
            }
        }
    }
}

fn expected(name: &str) -> Option<Contents> {
    let path = folder().join(format!("{name}.json.gz"));
    if !path.exists() {
        return None;
    }
    let mut text = String::new();
    let file = BufReader::new(File::open(&path).expect("open what is expected"));
    GzDecoder::new(file).read_to_string(&mut text).expect("unpack what is expected");
    let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let like = told.get("as").map(|name| expected(name.as_str().expect("a name")).expect("the fixture named"));
    Some(changed_by(like.unwrap_or_default(), &told))
}
