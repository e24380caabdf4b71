//! Reading a theme's folder.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use super::{Template, ThemeError};
use crate::assets::Asset;
use crate::templates;
use crate::untrusted::is_safe_path;

/// How many files a theme may hold.
pub const MAX_FILES: usize = 500;
/// The bytes of all its files: they are kept in memory, and every release carries the assets.
pub const MAX_BYTES: u64 = 32 << 20;
/// The bytes of one template.
pub const MAX_TEMPLATE_BYTES: u64 = 256 << 10;

/// Pieces of a theme's own.
const PARTS: &str = "parts/";

/// Templates by name and assets, all of them the theme's own.
pub(super) fn read(folder: &Path) -> Result<(BTreeMap<String, Template>, Vec<Asset>), ThemeError> {
    let mut reading = Reading { folder, files: 0, bytes: 0 };
    let (mut templates, mut assets) = (BTreeMap::new(), vec![]);
    for (name, is_folder) in reading.entries("")? {
        match name.as_str() {
            "templates" if is_folder => reading.templates(&mut templates)?,
            "assets" if is_folder => reading.assets(&mut assets)?,
            name if !is_folder && is_about_the_theme(name) => {}
            name => return Err(ThemeError::Stray { path: folder.join(name) }),
        }
    }
    if templates.is_empty() && assets.is_empty() {
        return Err(ThemeError::Empty { path: folder.to_owned() });
    }
    Ok((templates, assets))
}

fn is_about_the_theme(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("md" | "txt")) || name.starts_with("LICENSE") || name.starts_with("LICENCE")
}

struct Reading<'a> {
    folder: &'a Path,
    files: usize,
    bytes: u64,
}

impl Reading<'_> {
    fn templates(&mut self, templates: &mut BTreeMap<String, Template>) -> Result<(), ThemeError> {
        for name in self.files_below("templates/")? {
            let path = self.folder.join("templates").join(&name);
            if !name.starts_with(PARTS) && !templates::names().any(|known| known == name) {
                return Err(ThemeError::UnknownTemplate { path });
            }
            let bytes = self.file(&path, MAX_TEMPLATE_BYTES)?;
            let Ok(source) = String::from_utf8(bytes) else { return Err(ThemeError::NotText { path }) };
            templates.insert(name, Template { source: Cow::Owned(source), place: path.display().to_string() });
        }
        Ok(())
    }

    fn assets(&mut self, assets: &mut Vec<Asset>) -> Result<(), ThemeError> {
        for name in self.files_below("assets/")? {
            let bytes = self.file(&self.folder.join("assets").join(&name), MAX_BYTES)?.into();
            assets.push(Asset { name, bytes });
        }
        Ok(())
    }

    /// The names of all files below `top`, relative to it.
    fn files_below(&mut self, top: &str) -> Result<Vec<String>, ThemeError> {
        let mut found = vec![];
        let mut folders = vec![String::new()];
        while let Some(below) = folders.pop() {
            for (name, is_folder) in self.entries(&format!("{top}{below}"))? {
                let name = format!("{below}{name}");
                if !is_safe_path(&name) {
                    return Err(ThemeError::Name { path: self.folder.join(top).join(name) });
                }
                if is_folder { folders.push(format!("{name}/")) } else { found.push(name) }
            }
        }
        Ok(found)
    }

    /// What is in the folder at this path, and which of that are folders. What begins with a dot belongs to somebody's
    /// editor, and is not looked at.
    fn entries(&mut self, below: &str) -> Result<Vec<(String, bool)>, ThemeError> {
        let folder = self.folder.join(below);
        let mut found = vec![];
        for entry in fs::read_dir(&folder).map_err(failed("reading", &folder))? {
            let entry = entry.map_err(failed("reading", &folder))?;
            let path = entry.path();
            let Ok(name) = entry.file_name().into_string() else { return Err(ThemeError::Name { path }) };
            if name.starts_with('.') {
                continue;
            }
            // Not followed: what it leads to may be anything, and be another thing at the next reading.
            let kind = entry.file_type().map_err(failed("reading", &path))?;
            if !kind.is_file() && !kind.is_dir() {
                return Err(ThemeError::Link { path });
            }
            self.files += 1;
            if self.files > MAX_FILES {
                return Err(ThemeError::TooMuch { path: self.folder.to_owned() });
            }
            found.push((name, kind.is_dir()));
        }
        Ok(found)
    }

    /// The whole file, which may grow while it is read.
    fn file(&mut self, path: &Path, max: u64) -> Result<Vec<u8>, ThemeError> {
        let file = File::open(path).map_err(failed("opening", path))?;
        let mut bytes = vec![];
        file.take(max + 1).read_to_end(&mut bytes).map_err(failed("reading", path))?;
        let length = bytes.len() as u64;
        if length > max {
            return Err(ThemeError::TooLong { path: path.to_owned(), max });
        }
        self.bytes += length;
        if self.bytes > MAX_BYTES {
            return Err(ThemeError::TooMuch { path: self.folder.to_owned() });
        }
        Ok(bytes)
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ThemeError {
    move |source| ThemeError::Io { doing, path: path.to_owned(), source }
}
