//! The trees of files, of which one is live.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::history::History;
use super::staging::Touch;
use super::{DeployError, failed, share, sync_folder};

/// One is live, one was live before and may still be read, and one is the next.
const TREES: [char; 3] = ['a', 'b', 'c'];

/// A tree that is complete, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TreeName {
    letter: char,
    /// The release that it holds.
    pub number: u64,
}

/// A tree that is being changed and has no number.
#[derive(Debug)]
pub(super) struct Tree {
    path: PathBuf,
    letter: char,
}

impl TreeName {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (letter, number) = name.split_once('-')?;
        let letter = TREES.into_iter().find(|known| letter.chars().eq([*known]))?;
        let number = number.parse().ok().filter(|_| number.len() >= 10)?;
        Some(Self { letter, number })
    }
}

impl fmt::Display for TreeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:010}", self.letter, self.number)
    }
}

/// Takes a tree that is not live, brings it up to date with what is, and makes the changes in it.
pub(super) fn update(
    releases: &Path,
    live: Option<(&Path, u64)>,
    history: &History,
    touched: &[Touch],
) -> Result<Tree, DeployError> {
    let tree = match live {
        Some((path, number)) => up_to_date(releases, path, number, history)?,
        None => Tree::empty(releases, free_letter(releases)?)?,
    };
    // What goes makes room first: a name may have been a file and be a folder now.
    for touch in touched.iter().filter(|touch| touch.after.is_none()) {
        tree.remove(&touch.path)?;
    }
    for touch in touched {
        if let Some(staged) = &touch.after {
            let place = tree.place(&touch.path)?;
            fs::rename(&staged.file, &place).map_err(failed("writing", &place))?;
        }
    }
    Ok(tree)
}

/// Sees to it that all trees are there, and one that is not live is as the one that is.
pub(super) fn prepare(releases: &Path, live: &Path, number: u64, history: &History) -> Result<(), DeployError> {
    loop {
        let others = others(releases, live)?;
        let tree = match others.first() {
            Some(oldest) if others.len() + 1 == TREES.len() => {
                if others.iter().any(|tree| tree.number == number) {
                    return Ok(());
                }
                Tree::taken(releases, *oldest, live, number, history)?
            }
            Some(_) | None => Tree::copied(releases, free_letter(releases)?, live)?,
        };
        tree.complete(number)?;
    }
}

/// A tree without a number with what is live in it: the one that needs the least.
fn up_to_date(releases: &Path, live: &Path, number: u64, history: &History) -> Result<Tree, DeployError> {
    let others = others(releases, live)?;
    match others.iter().find(|tree| tree.number == number).or_else(|| others.first()) {
        Some(name) => Tree::taken(releases, *name, live, number, history),
        None => Tree::copied(releases, free_letter(releases)?, live),
    }
}

/// The complete trees that are not live, oldest first.
fn others(releases: &Path, live: &Path) -> Result<Vec<TreeName>, DeployError> {
    let live = live.file_name().and_then(|name| TreeName::parse(name.to_str()?));
    let mut others: Vec<TreeName> = complete(releases)?.into_iter().filter(|tree| Some(*tree) != live).collect();
    others.sort_by_key(|tree| (tree.number, tree.letter));
    Ok(others)
}

fn complete(releases: &Path) -> Result<Vec<TreeName>, DeployError> {
    let mut trees = Vec::new();
    for entry in fs::read_dir(releases).map_err(failed("reading", releases))? {
        let entry = entry.map_err(failed("reading", releases))?;
        trees.extend(entry.file_name().to_str().and_then(TreeName::parse));
    }
    Ok(trees)
}

fn free_letter(releases: &Path) -> Result<char, DeployError> {
    let trees = complete(releases)?;
    let free = |letter: &char| trees.iter().all(|tree| tree.letter != *letter);
    Ok(TREES.into_iter().find(free).expect("nobody asks while there are all"))
}

impl Tree {
    fn unnumbered(releases: &Path, letter: char) -> Self {
        Self { path: releases.join(format!(".updating-{letter}")), letter }
    }

