//! What style sheets refer to. Templates name assets by a function that knows them; a style sheet has no such thing, and a
//! font or picture that it spells wrongly would just not be there.

use std::path::Path;

use super::ThemeError;
use crate::assets::Asset;

/// Finds out whether every file that a style sheet names is there.
pub(super) fn check(assets: &[Asset], folder: &Path) -> Result<(), ThemeError> {
    let sheets = assets.iter().filter(|asset| Path::new(&asset.name).extension().is_some_and(|ext| ext == "css"));
    for Asset { name: sheet, bytes } in sheets {
        // Browsers decode what is no UTF-8 somehow; names in it are then nobody's.
        let css = String::from_utf8_lossy(bytes);
        for (at, reference) in references(&css) {
            let Some(name) = resolved(sheet, reference) else { continue };
            if assets.iter().all(|asset| asset.name != name) {
                let line = css[..at].matches('\n').count() + 1;
                let text = css.lines().nth(line - 1).unwrap_or_default().trim().to_owned();
                return Err(ThemeError::Reference {
                    place: folder.join(sheet).display().to_string(),
                    line,
                    name,
                    text,
                });
            }
        }
    }
    Ok(())
}

/// What stands in `url(…)` outside of comments, and where.
fn references(css: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = &css[at..];
            let url = rest.find("url(")?;
            if let Some(comment) = rest.find("/*").filter(|comment| *comment < url) {
                at += comment + 2 + rest[comment + 2..].find("*/")? + 2;
                continue;
            }
            let start = at + url + "url(".len();
            let inner = &css[start..];
            let trimmed = inner.trim_start();
            let quote = trimmed.chars().next().filter(|first| matches!(first, '"' | '\''));
            let text = match quote {
                Some(quote) => trimmed[1..].split(quote).next()?,
                None => trimmed.split(')').next()?.trim_end(),
            };
            at = start + (inner.len() - trimmed.len()) + usize::from(quote.is_some()) + text.len();
            return Some((start, text));
        }
    })
}

/// The asset that `reference` in `sheet` means; none for what is in the sheet itself or on another server.
fn resolved(sheet: &str, reference: &str) -> Option<String> {
    let path = reference.split(['?', '#']).next().filter(|path| !path.is_empty())?;
    if path.starts_with('/') || path.split('/').next().is_some_and(|first| first.contains(':')) {
        return None;
    }
    let mut parts: Vec<&str> = sheet.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_wherever_they_stand() {
        let css = "a{b:url(x.svg)} /* url(no) */ c{d:url( \"y z.woff2\" ),url('../w.png#1')} e{f:url(data:image/x)}";
        let found: Vec<&str> = references(css).map(|(_, reference)| reference).collect();
        assert_eq!(found, ["x.svg", "y z.woff2", "../w.png#1", "data:image/x"]);
        assert_eq!(references("url(").count() + references("/* url(x").count() + references("url(\"").count(), 2);
    }

    #[test]
    fn a_reference_is_relative_to_its_sheet() {
        assert_eq!(resolved("gallery.css", "fonts/a.woff2?v=1").as_deref(), Some("fonts/a.woff2"));
        assert_eq!(resolved("css/gallery.css", "../fonts/./a.woff2").as_deref(), Some("fonts/a.woff2"));
        for elsewhere in
            ["data:image/png;base64,A", "https://a.example/x", "//a.example/x", "/x", "#mask", "", "../../x"]
        {
            assert_eq!(resolved("css/gallery.css", elsewhere), None, "{elsewhere}");
        }
    }
}
