//! The parameters of a request, from a query, a form or a JSON object.

use std::fmt;

use serde_json::{Map, Value};
use url::form_urlencoded;

/// Names and values, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

/// What is wrong with a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterError {
    /// It is not there.
    Missing(String),
    /// It is there more than once (RFC 6749 section 3.1).
    Repeated(String),
}

impl Parameters {
    /// Those of a query or a form.
    #[must_use]
    pub fn from_form(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The members of a JSON object; `None` if it is not one, or a member is not text.
    #[must_use]
    pub fn from_json(body: &[u8]) -> Option<Self> {
        let object: Map<String, Value> = serde_json::from_slice(body).ok()?;
        let text = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
        object.into_iter().map(text).collect::<Option<_>>().map(Self)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The first of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Takes the one parameter of a name out.
    ///
    /// # Errors
    /// When it is missing or repeated.
    pub fn take(&mut self, name: &str) -> Result<String, ParameterError> {
        self.take_optional(name)?.ok_or_else(|| ParameterError::Missing(name.to_owned()))
    }

    /// Takes the one parameter of a name out, if it is there.
    ///
    /// # Errors
    /// When it is repeated.
    pub fn take_optional(&mut self, name: &str) -> Result<Option<String>, ParameterError> {
        let mut found = self.0.extract_if(.., |(key, _)| key == name);
        let first = found.next().map(|(_, value)| value);
        if found.next().is_some() { Err(ParameterError::Repeated(name.to_owned())) } else { Ok(first) }
    }
}

impl FromIterator<(String, String)> for Parameters {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl fmt::Display for ParameterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "{name} is missing"),
            Self::Repeated(name) => write!(f, "{name} is repeated"),
        }
    }
}

impl std::error::Error for ParameterError {}

impl From<ParameterError> for String {
    fn from(error: ParameterError) -> Self {
        error.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_taken_once_and_may_not_be_repeated() {
        let mut parameters = Parameters::from_form(b"a=1&b=%26&c=2&c=3");
        assert_eq!(parameters.get("b"), Some("&"));
        assert_eq!(parameters.take("a"), Ok("1".to_owned()));
        assert_eq!(parameters.take("a").map_err(String::from), Err("a is missing".to_owned()));
        assert_eq!(parameters.take_optional("c").map_err(String::from), Err("c is repeated".to_owned()));
        assert_eq!(parameters.iter().collect::<Vec<_>>(), [("b", "&")], "all of a repeated one are taken");
    }

    #[test]
    fn json_is_an_object_of_texts() {
        let parameters = Parameters::from_json(br#"{"grant_type": "refresh_token"}"#);
        assert_eq!(parameters.expect("an object").get("grant_type"), Some("refresh_token"));
        for other in ["[]", r#"{"a": 1}"#, "a=1"] {
            assert_eq!(Parameters::from_json(other.as_bytes()), None, "{other}");
        }
    }
}
