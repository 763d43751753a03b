//! All that is on the disk: files, folders and sockets, and which changes of names are on their way. It knows neither
//! the kernel nor a clock.
//!
//! A name is not on the disk because its file is: the folder has to be synced too (fsync(2)). What nobody synced is drawn in one of two ways, each in half of the cuts. As a
//! journal has it (ext4, XFS), the changes of all names are on the disk up to one of them. As the standard allows it
//! and file systems without an order for all folders do (ext2, and Btrfs with its logs of single files), each is by
//! itself. A rename is whole or not at all in both (rename(2)). A mode, an owner and a time are there at once.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::content::Content;
use super::cut::{Mood, Tally};

/// The number of a file.
pub(super) type Ino = u64;
/// The root's (`FUSE_ROOT_ID`).
pub(super) const ROOT: Ino = 1;
/// A disk that lies writes its cache out after so many changes.
const CACHED_CHANGES: u64 = 600;

/// Whether the disk does what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faith {
    /// What it says is on the disk is there.
    Honest,
    /// It says so of what is in its cache only. What the cache holds is written out in its order now and then, and a cut
    /// takes what it holds.
    Lying,
}

/// What a file is.
#[derive(Debug)]
pub(super) enum Kind {
    File(Content),
    Folder(Folder),
    Socket,
}

/// The names in a folder.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) names: BTreeMap<OsString, Ino>,
    kept: BTreeMap<OsString, Ino>,
}

/// One file, folder or socket.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) mode: u16,
    pub(super) owner: u32,
    pub(super) group: u32,
    pub(super) changed: SystemTime,
    pub(super) modified: SystemTime,
}

/// Where a name stands.
type Place = (Ino, OsString);

/// A change of names.
#[derive(Clone, Debug)]
enum Change {
    Given(Place, Ino),
    Taken(Place, Ino),
    Moved { from: Place, to: Place, ino: Ino },
}

impl Change {
    fn folders(&self) -> [Ino; 2] {
        match self {
            Self::Given((folder, _), _) | Self::Taken((folder, _), _) => [*folder, *folder],
            Self::Moved { from, to, .. } => [from.0, to.0],
        }
    }
}

/// Why something cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NotThere,
    ThereAlready,
    NoFolder,
    AFolder,
    NotEmpty,
}

/// The disk.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: BTreeMap<Ino, Node>,
    next: Ino,
    /// Changes of names that nobody has synced, oldest first.
    changes: Vec<Change>,
    faith: Faith,
    /// Since the cache was written out.
    n_cached: u64,
}

impl Tree {
    pub(super) fn new(faith: Faith, root: Node) -> Self {
        Self {
            nodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
            changes: Vec::new(),
            faith,
            n_cached: 0,
        }
    }

    pub(super) fn node(&self, ino: Ino) -> Result<&Node, Refusal> {
        self.nodes.get(&ino).ok_or(Refusal::NotThere)
    }

    pub(super) fn node_mut(&mut self, ino: Ino) -> Result<&mut Node, Refusal> {
        self.nodes.get_mut(&ino).ok_or(Refusal::NotThere)
    }

    pub(super) fn file(&self, ino: Ino) -> Result<&Content, Refusal> {
        match &self.node(ino)?.kind {
            Kind::File(content) => Ok(content),
            Kind::Folder(_) => Err(Refusal::AFolder),
            Kind::Socket => Err(Refusal::NotThere),
        }
    }

    pub(super) fn file_mut(&mut self, ino: Ino) -> Result<&mut Content, Refusal> {
        match &mut self.node_mut(ino)?.kind {
            Kind::File(content) => Ok(content),
            Kind::Folder(_) => Err(Refusal::AFolder),
            Kind::Socket => Err(Refusal::NotThere),
        }
    }

    pub(super) fn folder(&self, ino: Ino) -> Result<&Folder, Refusal> {
        match &self.node(ino)?.kind {
            Kind::Folder(folder) => Ok(folder),
            Kind::File(_) | Kind::Socket => Err(Refusal::NoFolder),
        }
    }

