//! Reading what was rendered, with a parser that forgives nothing.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    /// The text directly inside, unescaped.
    pub(crate) text: String,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    fn new(start: &BytesStart<'_>) -> Self {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.expect("an attribute is well-formed and occurs once");
            let key = String::from_utf8(attribute.key.as_ref().to_vec()).expect("attribute names are UTF-8");
            let value = std::str::from_utf8(&attribute.value).expect("attribute values are UTF-8");
            assert!(!value.contains('<'), "no attribute holds markup");
            (key, quick_xml::escape::unescape(value).expect("every entity is known").into_owned())
        });
        let name = String::from_utf8(start.name().as_ref().to_vec()).expect("names are UTF-8");
        Self { name, attributes: attributes.collect(), text: String::new() }
    }
}

/// The elements of a well-formed document in the order in which they open. The pages are HTML written so that an XML
/// parser accepts them too: a quote or a bracket that escapes from a text is then an error and cannot go unseen.
pub(crate) fn elements(document: &[u8]) -> Vec<Element> {
    let text = std::str::from_utf8(document).expect("a page is UTF-8");
    let mut reader = Reader::from_str(text);
    let mut elements: Vec<Element> = vec![];
    let mut open: Vec<usize> = vec![];
    loop {
        let event = reader.read_event().unwrap_or_else(|error| panic!("{error} in {text}"));
        match event {
            Event::Start(start) => {
                open.push(elements.len());
                elements.push(Element::new(&start));
            }
            Event::Empty(start) => elements.push(Element::new(&start)),
            Event::End(_) => {
                open.pop();
            }
            Event::Text(piece) => {
                let piece = piece.decode().expect("text is UTF-8");
                if let Some(inner) = open.last() {
                    elements[*inner].text.push_str(&piece);
                }
            }
            Event::GeneralRef(entity) => {
                let name = entity.decode().expect("an entity is UTF-8");
                let written = format!("&{name};");
                let piece = quick_xml::escape::unescape(&written).expect("every entity is known").into_owned();
                if let Some(inner) = open.last() {
                    elements[*inner].text.push_str(&piece);
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(open.is_empty(), "every element is closed");
    elements
}

/// The elements called `name`.
pub(crate) fn named<'a>(elements: &'a [Element], name: &'a str) -> impl Iterator<Item = &'a Element> {
    elements.iter().filter(move |element| element.name == name)
}

/// Whether `path` ends in `.extension`.
pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
}
