//! The templates and the one place where text is escaped.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, escape_formatter};
use serde::Serialize;

use crate::theme::Theme;
use crate::untrusted::{excerpt, is_xml_char};

/// How much of a line an error shows.
const SHOWN_CHARS: usize = 200;

/// The built-in templates by the name that others include them by. Files whose names start with `_` are parts of pages.
pub const SOURCES: &[(&str, &str)] = &[
    ("_base.html", include_str!("../templates/_base.html")),
    ("_grid.html", include_str!("../templates/_grid.html")),
    ("404.html", include_str!("../templates/404.html")),
    ("about.html", include_str!("../templates/about.html")),
    ("artwork.html", include_str!("../templates/artwork.html")),
    ("card.html", include_str!("../templates/card.html")),
    ("entry.html", include_str!("../templates/entry.html")),
    ("feed.xml", include_str!("../templates/feed.xml")),
    ("likes.html", include_str!("../templates/likes.html")),
    ("listing.html", include_str!("../templates/listing.html")),
    ("overview.html", include_str!("../templates/overview.html")),
    ("random.html", include_str!("../templates/random.html")),
    ("rss.xml", include_str!("../templates/rss.xml")),
    ("search.html", include_str!("../templates/search.html")),
    ("sitemap.xml", include_str!("../templates/sitemap.xml")),
    ("sitemap_index.xml", include_str!("../templates/sitemap_index.xml")),
];

/// The templates that pages are made from, by name.
pub fn names() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|(name, _)| *name)
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}{}: {what}{}", at(*line), shown(text))]
pub struct TemplateError {
    /// The file, or which built-in template.
    pub place: String,
    /// Counted from 1.
    pub line: Option<usize>,
    /// What that line says.
    pub text: String,
    /// What is wrong with it.
    pub what: String,
}

fn at(line: Option<usize>) -> String {
    line.map(|line| format!(":{line}")).unwrap_or_default()
}

fn shown(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(", at \"{text}\"") }
}

/// Compiled templates.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    theme: Arc<Theme>,
}

impl Templates {
    /// Those of the theme. Fails at the first that does not compile.
    pub fn compile(theme: Arc<Theme>) -> Result<Self, TemplateError> {
        let mut environment = environment(&theme);
        for (name, template) in theme.templates() {
            environment
                .add_template_owned(name.to_owned(), template.source.clone())
                .map_err(|error| fault(&theme, name, &error))?;
        }
        Ok(Self { environment, theme })
    }

    /// `name` filled in with `context`.
    pub fn render(&self, name: &str, context: impl Serialize) -> Result<String, TemplateError> {
        let rendered = self.environment.get_template(name).and_then(|found| found.render(Value::from(Serde(context))));
        rendered.map_err(|error| fault(&self.theme, name, &error))
    }
}

/// Every template of the theme that does not compile.
#[must_use]
pub fn faults(theme: &Theme) -> Vec<TemplateError> {
    let mut environment = environment(theme);
    let compiled = theme.templates().map(|(name, template)| {
        let added = environment.add_template_owned(name.to_owned(), template.source.clone());
        added.map_err(|error| fault(theme, name, &error))
    });
    compiled.filter_map(Result::err).collect()
}

fn environment(theme: &Theme) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters are delimiters"));
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() && matches!(state.auto_escape(), AutoEscape::Html) => {
            out.write_str(&escape(text)).map_err(Error::from)
        }
        _ => escape_formatter(out, state, value),
    });
    let links = theme.asset_links();
    environment.add_function("asset", move |name: &str| {
        links.get(name).cloned().ok_or_else(|| {
            let known = links.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            Error::new(ErrorKind::InvalidOperation, format!("there is no asset \"{name}\"; there are {known}"))
        })
    });
    environment.add_function("given", given);
    environment
}

/// All that the template is given, to look at while a theme is being made.
fn given(state: &State<'_, '_>) -> Value {
    let variables =
        state.known_variables().into_iter().filter_map(|name| Some((name.to_string(), state.lookup(&name)?)));
    variables.filter(|(_, value)| value.kind() != ValueKind::Plain).collect::<BTreeMap<String, Value>>().into()
}

/// The innermost cause is what is wrong: the others say which template included or extended it.
fn fault(theme: &Theme, asked: &str, error: &Error) -> TemplateError {
    let mut cause = error;
    while let Some(inner) = std::error::Error::source(cause).and_then(|inner| inner.downcast_ref::<Error>())
        && inner.line().is_some()
    {
        cause = inner;
    }
    let name = cause.name().unwrap_or(asked);
    let template = theme.template(name);
    let text = template.zip(cause.line()).and_then(|(template, line)| template.source.lines().nth(line - 1));
    TemplateError {
        place: template.map_or_else(|| name.to_owned(), |template| template.place.clone()),
        line: cause.line(),
        text: excerpt(text.unwrap_or_default(), SHOWN_CHARS),
        what: match cause.detail() {
            Some(detail) => format!("{}: {detail}", cause.kind()),
            None => cause.kind().to_string(),
        },
    }
}

/// Safe in HTML and XML, in text and in quoted attributes. The stock escaper also encodes every slash, which would make
/// a third of each link unreadable, and it passes characters on that no XML parser accepts.
fn escape(text: &str) -> Cow<'_, str> {
    // Most texts are links, sizes and plain words. Looking at all of them without a branch is several bytes at once.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'');
    if text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    // Most of a text is copied as it is, and in one piece.
    let mut copied = 0;
    for (at, c) in text.char_indices() {
        let instead = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&#34;",
            '\'' => "&#39;",
            c if is_xml_char(c) => continue,
            _ => "",
        };
        escaped.push_str(&text[copied..at]);
        escaped.push_str(instead);
        copied = at + c.len_utf8();
    }
    escaped.push_str(&text[copied..]);
    Cow::Owned(escaped)
}