    /// One with nothing in it. What a crash left of it is removed.
    fn empty(releases: &Path, letter: char) -> Result<Self, DeployError> {
        let tree = Self::unnumbered(releases, letter);
        match fs::remove_dir_all(&tree.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("removing", &tree.path)(error));
            }
            _ => {}
        }
        fs::create_dir(&tree.path).map_err(failed("creating", &tree.path))?;
        Ok(tree)
    }

    /// One with all that is live.
    fn copied(releases: &Path, letter: char, live: &Path) -> Result<Self, DeployError> {
        let tree = Self::empty(releases, letter)?;
        for path in files_below(live)? {
            share(&live.join(&path), &tree.place(&path)?)?;
        }
        Ok(tree)
    }

    /// One that is there, with what the releases since have changed.
    fn taken(
        releases: &Path,
        name: TreeName,
        live: &Path,
        number: u64,
        history: &History,
    ) -> Result<Self, DeployError> {
        let tree = Self::unnumbered(releases, name.letter);
        let numbered = releases.join(name.to_string());
        let Some(paths) = history.touched_since(name.number, number)? else {
            fs::remove_dir_all(&numbered).map_err(failed("removing", &numbered))?;
            return Self::copied(releases, name.letter, live);
        };
        fs::rename(&numbered, &tree.path).map_err(failed("renaming", &numbered))?;
        // Before anything in it changes: after a power cut, a number must not promise what the tree does not hold.
        sync_folder(releases)?;
        let (shared, gone): (Vec<_>, Vec<_>) =
            paths.into_iter().partition(|path| fs::symlink_metadata(live.join(path)).is_ok());
        for path in gone {
            tree.remove(&path)?;
        }
        for path in shared {
            let (old, new) = (live.join(&path), tree.path.join(&path));
            let inode = |path: &Path| fs::symlink_metadata(path).ok().map(|metadata| metadata.ino());
            if inode(&old) != inode(&new) {
                tree.remove(&path)?;
                share(&old, &tree.place(&path)?)?;
            }
        }
        Ok(tree)
    }

    /// Brings all of it to the disk and gives it its number. Answers where it is then.
    pub(super) fn complete(self, number: u64) -> Result<PathBuf, DeployError> {
        // One call for the whole file system: a sync per file and folder of a release of ten thousand pages would take
        // minutes.
        let folder = File::open(&self.path).map_err(failed("opening", &self.path))?;
        sync(&folder).map_err(failed("syncing", &self.path))?;
        let numbered = self.path.with_file_name(TreeName { letter: self.letter, number }.to_string());
        fs::rename(&self.path, &numbered).map_err(failed("naming", &numbered))?;
        sync_folder(&numbered.with_file_name(""))?;
        Ok(numbered)
    }

    /// Where `path` goes, its folders made.
    fn place(&self, path: &str) -> Result<PathBuf, DeployError> {
        let place = self.path.join(path);
        let parent = place.with_file_name("");
        if !parent.is_dir() {
            fs::create_dir_all(&parent).map_err(failed("creating", &parent))?;
        }
        Ok(place)
    }

    /// Removes the file, if it is there, and the folders that are empty then.
    fn remove(&self, path: &str) -> Result<(), DeployError> {
        let place = self.path.join(path);
        match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("removing", &place)(error)),
            _ => {}
        }
        for folder in Path::new(path).ancestors().skip(1).filter(|folder| *folder != Path::new("")) {
            if fs::remove_dir(self.path.join(folder)).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// The paths of all files below `root`.
pub(super) fn files_below(root: &Path) -> Result<Vec<String>, DeployError> {
    let mut found = vec![];
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        for entry in fs::read_dir(&path).map_err(failed("reading", &path))? {
            let entry = entry.map_err(failed("reading", &path))?;
            let kind = entry.file_type().map_err(failed("reading", &path))?;
            // A name that is not Unicode is none that a deploy has written; it is removed by hand.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let name = format!("{folder}{name}");
            if kind.is_dir() { folders.push(format!("{name}/")) } else { found.push(name) }
        }
    }
    Ok(found)
}

#[cfg(target_os = "linux")]
fn sync(folder: &File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(folder)?)
}

#[cfg(not(target_os = "linux"))]
fn sync(_folder: &File) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}
