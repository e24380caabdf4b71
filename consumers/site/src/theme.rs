//! What the gallery looks like: the built-in theme, or a folder that replaces as much of it as it holds.
//!
//! ```text
//! templates/artwork.html   replaces the built-in template of that name; any other name is a mistake, and refused
//! templates/parts/*.html   pieces of the theme's own, for its templates to include
//! assets/**                style sheets, scripts, fonts, images; those called as a built-in one replace it
//! README.md, LICENSE       are left where they are
//! ```
//!
//! A theme is read once and whole, so that a release is made from one state of it. It is trusted as the settings are: it
//! can write anything into every page.

mod folder;
mod references;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use atelier_events::percent::encode_path;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::assets::{self, Asset, hex};
use crate::templates;

pub use folder::{MAX_BYTES, MAX_FILES, MAX_TEMPLATE_BYTES};

/// Built-in templates are found below this name too, so that those of a theme can extend what they replace.
const BUILT_IN: &str = "built-in/";

/// Templates and assets.
#[derive(Clone, Debug)]
pub struct Theme {
    templates: BTreeMap<String, Template>,
    /// By name.
    assets: Vec<Asset>,
    asset_folder: String,
}

/// A template that has not been compiled.
#[derive(Clone, Debug)]
pub struct Template {
    /// The whole file.
    pub source: Cow<'static, str>,
    /// Where it lies, for people.
    pub place: String,
}

/// Why a folder is no theme.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it means and what its fields are")]
pub enum ThemeError {
    #[error(
        "\"{path}\" is no template of a gallery: those are {}; pieces of the theme's own lie in templates/parts/",
        templates::names().collect::<Vec<_>>().join(", ")
    )]
    UnknownTemplate { path: PathBuf },
    #[error(
        "\"{path}\" has no place in a theme: templates lie in templates/, style sheets, scripts, fonts and images in assets/"
    )]
    Stray { path: PathBuf },
    #[error("\"{path}\" is neither a file nor a folder; a theme holds what it uses, and no links to elsewhere")]
    Link { path: PathBuf },
    #[error("\"{path}\" has a name that not every system can keep")]
    Name { path: PathBuf },
    #[error("\"{path}\" is not text in UTF-8")]
    NotText { path: PathBuf },
    #[error("\"{path}\" is longer than the {max} bytes that it may have")]
    TooLong { path: PathBuf, max: u64 },
    #[error("\"{path}\" holds more than {MAX_FILES} files, or more than {MAX_BYTES} bytes")]
    TooMuch { path: PathBuf },
    #[error("\"{path}\" holds neither templates nor assets")]
    Empty { path: PathBuf },
    #[error("{place}:{line}: there is no file \"{name}\" in the theme, at \"{text}\"")]
    Reference { place: String, line: usize, name: String, text: String },
    #[error("{doing} \"{path}\"")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

impl Theme {
    /// The one that is here already.
    #[must_use]
    pub fn built_in() -> Self {
        Self::over_built_in(BTreeMap::new(), vec![])
    }

    /// The one in this folder; what it does not hold is the built-in one's. Refuses what would be ignored.
    pub fn read(folder: &Path) -> Result<Self, ThemeError> {
        let (templates, assets) = folder::read(folder)?;
        let theme = Self::over_built_in(templates, assets);
        references::check(&theme.assets, &folder.join("assets"))?;
        Ok(theme)
    }

    /// Templates by the name that others include them by.
    pub fn templates(&self) -> impl Iterator<Item = (&str, &Template)> {
        self.templates.iter().map(|(name, template)| (name.as_str(), template))
    }

    /// Where the template of that name lies.
    #[must_use]
    pub fn template(&self, name: &str) -> Option<&Template> {
        self.templates.get(name)
    }

    /// Files that are the same on every page, by name.
    #[must_use]
    pub fn assets(&self) -> &[Asset] {
        &self.assets
    }

    /// Where an asset lies in the site.
    #[must_use]
    pub fn asset_path(&self, asset: &Asset) -> String {
        format!("{}/{}", self.asset_folder, asset.name)
    }

    /// What templates are told of where assets lie: by name, relative to the site and percent-encoded.
    pub(crate) fn asset_links(&self) -> BTreeMap<String, String> {
        self.assets.iter().map(|asset| (asset.name.clone(), encode_path(&self.asset_path(asset)))).collect()
    }

    /// A digest of all of it.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for text in self.templates.iter().flat_map(|(name, template)| [name.as_str(), &template.source]) {
            digest.update(text.len().to_le_bytes());
            digest.update(text);
        }
        digest.update(&self.asset_folder);
        hex(&digest.finalize()[..8])
    }

    fn over_built_in(own: BTreeMap<String, Template>, own_assets: Vec<Asset>) -> Self {
        let mut templates = BTreeMap::new();
        for (name, source) in templates::SOURCES {
            let built_in = Template { source: Cow::Borrowed(*source), place: format!("the built-in template {name}") };
            templates.insert(format!("{BUILT_IN}{name}"), built_in.clone());
            templates.insert((*name).to_owned(), built_in);
        }
        templates.extend(own);
        let mut assets: BTreeMap<String, Bytes> =
            assets::BUILT_IN.iter().map(|(name, bytes)| ((*name).to_owned(), Bytes::from_static(bytes))).collect();
        assets.extend(own_assets.into_iter().map(|Asset { name, bytes }| (name, bytes)));
        let assets: Vec<Asset> = assets.into_iter().map(|(name, bytes)| Asset { name, bytes }).collect();
        Self { templates, asset_folder: assets::folder(&assets), assets }
    }
}

/// The built-in theme as the files of a folder that could be given as a theme, to begin one from.
pub fn files() -> impl Iterator<Item = (String, &'static [u8])> {
    let readme = ("README.md".to_owned(), include_bytes!("../THEMES.md").as_slice());
    let templates = templates::SOURCES.iter().map(|(name, source)| (format!("templates/{name}"), source.as_bytes()));
    let assets = assets::BUILT_IN.iter().map(|(name, bytes)| (format!("assets/{name}"), *bytes));
    [readme].into_iter().chain(templates).chain(assets)
}
