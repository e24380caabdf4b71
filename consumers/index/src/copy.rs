//! Rows as `COPY … FROM STDIN` takes them: the structs of `rows.rs`, which are otherwise bound as JSON, each as a line of
//! its fields.
//!
//! Knows what those rows are made of: numbers, texts, lists of texts (arrays), what may be missing, and [`Document`]s.
//! Anything else is an error, not a guess.

use std::fmt::{Display, Write};

use serde::Serialize;
use serde::ser::{self, Impossible, Serializer};

/// A value whose column is `jsonb`: itself where a row is JSON, the text of its JSON where a row is a line.
#[derive(Serialize)]
pub(crate) struct Document<T>(pub(crate) T);

/// What serde is told a [`Document`] is called.
const DOCUMENT: &str = "Document";

/// Why a row cannot be a line.
#[derive(Debug, thiserror::Error)]
#[error("a row of the read model cannot be copied: {0}")]
pub(crate) struct NotCopyable(String);

/// Lines, ready to be sent.
#[derive(Default)]
pub(crate) struct Lines {
    text: String,
    /// The current line has a column already.
    begun: bool,
}

impl Lines {
    /// Adds a line: the fields of a struct.
    pub(crate) fn line(&mut self, row: &impl Serialize) -> Result<(), NotCopyable> {
        row.serialize(Cell { lines: self, place: Place::Row })?;
        self.text.push('\n');
        self.begun = false;
        Ok(())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Keeps what they lay in, for the next.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
    }
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It is a struct, and its fields are columns.
    Row,
    /// It is a column.
    Column,
    /// It is an element of an array, in quotes.
    Element,
}

/// Serialises the value of a place.
struct Cell<'a> {
    lines: &'a mut Lines,
    place: Place,
}

impl Cell<'_> {
    fn display(self, value: impl Display) -> Result<(), NotCopyable> {
        write!(self.lines.text, "{value}").map_err(ser::Error::custom)
    }

    /// An element is escaped twice, for the array and for the line.
    fn text(self, text: &str) {
        let quoted = self.place == Place::Element;
        let escaped = |byte: u8| match byte {
            b'\\' if quoted => Some(r"\\\\"),
            b'"' if quoted => Some(r#"\\""#),
            b'\\' => Some(r"\\"),
            b'\n' => Some(r"\n"),
            b'\r' => Some(r"\r"),
            b'\t' => Some(r"\t"),
            _ => None,
        };
        let mut from = 0;
        for (at, byte) in text.bytes().enumerate() {
            if let Some(escaped) = escaped(byte) {
                self.lines.text.push_str(&text[from..at]);
                self.lines.text.push_str(escaped);
                from = at + 1;
            }
        }
        self.lines.text.push_str(&text[from..]);
    }
}

impl ser::Error for NotCopyable {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl ser::SerializeStruct for Cell<'_> {
    type Ok = ();
    type Error = NotCopyable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), NotCopyable> {
        if self.lines.begun {
            self.lines.text.push('\t');
        }
        self.lines.begun = true;
        value.serialize(Cell { lines: self.lines, place: Place::Column })
    }

    fn end(self) -> Result<(), NotCopyable> {
        Ok(())
    }
}

/// The literal of an array, as far as it is written.
struct Array<'a> {
    lines: &'a mut Lines,
    separator: char,
}

impl ser::SerializeSeq for Array<'_> {
    type Ok = ();
    type Error = NotCopyable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotCopyable> {
        self.lines.text.push(self.separator);
        self.separator = ',';
        self.lines.text.push('"');
        value.serialize(Cell { lines: self.lines, place: Place::Element })?;
        self.lines.text.push('"');
        Ok(())
    }

    fn end(self) -> Result<(), NotCopyable> {
        self.lines.text.push_str(if self.separator == '{' { "{}" } else { "}" });
        Ok(())
    }
}

/// Methods of [`Serializer`] that write a value as it is displayed.
macro_rules! displayed {
    ($($method:ident($type:ty)),*) => {
        $(fn $method(self, value: $type) -> Result<(), NotCopyable> {
            self.display(value)
        })*
    };
}

