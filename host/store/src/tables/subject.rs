//! Whom a program connects an integration for: a customer of its own, the subject, and tags. Both
//! are the program's words, and the host only keeps and finds them.

use std::collections::BTreeMap;

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    sql_types::Text,
};
use serde::{Deserialize, Serialize};

use crate::error::Unreadable;

/// Most characters of a subject's id and name, and of a tag's value.
pub const LONGEST_VALUE: usize = 255;

/// Most characters of a tag's key.
pub const LONGEST_KEY: usize = 64;

/// Most tags.
pub const MOST_TAGS: usize = 10;

/// A customer of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    id: String,
    name: Option<String>,
}

/// Pairs of text that a program has put on an integration: by key, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromSqlRow)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

/// What is wrong with a subject or with tags, in words for a program's author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// A text is empty.
    #[error("{0} is empty.")]
    Empty(&'static str),
    /// A text has too many characters.
    #[error("{0} has more than {1} characters.")]
    TooLong(&'static str, usize),
    /// A text has control characters.
    #[error("{0} has a control character.")]
    Control(&'static str),
    /// There are too many tags.
    #[error("There are more than {MOST_TAGS} tags.")]
    TooMany,
}

impl Subject {
    /// A subject whose id has 1 to 255 characters, and its name, if it has one, at most 255. No
    /// character is a control character. A blank name is none.
    ///
    /// # Errors
    /// When one of these does not hold.
    pub fn new(id: &str, name: Option<&str>) -> Result<Self, LabelError> {
        check("The subject's id", id, LONGEST_VALUE)?;
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        name.map(|name| check("The subject's name", name, LONGEST_VALUE)).transpose()?;
        Ok(Self { id: id.to_owned(), name: name.map(str::to_owned) })
    }

    /// A subject as it is stored.
    pub(super) const fn stored(id: String, name: Option<String>) -> Self {
        Self { id, name }
    }

    /// The program's id of it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name that people read, if the program has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl Tags {
    /// At most ten tags, with keys of 1 to 64 and values of at most 255 characters. No character is
    /// a control character.
    ///
    /// # Errors
    /// When one of these does not hold.
    pub fn new(tags: BTreeMap<String, String>) -> Result<Self, LabelError> {
        if tags.len() > MOST_TAGS {
            return Err(LabelError::TooMany);
        }
        for (key, value) in &tags {
            check("The key of a tag", key, LONGEST_KEY)?;
            if !value.is_empty() {
                check("The value of a tag", value, LONGEST_VALUE)?;
            }
        }
        Ok(Self(tags))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The pairs, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The pairs, to be searched for.
    #[must_use]
    pub fn into_pairs(self) -> BTreeMap<String, String> {
        self.0
    }

    /// As the column has them.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(&self.0).expect("pairs of text are JSON")
    }
}

impl<DB: Backend> FromSql<Text, DB> for Tags
where
    String: FromSql<Text, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> deserialize::Result<Self> {
        let pairs = serde_json::from_str(&String::from_sql(raw)?);
        pairs.map(Self).map_err(|_| Unreadable("tags").into())
    }
}

fn check(what: &'static str, text: &str, longest: usize) -> Result<(), LabelError> {
    if text.trim().is_empty() {
        return Err(LabelError::Empty(what));
    }
    if text.chars().count() > longest {
        return Err(LabelError::TooLong(what, longest));
    }
    if text.chars().any(char::is_control) {
        return Err(LabelError::Control(what));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_has_an_id_and_both_have_limits() {
        let long = "ü".repeat(LONGEST_VALUE);
        assert!(Subject::new(&long, Some(&long)).is_ok(), "characters count, not bytes");
        assert_eq!(Subject::new("c1", Some("  ")).expect("a subject").name(), None);
        let (id, name) = ("The subject's id", "The subject's name");
        for (wrong, expected) in [
            (Subject::new(" ", None), LabelError::Empty(id)),
            (Subject::new(&format!("{long}x"), None), LabelError::TooLong(id, 255)),
            (Subject::new("c1", Some(&format!("{long}x"))), LabelError::TooLong(name, 255)),
            (Subject::new("c\0", None), LabelError::Control(id)),
            (Subject::new("c1", Some("a\nb")), LabelError::Control(name)),
        ] {
            assert_eq!(wrong, Err(expected));
        }
    }

    #[test]
    fn there_are_ten_tags_at_most_and_each_has_limits() {
        let tags = |count: usize| (0..count).map(|number| (format!("k{number}"), String::new())).collect();
        let one = |key: &str, value: &str| Tags::new(BTreeMap::from([(key.to_owned(), value.to_owned())]));
        assert_eq!(Tags::new(tags(10)).expect("tags").iter().count(), 10);
        assert_eq!(Tags::new(tags(11)), Err(LabelError::TooMany));
        assert!(one(&"k".repeat(64), &"v".repeat(255)).is_ok());
        assert_eq!(one("", "v"), Err(LabelError::Empty("The key of a tag")));
        assert_eq!(one(&"k".repeat(65), "v"), Err(LabelError::TooLong("The key of a tag", 64)));
        assert_eq!(one("k", &"v".repeat(256)), Err(LabelError::TooLong("The value of a tag", 255)));
        assert_eq!(one("k", "\u{7}"), Err(LabelError::Control("The value of a tag")));
    }
}
