//! The members of a request, each with an error that names it and its value.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

/// The members of a JSON object, each of which is there once.
#[derive(Debug)]
pub(super) struct Members(BTreeMap<String, Value>);

/// JavaScript has integers up to this one exactly.
pub(super) const MAX_INTEGER: u64 = (1 << 53) - 1;

impl Members {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| {
            format!("not a request of topics.v1, a JSON object: {} ({error})", shorten(text))
        })
    }

    /// Takes a text.
    pub(super) fn text(&mut self, name: &str) -> Result<String, String> {
        self.optional_text(name)?.ok_or_else(|| format!("the member {name} is missing"))
    }

    /// Takes a text that may be absent, or `null`.
    pub(super) fn optional_text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(name, &other, "a text")),
        }
    }

    /// Takes an integer from 0 to 2^53 − 1 that may be absent, or `null`.
    pub(super) fn optional_integer(&mut self, name: &str) -> Result<Option<u64>, String> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.as_u64().filter(|number| *number <= MAX_INTEGER) {
            Some(number) => Ok(Some(number)),
            None => Err(wrong(name, &value, "an integer from 0 to 2^53 − 1")),
        }
    }

    /// Takes `true` or `false`, or what is meant if it is absent, or `null`.
    pub(super) fn flag(&mut self, name: &str, absent: bool) -> Result<bool, String> {
        match self.take(name) {
            None => Ok(absent),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(wrong(name, &other, "true or false")),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }
}

/// Says what is wrong with a member.
pub(crate) fn wrong(name: &str, value: &Value, wanted: &str) -> String {
    format!("the member {name} is {}, not {wanted}", shorten(&value.to_string()))
}

/// Returns the beginning of a text, for a message about it.
pub(crate) fn shorten(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    // RFC 8259 section 4: receivers differ in what they make of a name that is there twice.
                    if members.contains_key(&name) {
                        return Err(A::Error::custom(format_args!(
                            "the member {} is there twice",
                            shorten(&name)
                        )));
                    }
                    members.insert(name, value);
                }
                Ok(Members(members))
            }
        }

        from.deserialize_map(Object)
    }
}