fn refused<T>(what: &str) -> Result<T, NotCopyable> {
    Err(NotCopyable(format!("{what} has no column type here; say in copy.rs how it is written")))
}

impl<'a> Serializer for Cell<'a> {
    type Ok = ();
    type Error = NotCopyable;
    type SerializeSeq = Array<'a>;
    type SerializeStruct = Self;
    type SerializeTuple = Impossible<(), NotCopyable>;
    type SerializeTupleStruct = Impossible<(), NotCopyable>;
    type SerializeTupleVariant = Impossible<(), NotCopyable>;
    type SerializeMap = Impossible<(), NotCopyable>;
    type SerializeStructVariant = Impossible<(), NotCopyable>;

    displayed!(
        serialize_bool(bool),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_f32(f32),
        serialize_f64(f64)
    );

    fn serialize_char(self, value: char) -> Result<(), NotCopyable> {
        self.text(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), NotCopyable> {
        self.text(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), NotCopyable> {
        if self.place == Place::Element {
            return refused("a list with gaps");
        }
        self.lines.text.push_str(r"\N");
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotCopyable> {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), NotCopyable> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), NotCopyable> {
        if name != DOCUMENT {
            return value.serialize(self);
        }
        match serde_json::to_string(value).map_err(ser::Error::custom)?.as_str() {
            // As jsonb_populate_recordset has it: no JSON null, but no value.
            "null" => self.serialize_none(),
            json => self.serialize_str(json),
        }
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Array<'a>, NotCopyable> {
        match self.place {
            Place::Row | Place::Element => refused("a list of lists"),
            Place::Column => Ok(Array { lines: self.lines, separator: '{' }),
        }
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Self, NotCopyable> {
        if self.place == Place::Row { Ok(self) } else { refused(name) }
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), NotCopyable> {
        refused("a list of bytes")
    }

    fn serialize_unit(self) -> Result<(), NotCopyable> {
        refused("nothing")
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), NotCopyable> {
        refused(name)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), NotCopyable> {
        refused(name)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, NotCopyable> {
        refused("a tuple")
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, NotCopyable> {
        refused(name)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, NotCopyable> {
        refused(name)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, NotCopyable> {
        refused("a map outside a Document")
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, NotCopyable> {
        refused(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Sample<'a> {
        text: &'a str,
        missing: Option<&'a str>,
        number: i64,
        flag: bool,
        list: &'a [String],
        document: Document<serde_json::Value>,
    }

    fn line(text: &str, list: &[&str], document: serde_json::Value) -> String {
        let list: Vec<String> = list.iter().map(|text| (*text).to_owned()).collect();
        let mut lines = Lines::default();
        let row = Sample { text, missing: None, number: -7, flag: true, list: &list, document: Document(document) };
        lines.line(&row).expect("all of it can be copied");
        String::from_utf8(lines.as_bytes().to_vec()).expect("it was text")
    }

    #[test]
    fn a_row_is_a_line_in_which_nothing_can_be_taken_for_a_separator() {
        let expected = "a\\tb\\nc\\\\N\t\\N\t-7\ttrue\t{\"x,\\\\\"y\",\"\\\\\\\\z\"}\t{\"k\":\"\\\\n\"}\n";
        assert_eq!(line("a\tb\nc\\N", &["x,\"y", "\\z"], serde_json::json!({ "k": "\n" })), expected);
        assert_eq!(line("", &[], serde_json::Value::Null), "\t\\N\t-7\ttrue\t{}\t\\N\n");
    }

    #[test]
    fn what_has_no_column_type_is_refused() {
        #[derive(Serialize)]
        struct Nested {
            value: serde_json::Value,
        }
        for value in [serde_json::json!({ "k": 1 }), serde_json::json!([["a"]]), serde_json::json!([null])] {
            assert!(Lines::default().line(&Nested { value: value.clone() }).is_err(), "{value}");
        }
    }
}
