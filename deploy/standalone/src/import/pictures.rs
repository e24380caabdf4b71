//! Which files are pictures, and what they say about themselves.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use tokio::io::AsyncReadExt;

/// Names by which a folder's pictures are known; their content says what they really are.
const EXTENSIONS: &[&str] = &["jpg", "jpeg", "png", "webp", "gif", "avif"];

/// The longest title the API takes, in characters.
const TITLE_CHARS: usize = 200;

/// A file that begins as a picture does. Whether all of it is one is found out when it is cut.
#[derive(Debug)]
pub(super) struct Picture<'a> {
    path: &'a Path,
    /// By its content, whatever its name says.
    pub(super) media_type: &'static str,
    /// In bytes.
    pub(super) length: u64,
}

impl<'a> Picture<'a> {
    /// Looks at the first bytes.
    pub(super) async fn open(path: &'a Path) -> anyhow::Result<Self> {
        let mut file = tokio::fs::File::open(path).await.context("it cannot be opened")?;
        let length = file.metadata().await.context("it cannot be read")?.len();
        ensure!(length > 0, "it is empty");
        let mut start = Vec::new();
        (&mut file).take(12).read_to_end(&mut start).await.context("it cannot be read")?;
        let Some(media_type) = media_type(&start) else {
            bail!("it is not a JPEG, PNG, WebP, GIF or AVIF");
        };
        Ok(Self { path, media_type, length })
    }

    /// The name of the file alone.
    pub(super) fn filename(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The name of the file as a title: no extension, spaces for what stands for them in names of files.
    pub(super) fn title(&self) -> String {
        title(&self.path.file_stem().unwrap_or_default().to_string_lossy())
    }
}

/// All pictures below the paths, each path's in order; a path that cannot be read is answered with the reason. Hidden
/// files and folders are left out, and folders are not followed by links, which could lead in a circle.
pub(super) fn find(paths: &[PathBuf]) -> Vec<Result<PathBuf, (PathBuf, std::io::Error)>> {
    let mut found = Vec::new();
    for path in paths {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => search(path, &mut found),
            // Whatever was named is tried, also under a name that no picture has.
            Ok(_) => found.push(Ok(path.clone())),
            Err(error) => found.push(Err((path.clone(), error))),
        }
    }
    found
}

fn search(folder: &Path, found: &mut Vec<Result<PathBuf, (PathBuf, std::io::Error)>>) {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => return found.push(Err((folder.to_owned(), error))),
    };
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            search(&path, found);
        } else if is_named_as_picture(&path) && path.is_file() {
            found.push(Ok(path));
        }
    }
}

fn is_named_as_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

fn media_type(start: &[u8]) -> Option<&'static str> {
    match start {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        // Whether it is taken is for the API to say, which may be of another build.
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f' | b's', ..] => Some("image/avif"),
        _ => None,
    }
}

fn title(stem: &str) -> String {
    let spaced = stem.replace(|char: char| char.is_control() || matches!(char, '_' | '-'), " ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let title: String = words.join(" ").chars().take(TITLE_CHARS).collect();
    if title.is_empty() { "untitled".to_owned() } else { title }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on says where and ends")]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_name_of_the_file_in_words() {
        for (stem, expected) in
            [("sunset_over-the  sea", "sunset over the sea"), ("Über\u{7}blick", "Über blick"), ("___", "untitled")]
        {
            assert_eq!(title(stem), expected);
        }
        assert_eq!(title(&"ü".repeat(300)).chars().count(), TITLE_CHARS);
    }

    #[test]
    fn the_content_says_what_a_file_is() {
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n\0\0\0\r"), Some("image/png"));
        assert_eq!(media_type(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(media_type(b"GIF89a"), Some("image/gif"));
        assert_eq!(media_type(b"RIFF\x10\0\0\0WEBP"), Some("image/webp"));
        assert_eq!(media_type(b"\0\0\0\x20ftypavif"), Some("image/avif"));
        assert_eq!(media_type(b"\0\0\0\x20ftypheic"), None);
        assert_eq!(media_type(b"RIFF\x10\0\0\0WAVE"), None);
        assert_eq!(media_type(b"<svg xmlns="), None);
        assert_eq!(media_type(b""), None);
    }

    #[test]
    fn a_folder_is_searched_in_order_without_what_is_hidden() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.JPG", "a/c.png", "a/notes.txt", ".hidden.png", ".git/x.png", "z.webp"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"x").unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), folder.path().join("circle")).unwrap();
        let missing = folder.path().join("missing");
        let found = find(&[folder.path().to_owned(), missing.clone()]);
        let (there, not): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
        let names = there.into_iter().map(|path| path.unwrap().strip_prefix(folder.path()).unwrap().to_owned());
        assert_eq!(names.collect::<Vec<_>>(), ["a/c.png", "b.JPG", "z.webp"].map(PathBuf::from));
        assert_eq!(not.into_iter().map(|path| path.unwrap_err().0).collect::<Vec<_>>(), [missing]);
    }
}
