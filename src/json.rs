//! JSON, read strictly.
//!
//! Readers differ over a name that stands twice in one object: some keep the first value, some the last. What two readers
//! understand differently proves nothing, so it is refused here, at any depth. `serde_json` refuses text behind the value,
//! bytes that are not UTF-8, and more than 128 levels. A byte order mark at the start is passed over.
//!
//! A value takes far more memory than its text: an object with one name about 700 bytes, and its text can be seven. So a text may
//! hold only so much in relation to its length, more than any that says something.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::escape::is_unseen;

/// Why a text is not taken for JSON, with the line and column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// Places that any text may fill, 64 MiB or so.
const MIN_PLACES: usize = 1 << 20;
/// Bytes of text for each place beyond: answers of AWS without blanks have seven, with them ten.
const BYTES_A_PLACE: usize = 3;
/// Places that an object takes beside those of its names and values.
const PLACES_OF_OBJECT: usize = 8;

/// Reads the one value of a text.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let left = Cell::new(MIN_PLACES.max(bytes.len() / BYTES_A_PLACE));
    let mut deserializer = serde_json::Deserializer::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let value = Strict { left: &left }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// A value as people read it. What is not seen is written by its number, as JSON has it.
pub(crate) fn to_text(value: &Value) -> String {
    let pretty = format!("{value:#}");
    let mut text = String::with_capacity(pretty.len() + 1);
    for c in pretty.chars() {
        match c {
            // The lines; those of texts are escaped.
            '\n' => text.push(c),
            c if is_unseen(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => text.push(c),
        }
    }
    text + "\n"
}

/// Makes a value in which no name stands twice.
#[derive(Clone, Copy)]
struct Strict<'l> {
    /// Places that are left.
    left: &'l Cell<usize>,
}

impl Strict<'_> {
    fn fill<E: Error>(self, places: usize) -> Result<(), E> {
        let left = self.left.get().checked_sub(places);
        self.left.set(left.ok_or_else(|| E::custom("too many values for a text of this length"))?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.fill(1)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            self.fill(if object.is_empty() { 1 + PLACES_OF_OBJECT } else { 1 })?;
            if object.contains_key(&name) {
                let shown: String = name.chars().take(80).collect();
                return Err(A::Error::custom(format_args!("the name {shown:?} stands twice in one object")));
            }
            object.insert(name, members.next_value_seed(self)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_serde_json() {
        let texts = [r#"{"a":[1,-2,3.5,"x\n\u00e9",null,true,{"b":{}}],"c":18446744073709551615}"#, "\"x\"", " [ ] "];
        for text in texts {
            let expected: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(parse(text.as_bytes()).expect("JSON"), expected);
            assert_eq!(parse(format!("\u{feff}{text}").as_bytes()).expect("JSON"), expected);
        }
    }

    #[test]
    fn what_is_written_for_people_shows_all_that_it_holds() {
        let value = Value::from("a\u{202e}\u{7f}\u{9b}\u{e0001}\n\u{e9}");
        let text = to_text(&serde_json::json!({ "x": value }));
        assert_eq!(text, "{\n  \"x\": \"a\\u202e\\u007f\\u009b\\udb40\\udc01\\n\u{e9}\"\n}\n");
        assert_eq!(parse(text.as_bytes()).expect("JSON")["x"], value);
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let error = |text: &[u8]| parse(text).expect_err("no JSON").to_string();
        assert_eq!(error(b"{\"a\":1,\n \"a\":1}"), "the name \"a\" stands twice in one object at line 2 column 4");
        for text in [&b"{\"x\":[{\"a\":1,\"b\":{},\"a\":2}]}"[..], b"{\"a\":1,\"\\u0061\":2}"] {
            assert!(error(text).starts_with("the name \"a\" stands twice"), "{}", error(text));
        }
        for text in [&b""[..], b"{}{}", b"{} x", b"\"\xff\"", b"{\"a\":1,}", b"nul", b"[1"] {
            error(text);
        }
        error("[".repeat(129).as_bytes());
        assert!(parse(["[".repeat(120), "]".repeat(120)].concat().as_bytes()).is_ok());
    }

    #[test]
    fn a_text_holds_only_so_much_for_its_length() {
        let list = |item: &str, count: usize| parse(format!("[{}0]", item.repeat(count)).as_bytes());
        let error = list("{\"a\":{\"b\":0}},", 100_000).expect_err("too much").to_string();
        assert!(error.starts_with("too many values for a text of this length at line 1"), "{error}");
        assert!(list("{\"a\":{\"b\":0}},", 40_000).is_ok());
        assert!(list("{\"TagKey\":\"Owner\",\"TagValue\":\"sec\"},", 70_000).is_ok());
        assert!(list("{\"RegionName\":\"eu-west-1\",\"RegionOptStatus\":\"ENABLED\"},", 300_000).is_ok());
    }
}
