//! The members of a request, each with an error that names it and its value.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value};

/// The members of a request, each of which is there once. Others are ignored.
#[derive(Debug)]
pub(super) struct Members(BTreeMap<&'static str, Value>);

/// What a request may have.
const NAMES: [&str; 11] =
    ["type", "id", "topic", "since", "last", "present", "watch", "text", "base64", "key", "echo"];

/// This many values of lists and objects are kept, for a message about them: no member has any, and a client could make each two bytes
/// that it sends hundreds here.
const MOST_VALUES: usize = 64;

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
                let (mut members, room) = (BTreeMap::new(), Cell::new(MOST_VALUES));
                while let Some(name) = map.next_key::<String>()? {
                    let Some(name) = NAMES.into_iter().find(|known| *known == name) else {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    // RFC 8259 section 4: receivers differ in what they make of a name that is there twice.
                    if members.insert(name, map.next_value_seed(Kept(&room))?).is_some() {
                        return Err(A::Error::custom(format_args!("the member {name} is there twice")));
                    }
                }
                Ok(Members(members))
            }
        }

        from.deserialize_map(Object)
    }
}

/// A value, of which so much is kept as there is room for.
#[derive(Clone, Copy)]
struct Kept<'a>(&'a Cell<usize>);

impl Kept<'_> {
    fn has_room(self) -> bool {
        self.0.replace(self.0.get().saturating_sub(1)) > 0
    }
}

impl<'de> DeserializeSeed<'de> for Kept<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Kept<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        while self.has_room() {
            match list.next_element_seed(self)? {
                Some(value) => kept.push(value),
                None => return Ok(Value::Array(kept)),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Array(kept))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while self.has_room() {
            match map.next_key::<String>()? {
                Some(name) => drop(kept.insert(name, map.next_value_seed(self)?)),
                None => return Ok(Value::Object(kept)),
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Object(kept))
    }
}
