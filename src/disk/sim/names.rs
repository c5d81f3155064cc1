//! The names of files and directories: as the running system sees them, and as the medium has them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::rc::Rc;

use super::survival::Survival;

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Node {
    Dir,
    File(u64),
}

/// All names. The root, whether `/` or the empty path, is always there.
#[derive(Clone, Default)]
pub(super) struct Names {
    now: BTreeMap<Rc<Path>, Node>,
    medium: BTreeMap<Rc<Path>, Node>,
    unsynced: Vec<Change>,
}

/// A change of names that happens as a whole or not at all.
#[derive(Clone)]
struct Change {
    number: u64,
    /// The directories that must be synced before it is durable.
    dirs: Vec<Rc<Path>>,
    remove: Option<Rc<Path>>,
    set: Option<(Rc<Path>, Node)>,
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<Rc<Path>, Node>) {
        if let Some(path) = &self.remove {
            names.remove(path);
        }
        if let Some((path, node)) = &self.set {
            names.insert(Rc::clone(path), *node);
        }
    }
}

impl Names {
    pub(super) fn get(&self, path: &Path) -> Option<Node> {
        if is_root(path) { Some(Node::Dir) } else { self.now.get(path).copied() }
    }

    pub(super) fn on_medium(&self, path: &Path) -> Option<Node> {
        self.medium.get(path).copied()
    }

    /// The file of that name.
    pub(super) fn file(&self, path: &Path) -> io::Result<u64> {
        match self.get(path) {
            Some(Node::File(inode)) => Ok(inode),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn parent(&self, path: &Path) -> io::Result<Rc<Path>> {
        let parent = path.parent().unwrap_or(Path::new(""));
        match self.get(parent) {
            Some(Node::Dir) => Ok(parent.into()),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.unsynced.push(change);
    }

    pub(super) fn create(&mut self, number: u64, path: &Path, node: Node) -> io::Result<()> {
        let parent = self.parent(path)?;
        if self.get(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.change(Change { number, dirs: vec![parent], remove: None, set: Some((path.into(), node)) });
        Ok(())
    }

    pub(super) fn remove(&mut self, number: u64, path: &Path) -> io::Result<()> {
        self.file(path)?;
        let parent = self.parent(path)?;
        self.change(Change { number, dirs: vec![parent], remove: Some(path.into()), set: None });
        Ok(())
    }

    pub(super) fn rename(&mut self, number: u64, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.file(from)?;
        let mut dirs = vec![self.parent(from)?, self.parent(to)?];
        dirs.dedup();
        match self.get(to) {
            Some(Node::Dir) => return Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::File(other)) if other == inode => return Ok(()),
            _ => {}
        }
        self.change(Change { number, dirs, remove: Some(from.into()), set: Some((to.into(), Node::File(inode))) });
        Ok(())
    }

    /// Makes the changes in `dir` up to `upto` durable.
    pub(super) fn sync(&mut self, dir: &Path, upto: u64) -> io::Result<()> {
        match self.get(dir) {
            Some(Node::Dir) => {}
            Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        for change in self.unsynced.iter_mut().filter(|change| change.number <= upto) {
            change.dirs.retain(|waiting| **waiting != *dir);
        }
        for durable in self.unsynced.extract_if(.., |change| change.dirs.is_empty()) {
            durable.apply(&mut self.medium);
        }
        Ok(())
    }

    /// Makes everything durable.
    pub(super) fn sync_all(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.medium);
        }
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        match self.get(dir) {
            Some(Node::Dir) => {}
            Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        let inside = self.now.iter().filter(|(path, node)| path.parent() == Some(dir) && **node != Node::Dir);
        Ok(inside.filter_map(|(path, _)| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    /// All names of files.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Rc<Path>, u64)> {
        self.now.iter().filter_map(|(path, node)| match node {
            Node::File(inode) => Some((path, *inode)),
            Node::Dir => None,
        })
    }

    /// Whether a name, now or after any crash, may stand for `inode`.
    pub(super) fn may_name(&self, inode: u64) -> bool {
        let node = Node::File(inode);
        let journalled = self.unsynced.iter().any(|change| change.set.as_ref().is_some_and(|(_, set)| *set == node));
        journalled || self.now.values().chain(self.medium.values()).any(|named| *named == node)
    }

    pub(super) fn at_risk(&self) -> usize {
        self.unsynced.len()
    }

    /// The numbers of the unsynced changes.
    pub(super) fn unsynced(&self) -> impl Iterator<Item = u64> {
        self.unsynced.iter().map(|change| change.number)
    }

    /// The power fails: decides for each unsynced change. What lies in a directory that is gone, is gone.
    pub(super) fn cut_power(&mut self, survival: &mut Survival) {
        for change in std::mem::take(&mut self.unsynced) {
            if survival.survives(change.number) {
                change.apply(&mut self.medium);
            }
        }
        // Ancestors sort before what they hold.
        let mut reachable = BTreeMap::new();
        for (path, node) in std::mem::take(&mut self.medium) {
            let parent = path.parent().unwrap_or(Path::new(""));
            if is_root(parent) || reachable.get(parent) == Some(&Node::Dir) {
                reachable.insert(path, node);
            }
        }
        self.now = reachable.clone();
        self.medium = reachable;
    }
}

fn is_root(path: &Path) -> bool {
    path.as_os_str().is_empty() || path == Path::new("/")
}
