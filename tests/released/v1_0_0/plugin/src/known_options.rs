//! The field names of an options type, so that the diagnostic of an unknown key can list them.

use serde::{
    de::{self, DeserializeOwned, Deserializer, Visitor},
    forward_to_deserialize_any,
};

/// The fields of a struct, in order. `None` for a type that does not name them, such as a map or a
/// flattened struct.
pub(crate) fn known_options<T: DeserializeOwned>() -> Option<&'static [&'static str]> {
    let mut fields = None;
    let _ = T::deserialize(Introspection(&mut fields));
    fields
}

struct Introspection<'a>(&'a mut Option<&'static [&'static str]>);

/// Ends the deserialization: only the names that it asks for are of interest.
#[derive(Debug)]
struct Stop;

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stop")
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for Introspection<'_> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        Err(Stop)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Stop> {
        *self.0 = Some(fields);
        Err(Stop)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only its field names are read")]
    struct Sample {
        #[serde(rename = "client-id")]
        client_id: String,
        team: Option<String>,
    }

    #[test]
    fn a_struct_names_its_fields_and_a_map_does_not() {
        assert_eq!(known_options::<Sample>(), Some(["client-id", "team"].as_slice()));
        assert_eq!(known_options::<HashMap<String, String>>(), None);
    }
}
