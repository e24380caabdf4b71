//! Whether a theme holds: everything is rendered with it, of the sample and of a gallery with nothing in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::gallery::{Artwork, SiteMeta};
use crate::pages::{RenderError, Site};
use crate::sample;
use crate::templates::{self, TemplateError};
use crate::theme::Theme;

/// Something that is wrong with a theme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What, and where.
    pub fault: TemplateError,
    /// The first page that could not be made because of it; none: the template does not compile.
    pub page: Option<String>,
    /// How many pages could not be made because of it.
    pub pages: usize,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Files that were rendered without a fault.
    pub files: usize,
    /// By where they are.
    pub findings: Vec<Finding>,
}

/// Renders everything with the theme. Fails where not even that can be tried: the settings make no site.
pub fn check(meta: &SiteMeta, theme: &Theme) -> Result<Checked, RenderError> {
    let faults = templates::faults(theme);
    if !faults.is_empty() {
        let findings = faults.into_iter().map(|fault| Finding { fault, page: None, pages: 0 });
        return Ok(Checked { files: 0, findings: findings.collect() });
    }
    let bare = SiteMeta {
        description: String::new(),
        author: String::new(),
        about: String::new(),
        links: vec![],
        likes: false,
        ..meta.clone()
    };
    let full = SiteMeta {
        description: "A sample".to_owned(),
        author: "Somebody".to_owned(),
        about: "Made to be looked at.\nIn two lines.".to_owned(),
        links: vec!["https://social.example/@somebody".to_owned()],
        likes: true,
        ..meta.clone()
    };
    let (works, _) = sample::gallery();
    let mut checked = Checked::default();
    let mut found: BTreeMap<(String, Option<usize>, String), Finding> = BTreeMap::new();
    for (meta, works) in [(meta.clone(), works.as_slice()), (full, works.as_slice()), (bare, &[])] {
        let site = site(meta, theme.clone(), works.iter().cloned().map(Arc::new))?;
        for file in site.files() {
            match site.render(file) {
                Ok(_) => checked.files += 1,
                Err(RenderError::Page { path, fault }) => {
                    let key = (fault.place.clone(), fault.line, fault.what.clone());
                    found.entry(key).or_insert(Finding { fault, page: Some(path), pages: 0 }).pages += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
    checked.findings = found.into_values().collect();
    Ok(checked)
}

/// A gallery of these works.
pub fn site(meta: SiteMeta, theme: Theme, works: impl IntoIterator<Item = Arc<Artwork>>) -> Result<Site, RenderError> {
    let mut site = Site::themed(meta, theme)?;
    works.into_iter().try_for_each(|work| site.show(work))?;
    Ok(site)
}
