//! Files and directories, without a history.

use std::collections::{BTreeMap, HashMap};

use xxhash_rust::xxh3::Xxh3;

use super::content::Content;
use super::record::{Change, Made};

/// The number of a file or directory.
pub type Ino = u64;

/// The directory in which all others are.
pub const ROOT: Ino = 1;

/// What a number stands for.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A file.
    File(Content),
    /// A directory: names and their numbers.
    Directory(BTreeMap<String, Ino>),
}

/// A file or directory.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is and holds.
    pub kind: Kind,
    /// Its permissions. Nobody asks what a crash makes of them: they are never lost.
    pub mode: u16,
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: HashMap<Ino, Node>,
    next: Ino,
}

impl Default for Tree {
    fn default() -> Self {
        let root = Node { kind: Kind::Directory(BTreeMap::new()), mode: 0o755 };
        Self { nodes: HashMap::from([(ROOT, root)]), next: ROOT + 1 }
    }
}

impl Tree {
    /// What a number stands for.
    pub fn node(&self, ino: Ino) -> Option<&Node> {
        self.nodes.get(&ino)
    }

    /// The number that the next new file gets.
    pub fn next(&self) -> Ino {
        self.next
    }

    /// Other permissions.
    pub fn set_mode(&mut self, ino: Ino, mode: u16) {
        if let Some(node) = self.nodes.get_mut(&ino) {
            node.mode = mode;
        }
    }

    /// The entries of a directory.
    pub fn entries(&self, ino: Ino) -> Option<&BTreeMap<String, Ino>> {
        match &self.nodes.get(&ino)?.kind {
            Kind::Directory(entries) => Some(entries),
            Kind::File(_) => None,
        }
    }

    /// What a file holds.
    pub fn content(&self, ino: Ino) -> Option<&Content> {
        match &self.nodes.get(&ino)?.kind {
            Kind::File(content) => Some(content),
            Kind::Directory(_) => None,
        }
    }

    /// The bytes of all files.
    pub fn size(&self) -> u64 {
        self.nodes.keys().filter_map(|ino| self.content(*ino)).map(Content::len).sum()
    }

    /// Number of names of a file or directory (at least one, as long as somebody may have it open).
    pub fn links(&self, ino: Ino) -> u32 {
        let named = |node: &Node| match &node.kind {
            Kind::Directory(entries) => entries.values().filter(|entry| **entry == ino).count() as u32,
            Kind::File(_) => 0,
        };
        self.nodes.values().map(named).sum()
    }

    fn content_mut(&mut self, ino: Ino) -> Option<&mut Content> {
        match &mut self.nodes.get_mut(&ino)?.kind {
            Kind::File(content) => Some(content),
            Kind::Directory(_) => None,
        }
    }

    fn entries_mut(&mut self, ino: Ino) -> Option<&mut BTreeMap<String, Ino>> {
        match &mut self.nodes.get_mut(&ino)?.kind {
            Kind::Directory(entries) => Some(entries),
            Kind::File(_) => None,
        }
    }

    /// Frees a number and what it holds.
    pub(super) fn remove(&mut self, ino: Ino) {
        self.nodes.remove(&ino);
    }

    /// Carries out a change, and answers who lost a name by it. One of something that is not there (because what made
    /// it was lost) changes nothing.
    pub fn apply(&mut self, change: &Change) -> Option<Ino> {
        match change {
            Change::Write { ino, offset, data } => self.write(*ino, *offset, data),
            Change::Resize { ino, size } => {
                if let Some(content) = self.content_mut(*ino) {
                    content.resize(*size);
                }
            }
            Change::Link { directory, name, ino, made } => {
                if let Some(made) = made {
                    self.adopt(*ino, *made);
                }
                return self.entries_mut(*directory)?.insert(name.clone(), *ino).filter(|old| old != ino);
            }
            Change::Unlink { directory, name } => return self.entries_mut(*directory)?.remove(name),
            Change::Rename { from, name, to, new_name, ino } => {
                if let Some(entries) = self.entries_mut(*from) {
                    // When the earlier names were lost another file may bear it.
                    if entries.get(name) == Some(ino) {
                        entries.remove(name);
                    }
                }
                return self.entries_mut(*to)?.insert(new_name.clone(), *ino).filter(|old| old != ino);
            }
        }
        None
    }

    /// Bytes of a file, which grows as needed.
    pub fn write(&mut self, ino: Ino, offset: u64, data: &[u8]) {
        if let Some(content) = self.content_mut(ino) {
            content.write(offset, data);
        }
    }

    /// A node as it was made: without a name, empty. One that is there already stays.
    pub(super) fn adopt(&mut self, ino: Ino, made: Made) {
        let kind = if made.directory { Kind::Directory(BTreeMap::new()) } else { Kind::File(Content::default()) };
        self.nodes.entry(ino).or_insert(Node { kind, mode: made.mode });
        self.next = self.next.max(ino + 1);
    }

    /// The same tree without what has no name, its numbers from `from` on.
    pub fn renumbered(&self, from: Ino) -> Self {
        let mut to = Self { nodes: HashMap::new(), next: from };
        let mut numbers = HashMap::from([(ROOT, ROOT)]);
        let mut waiting = vec![ROOT];
        while let Some(ino) = waiting.pop() {
            let Some(node) = self.nodes.get(&ino) else { continue };
            let mut copy = node.clone();
            if let Kind::Directory(entries) = &mut copy.kind {
                entries.retain(|_, entry| self.nodes.contains_key(entry));
                for entry in entries.values_mut() {
                    let old = *entry;
                    *entry = *numbers.entry(old).or_insert_with(|| {
                        waiting.push(old);
                        to.next += 1;
                        to.next - 1
                    });
                }
            }
            to.nodes.insert(numbers[&ino], copy);
        }
        to
    }

    /// Paths of all files that have a name, with their numbers, in order.
    pub fn files(&self) -> Vec<(String, Ino)> {
        let mut found = Vec::new();
        self.walk(ROOT, "", &mut |path, ino, node| {
            if matches!(node.kind, Kind::File(_)) {
                found.push((path.to_owned(), ino));
            }
        });
        found
    }

    /// Visits everything that has a name.
    pub fn walk(&self, ino: Ino, path: &str, visit: &mut impl FnMut(&str, Ino, &Node)) {
        for (name, entry) in self.entries(ino).into_iter().flatten() {
            let Some(node) = self.nodes.get(entry) else { continue };
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            visit(&path, *entry, node);
            self.walk(*entry, &path, visit);
        }
    }

    /// Two trees with equal names and contents have an equal one.
    pub fn digest(&self) -> u128 {
        let mut hash = Xxh3::new();
        self.walk(ROOT, "", &mut |path, _, node| {
            hash.update(path.as_bytes());
            match &node.kind {
                Kind::File(content) => {
                    hash.update(&[0, 1]);
                    hash.update(&content.digest().to_le_bytes());
                }
                Kind::Directory(_) => hash.update(&[0, 2]),
            }
        });
        hash.digest128()
    }
}
