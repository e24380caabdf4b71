//! `index.html`: the unpacked folder as a gallery that a browser shows from the disk, without a script or a server.

use crate::contents::Picture;

/// Its name in the ZIP.
pub const INDEX: &str = "index.html";

/// Pictures on a page: a browser lays them out at once, and the page is in memory while it is written.
pub(crate) const PAGE_PICTURES: u64 = 500;

/// What of a description is said in the place of a picture that cannot be seen, in characters.
const ALT_CHARS: usize = 300;

const STYLE: &str = "\
:root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}\
body{max-width:100rem;margin:0 auto;padding:1rem}\
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(16rem,100%),1fr));gap:1.5rem}\
figure{margin:0;content-visibility:auto;contain-intrinsic-size:auto 20rem}\
img{display:block;width:100%;height:16rem;object-fit:contain;background:rgb(128 128 128/.12)}\
figcaption{padding:.5rem 0;overflow-wrap:anywhere}\
small{display:block;opacity:.75}\
.variant{border-inline-start:.25rem solid rgb(128 128 128/.5);padding-inline-start:.75rem}\
nav{margin:1.5rem 0;display:flex;flex-wrap:wrap;gap:1rem}\
a{color:inherit}";

/// The name of the page with this number, from 1.
pub(crate) fn page_name(number: u64) -> String {
    if number == 1 { INDEX.to_owned() } else { format!("page-{number}.html") }
}

/// What a gallery shows.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) works: u64,
    /// Of the works, some of several variants.
    pub(crate) pictures: u64,
    /// What could not be packed.
    pub(crate) missing: usize,
}

/// A page that is being written.
pub(crate) struct Page {
    html: String,
    number: u64,
    of: u64,
}

impl Page {
    /// Begins the page with this number.
    pub(crate) fn begin(number: u64, Shown { works, pictures, missing }: Shown) -> Self {
        let of = pictures.div_ceil(PAGE_PICTURES);
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>Gallery{}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<h1>Gallery</h1>\n<p>{works} {}{}",
            if of > 1 { format!(", page {number} of {of}") } else { String::new() },
            if works == 1 { "work" } else { "works" },
            if pictures > works { format!(", {pictures} pictures") } else { String::new() },
        );
        if missing > 0 {
            let why = " could not be packed, <a href=\"manifest.json\">manifest.json</a> says why";
            html.extend(["; ", &missing.to_string(), why]);
        }
        html.push_str("</p>\n");
        let mut page = Self { html, number, of };
        page.links();
        page.html.push_str("<main>\n");
        page
    }

    /// Adds a picture.
    pub(crate) fn add(&mut self, picture: &Picture) {
        let details = &picture.artwork.details;
        let (file, title) = (escaped(&picture.name), escaped(&details.title));
        let said: String = details.description.chars().take(ALT_CHARS).collect();
        let which = which_variant(picture);
        let alt = [title.as_str(), if which.is_empty() { "" } else { ", " }, &which].concat();
        let alt = if said.trim().is_empty() { alt } else { format!("{alt}: {}", escaped(said.trim())) };
        let (width, height) = picture.size;
        let image = format!(
            "<img src=\"{file}\" alt=\"{alt}\" width=\"{width}\" height=\"{height}\" loading=\"lazy\" decoding=\"async\">"
        );
        let link = ["<a href=\"", &file, "\">", &image, "</a>"];
        self.html.push_str(if which.is_empty() { "<figure>" } else { "<figure class=\"variant\">" });
        self.html.extend(link);
        self.html.extend(["<figcaption dir=\"auto\">", &title, "<small>"]);
        let date = details.created_on.unwrap_or_else(|| picture.artwork.created_at.date());
        let artist = escaped(&details.artist);
        self.html.extend([artist.as_str(), if artist.is_empty() { "" } else { ", " }, &date.to_string()]);
        if let Some(source) = details.source_url.as_deref().filter(|url| is_link(url)) {
            self.html.extend([", <a rel=\"noreferrer\" href=\"", &escaped(source), "\">source</a>"]);
        }
        if !which.is_empty() {
            self.html.extend([", ", &which]);
        }
        self.html.push_str("</small></figcaption></figure>\n");
    }

    /// Ends it.
    pub(crate) fn end(mut self) -> String {
        self.html.push_str("</main>\n");
        self.links();
        self.html.push_str("</body>\n</html>\n");
        self.html
    }

    fn links(&mut self) {
        if self.of == 1 {
            return;
        }
        self.html.push_str("<nav>");
        if self.number > 1 {
            self.html.extend(["<a rel=\"prev\" href=\"", &page_name(self.number - 1), "\">Earlier works</a>"]);
        }
        if self.number < self.of {
            self.html.extend(["<a rel=\"next\" href=\"", &page_name(self.number + 1), "\">Later works</a>"]);
        }
        self.html.push_str("</nav>\n");
    }
}

/// Which of a work's variants a picture is, where there are several.
fn which_variant(picture: &Picture) -> String {
    match picture.place {
        (_, 1) => String::new(),
        (number, of) if picture.is_cover => format!("variant {number} of {of}, the cover"),
        (number, of) => format!("variant {number} of {of}"),
    }
}

/// Anything else would be run or read, not visited.
fn is_link(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// A text that stays one, between tags and in the quotes of an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // No HTML may hold it, not even as a reference.
            '\0' => escaped.push('\u{fffd}'),
            char => escaped.push(char),
        }
    }
    escaped
}