    pub(super) fn find(&self, folder: Ino, name: &OsStr) -> Result<Ino, Refusal> {
        let found = self.folder(folder)?.names.get(name).copied();
        found.ok_or(Refusal::NotThere)
    }

    /// How many names it has.
    pub(super) fn n_names(&self, ino: Ino) -> u32 {
        let folders = self.nodes.values().filter_map(|node| match &node.kind {
            Kind::Folder(folder) => Some(folder),
            _ => None,
        });
        let n_names = folders
            .flat_map(|folder| folder.names.values())
            .filter(|named| **named == ino)
            .count();
        u32::try_from(n_names).unwrap_or(u32::MAX)
    }

    pub(super) fn make(&mut self, folder: Ino, name: &OsStr, node: Node) -> Result<Ino, Refusal> {
        let ino = self.next;
        if self.folder(folder)?.names.contains_key(name) {
            return Err(Refusal::ThereAlready);
        }
        self.next += 1;
        self.nodes.insert(ino, node);
        self.change(Change::Given((folder, name.to_owned()), ino));
        Ok(ino)
    }

    pub(super) fn link(&mut self, ino: Ino, folder: Ino, name: &OsStr) -> Result<(), Refusal> {
        if self.folder(folder)?.names.contains_key(name) {
            return Err(Refusal::ThereAlready);
        }
        self.change(Change::Given((folder, name.to_owned()), ino));
        Ok(())
    }

    pub(super) fn unlink(&mut self, folder: Ino, name: &OsStr) -> Result<(), Refusal> {
        let ino = self.find(folder, name)?;
        if let Kind::Folder(inside) = &self.node(ino)?.kind
            && !inside.names.is_empty()
        {
            return Err(Refusal::NotEmpty);
        }
        self.change(Change::Taken((folder, name.to_owned()), ino));
        Ok(())
    }

    /// What stands at `to` goes, but where `keeps_other`.
    pub(super) fn rename(
        &mut self,
        from: (Ino, &OsStr),
        to: (Ino, &OsStr),
        keeps_other: bool,
    ) -> Result<(), Refusal> {
        let ino = self.find(from.0, from.1)?;
        match self.find(to.0, to.1) {
            Ok(_) if keeps_other => return Err(Refusal::ThereAlready),
            Ok(other) if other == ino => return Ok(()),
            Ok(_) | Err(Refusal::NotThere) => {}
            Err(refusal) => return Err(refusal),
        }
        self.change(Change::Moved {
            from: (from.0, from.1.to_owned()),
            to: (to.0, to.1.to_owned()),
            ino,
        });
        Ok(())
    }

    fn change(&mut self, change: Change) {
        self.apply(&change, |folder| &mut folder.names);
        self.changes.push(change);
        self.count_change();
    }

    fn apply(&mut self, change: &Change, of: fn(&mut Folder) -> &mut BTreeMap<OsString, Ino>) {
        let mut set = |(folder, name): &Place, from: Option<Ino>, to: Option<Ino>| {
            let Some(Kind::Folder(folder)) = self.nodes.get_mut(folder).map(|node| &mut node.kind)
            else {
                return;
            };
            let names = of(folder);
            match to {
                Some(to) => drop(names.insert(name.clone(), to)),
                // Another one may have the name by now.
                None if names.get(name) == from.as_ref() => drop(names.remove(name)),
                None => {}
            }
        };
        match change {
            Change::Given(place, ino) => set(place, None, Some(*ino)),
            Change::Taken(place, ino) => set(place, Some(*ino), None),
            Change::Moved { from, to, ino } => {
                set(from, Some(*ino), None);
                set(to, None, Some(*ino));
            }
        }
    }

    /// A change of bytes or names was made.
    pub(super) fn count_change(&mut self) {
        self.n_cached += 1;
        if self.faith == Faith::Lying && self.n_cached >= CACHED_CHANGES {
            self.write_out();
        }
    }

