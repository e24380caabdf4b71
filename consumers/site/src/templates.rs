//! The templates and the one place where text is escaped.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, escape_formatter};
use serde::Serialize;

use crate::untrusted::is_xml_char;

/// Every template by the name that others include it by. Files whose names start with `_` are parts of pages.
pub const SOURCES: &[(&str, &str)] = &[
    ("_base.html", include_str!("../templates/_base.html")),
    ("_grid.html", include_str!("../templates/_grid.html")),
    ("404.html", include_str!("../templates/404.html")),
    ("about.html", include_str!("../templates/about.html")),
    ("artwork.html", include_str!("../templates/artwork.html")),
    ("entry.html", include_str!("../templates/entry.html")),
    ("feed.xml", include_str!("../templates/feed.xml")),
    ("listing.html", include_str!("../templates/listing.html")),
    ("random.html", include_str!("../templates/random.html")),
    ("rss.xml", include_str!("../templates/rss.xml")),
    ("search.html", include_str!("../templates/search.html")),
    ("sitemap.xml", include_str!("../templates/sitemap.xml")),
    ("sitemap_index.xml", include_str!("../templates/sitemap_index.xml")),
    ("tags.html", include_str!("../templates/tags.html")),
];

/// Compiled templates.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// The built-in ones. Fails with the template's name and line when one does not compile.
    pub fn embedded() -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_formatter(|out, state, value| match value.as_str() {
            Some(text) if !value.is_safe() && matches!(state.auto_escape(), AutoEscape::Html) => {
                out.write_str(&escape(text)).map_err(Error::from)
            }
            _ => escape_formatter(out, state, value),
        });
        for (name, source) in SOURCES {
            environment.add_template(name, source)?;
        }
        Ok(Self { environment })
    }

    /// `name` filled in with `context`.
    pub fn render(&self, name: &str, context: impl Serialize) -> Result<String, Error> {
        self.environment.get_template(name)?.render(Value::from(Serde(context)))
    }
}

/// Safe in HTML and XML, in text and in quoted attributes. The stock escaper also encodes every slash, which would make
/// a third of each link unreadable, and it passes characters on that no XML parser accepts.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars().filter(|c| is_xml_char(*c)) {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
