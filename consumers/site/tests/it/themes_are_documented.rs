//! `THEMES.md` tells makers of themes what each template is given: all of it, and nothing that is not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use atelier_site::check::site;
use atelier_site::templates;
use atelier_site::theme::Theme;
use serde_json::Value;
use tempfile::TempDir;

use crate::sample;

/// By field, what it is.
type Fields = BTreeMap<String, String>;

/// The tables of the page by their headings: those of templates by the template's name, those of shapes by the shape's.
fn documented() -> BTreeMap<String, Fields> {
    let mut tables: BTreeMap<String, Fields> = BTreeMap::new();
    let mut heading = String::new();
    for line in include_str!("../../THEMES.md").lines() {
        if let Some(found) = line.strip_prefix("### ") {
            let name = found.trim_start_matches("An ").trim_start_matches("A ").trim_matches('`');
            name.clone_into(&mut heading);
            tables.insert(heading.clone(), Fields::new());
        } else if let Some((field, rest)) = line.strip_prefix("| `").and_then(|row| row.split_once("` | ")) {
            let kind = rest.split(" |").next().expect("a row has a second cell");
            let before =
                tables.get_mut(&heading).expect("a table has a heading").insert(field.to_owned(), kind.to_owned());
            assert!(before.is_none(), "{heading}: {field} stands there once");
        }
    }
    tables
}

struct Comparing<'a> {
    tables: &'a BTreeMap<String, Fields>,
    /// Fields that were given, by table.
    given: BTreeSet<(String, String)>,
    /// Fields that are none, or not there, at times.
    absent: BTreeSet<(String, String)>,
    faults: BTreeSet<String>,
}

impl Comparing<'_> {
    fn table(&mut self, table: &str, given: &Value) {
        let fields = &self.tables[table];
        let Some(given) = given.as_object() else {
            self.faults.insert(format!("{table}: it is {given}"));
            return;
        };
        for name in given.keys().filter(|name| !fields.contains_key(*name)) {
            self.faults.insert(format!("{table}: `{name}` is given and not in the table"));
        }
        for (name, kind) in fields {
            let at = (table.to_owned(), name.clone());
            match (given.get(name), kind.strip_prefix("maybe "), kind.strip_prefix("sometimes ")) {
                (None, _, Some(_)) | (Some(Value::Null), Some(_), _) => {
                    self.absent.insert(at);
                }
                (Some(value), maybe, sometimes) => {
                    self.given.insert(at);
                    self.value(&format!("{table}: `{name}`"), maybe.or(sometimes).unwrap_or(kind), value);
                }
                // Named once no sample has had it.
                (None, _, None) => {}
            }
        }
    }

    fn value(&mut self, place: &str, kind: &str, value: &Value) {
        if let Some(kind) = kind.strip_prefix("list of ") {
            match value.as_array() {
                Some(values) => values.iter().for_each(|value| self.value(place, kind, value)),
                None => drop(self.faults.insert(format!("{place} is no list"))),
            }
            return;
        }
        let is_right = match kind {
            "text" => value.is_string(),
            "number" => value.is_number(),
            "yes or no" => value.is_boolean(),
            "anything" => true,
            shape if self.tables.contains_key(shape) => return self.table(shape, value),
            _ => false,
        };
        if !is_right {
            self.faults.insert(format!("{place} is no {kind} but {value}"));
        }
    }
}

/// What each template is given while the sample is rendered.
fn given() -> Vec<(String, Value)> {
    let folder = TempDir::new().expect("a temporary folder");
    fs::create_dir(folder.path().join("templates")).expect("created");
    for name in templates::names() {
        let tells = format!("{{\"template\":\"{name}\",\"given\":{{{{ given()|tojson }}}}}}");
        fs::write(folder.path().join("templates").join(name), tells).expect("written");
    }
    let theme = Theme::read(folder.path()).expect("it is a theme");
    let (works, _) = atelier_site::sample::gallery();
    let site = site(sample::meta(), theme, works.into_iter().map(Into::into)).expect("the sample can be shown");
    let mut found = vec![];
    let mut tell = |text: &str| {
        let Ok(Value::Object(mut told)) = serde_json::from_str(text) else { return };
        if let Some(Value::String(name)) = told.remove("template") {
            let given = told.remove("given").expect("it is told");
            // What a listing is given of a work is what its card says.
            let card = given["cards"].as_str().and_then(|cards| serde_json::from_str(cards.lines().next()?).ok());
            if let Some(Value::Object(mut card)) = card {
                found.push(("card.html".to_owned(), card.remove("given").expect("it is told")));
            }
            found.push((name, given));
        }
    };
    for file in site.files() {
        let page = site.render(file).expect("every page of the sample renders");
        let text = String::from_utf8_lossy(&page.bytes).into_owned();
        tell(&text);
        if page.path == "feed.json" {
            let feed: Value = serde_json::from_str(&text).expect("the feed is JSON");
            for item in feed["items"].as_array().expect("a feed has items") {
                tell(item["content_html"].as_str().expect("an item has HTML"));
            }
        }
    }
    found
}

#[test]
fn the_tables_for_makers_of_themes_name_every_field_of_every_template_and_no_other() {
    let tables = documented();
    let mut comparing =
        Comparing { tables: &tables, given: BTreeSet::new(), absent: BTreeSet::new(), faults: BTreeSet::new() };
    let given = given();
    for name in templates::names().filter(|name| !name.starts_with('_')) {
        if !tables.contains_key(name) {
            comparing.faults.insert(format!("`{name}` has no table"));
        } else if given.iter().all(|(template, _)| template != name) {
            comparing.faults.insert(format!("the sample has no page of `{name}`"));
        }
    }
    for (name, given) in given.iter().filter(|(name, _)| tables.contains_key(name)) {
        comparing.table(name, given);
    }
    for (table, fields) in &tables {
        for (name, kind) in fields {
            let at = (table.clone(), name.clone());
            if !comparing.given.contains(&at) {
                comparing.faults.insert(format!("{table}: `{name}` is in the table, and never given"));
            }
            let is_optional = kind.starts_with("maybe ") || kind.starts_with("sometimes ");
            if is_optional && !comparing.absent.contains(&at) {
                comparing.faults.insert(format!("{table}: `{name}` is always given, and \"{kind}\" in the table"));
            }
        }
    }
    let faults: Vec<String> = comparing.faults.into_iter().collect();
    assert!(faults.is_empty(), "THEMES.md is not true:\n{}", faults.join("\n"));
}