    /// All of it is on the disk.
    pub(super) fn write_out(&mut self) {
        self.n_cached = 0;
        for change in std::mem::take(&mut self.changes) {
            self.apply(&change, |folder| &mut folder.kept);
        }
        for node in self.nodes.values_mut() {
            if let Kind::File(content) = &mut node.kind {
                content.sync();
            }
        }
    }

    /// fsync(2) of a file or a folder.
    pub(super) fn sync(&mut self, ino: Ino) -> Result<(), Refusal> {
        let is_lie = self.faith == Faith::Lying;
        match &mut self.node_mut(ino)?.kind {
            _ if is_lie => {}
            Kind::File(content) => content.sync(),
            Kind::Folder(_) => self.sync_names(ino),
            Kind::Socket => {}
        }
        Ok(())
    }

    /// What is needed for the names of a folder: a move from another one takes with it what was done there before.
    fn sync_names(&mut self, folder: Ino) {
        let mut folders = BTreeSet::from([folder]);
        let mut meant = Vec::new();
        for (at, change) in self.changes.iter().enumerate().rev() {
            if change.folders().iter().any(|one| folders.contains(one)) {
                folders.extend(change.folders());
                meant.push(at);
            }
        }
        for &at in meant.iter().rev() {
            if let Some(change) = self.changes.get(at).cloned() {
                self.apply(&change, |folder| &mut folder.kept);
            }
        }
        for at in meant {
            self.changes.remove(at);
        }
    }

    /// The power is cut: what is there afterwards is all there is.
    pub(super) fn cut(&mut self, rng: &mut StdRng) -> Tally {
        let mut tally = Tally::default();
        let mood = match self.faith {
            Faith::Honest => Mood::draw(rng),
            Faith::Lying => Mood::Nothing,
        };
        let changes = std::mem::take(&mut self.changes);
        let has_journal: bool = rng.random();
        let n_in_order = mood.choose(changes.len(), rng);
        for (at, change) in changes.iter().enumerate() {
            let is_kept = if mood == Mood::Any && !has_journal {
                rng.random()
            } else {
                at < n_in_order
            };
            if is_kept {
                self.apply(change, |folder| &mut folder.kept);
                tally.names_kept += 1;
            } else {
                tally.names_lost += 1;
            }
        }
        self.forget_nameless();
        for node in self.nodes.values_mut() {
            match &mut node.kind {
                Kind::File(content) => content.cut(mood, rng, &mut tally),
                Kind::Folder(folder) => folder.names.clone_from(&folder.kept),
                Kind::Socket => {}
            }
        }
        self.n_cached = 0;
        tally
    }

    /// What no name on the disk leads to is not there.
    fn forget_nameless(&mut self) {
        let mut named = BTreeSet::new();
        let mut open = vec![ROOT];
        while let Some(ino) = open.pop() {
            if !named.insert(ino) {
                continue;
            }
            if let Some(Kind::Folder(folder)) = self.nodes.get(&ino).map(|node| &node.kind) {
                open.extend(folder.kept.values());
            }
        }
        self.nodes.retain(|ino, _| named.contains(ino));
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn node(kind: Kind) -> Node {
        Node {
            kind,
            mode: 0o600,
            owner: 0,
            group: 0,
            changed: SystemTime::UNIX_EPOCH,
            modified: SystemTime::UNIX_EPOCH,
        }
    }

    fn tree(faith: Faith) -> Tree {
        Tree::new(faith, node(Kind::Folder(Folder::default())))
    }

    impl Tree {
        fn write(&mut self, name: &str, text: &str) -> Ino {
            let ino = self
                .make(ROOT, name.as_ref(), node(Kind::File(Content::default())))
                .unwrap();
            self.file_mut(ino).unwrap().write(0, text.as_bytes());
            self.count_change();
            ino
        }

        fn moved(&mut self, from: &str, to: &str) {
            self.rename((ROOT, from.as_ref()), (ROOT, to.as_ref()), false)
                .unwrap();
        }

        /// Each name with its bytes.
        fn list(&self) -> Vec<(String, String)> {
            let names = &self.folder(ROOT).unwrap().names;
            names
                .iter()
                .map(|(name, ino)| {
                    let bytes = self.file(*ino).unwrap().read(0, 100);
                    let text = String::from_utf8_lossy(bytes).into_owned();
                    (name.to_string_lossy().into_owned(), text)
                })
                .collect()
        }
    }

    /// All that is found after cuts by many seeds.
    fn list_found(make: impl Fn() -> Tree) -> BTreeSet<Vec<(String, String)>> {
        (0..400)
            .map(|seed| {
                let mut tree = make();
                tree.cut(&mut StdRng::seed_from_u64(seed));
                tree.list()
            })
            .collect()
    }

    fn pairs(found: &[(&str, &str)]) -> Vec<(String, String)> {
        found
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn a_file_that_was_synced_has_no_name_before_its_folder_was() {
        let made = |syncs_folder| {
            move || {
                let mut tree = tree(Faith::Honest);
                let ino = tree.write("a", "text");
                tree.sync(ino).unwrap();
                if syncs_folder {
                    tree.sync(ROOT).unwrap();
                }
                tree
            }
        };
        let both = BTreeSet::from([pairs(&[]), pairs(&[("a", "text")])]);
        assert_eq!(list_found(made(false)), both);
        let kept = BTreeSet::from([pairs(&[("a", "text")])]);
        assert_eq!(list_found(made(true)), kept);
    }

    #[test]
    fn a_name_that_was_moved_is_the_old_one_or_the_new_one_and_may_have_lost_its_bytes() {
        let replaced = |syncs: bool| {
            move || {
                let mut tree = tree(Faith::Honest);
                let old = tree.write("mark", "old");
                tree.sync(old).unwrap();
                tree.sync(ROOT).unwrap();
                let new = tree.write("mark.new", "new");
                if syncs {
                    tree.sync(new).unwrap();
                }
                tree.moved("mark.new", "mark");
                tree
            }
        };
        let found = list_found(replaced(true));
        for (name, text) in found.iter().flatten() {
            assert!(!text.is_empty(), "{name} of {found:?}");
        }
        assert!(found.contains(&pairs(&[("mark", "new")])));
        assert!(found.contains(&pairs(&[("mark", "old")])));
        assert!(found.contains(&pairs(&[("mark", "old"), ("mark.new", "new")])));
        let found = list_found(replaced(false));
        assert!(found.contains(&pairs(&[("mark", "")])), "{found:?}");
        assert!(found.contains(&pairs(&[("mark", "new")])), "{found:?}");
        // The name is never gone.
        assert!(
            found
                .iter()
                .all(|names| names.iter().any(|(name, _)| name == "mark"))
        );
    }

    #[test]
    fn what_one_change_did_may_be_there_without_the_one_before() {
        let made = || {
            let mut tree = tree(Faith::Honest);
            for name in ["a", "b"] {
                let ino = tree.write(name, name);
                tree.sync(ino).unwrap();
            }
            tree
        };
        let found = list_found(made);
        let all = [
            pairs(&[]),
            pairs(&[("a", "a")]),
            pairs(&[("b", "b")]),
            pairs(&[("a", "a"), ("b", "b")]),
        ];
        assert_eq!(found, BTreeSet::from(all));
    }

    #[test]
    fn a_disk_that_lies_goes_back_to_a_moment_of_its_own() {
        let written = |n_files: u64| {
            let mut tree = tree(Faith::Lying);
            for number in 0..n_files {
                let ino = tree.write(&format!("{number:05}"), "text");
                tree.sync(ino).unwrap();
                tree.sync(ROOT).unwrap();
            }
            let tally = tree.cut(&mut StdRng::seed_from_u64(1));
            (tree.list(), tally)
        };
        // A file is two changes here: its name and its bytes.
        let cached = CACHED_CHANGES / 2;
        let (found, tally) = written(cached + 10);
        assert_eq!(found.len() as u64, cached);
        assert!(found.iter().all(|(_, text)| text == "text"));
        assert_eq!(tally.names_lost, 10);
        assert_eq!(written(cached - 1).0, []);
    }
}
