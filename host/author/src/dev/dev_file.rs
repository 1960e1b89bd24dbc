//! `dev.toml` beside the plugin's Cargo.toml: the options while it is being written, and the
//! answers to its requests.

use std::{collections::BTreeMap, fs, io, path::Path};

use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};

/// The file. A missing file is an empty one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DevFile {
    /// `[options.ID]`: the operator's table of a provider.
    pub(super) options: BTreeMap<String, toml::Table>,
    /// `[token]`: members of the token response, added or replaced.
    pub(super) token: Map<String, Value>,
    /// `[id-token]`: claims of the ID token, added or replaced.
    #[serde(rename = "id-token")]
    pub(super) id_token: Map<String, Value>,
    /// `[userinfo]`: claims of the userinfo response, added or replaced.
    pub(super) userinfo: Map<String, Value>,
    /// `[answers."URL"]`, or `[answers."METHOD URL"]`.
    answers: BTreeMap<String, ScriptedAnswer>,
}

/// The answer to a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ScriptedAnswer {
    #[serde(deserialize_with = "status")]
    pub(super) status: StatusCode,
    #[serde(deserialize_with = "headers")]
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) json: Option<Value>,
    pub(super) text: Option<String>,
    /// No answer comes, for this reason.
    pub(super) failure: Option<String>,
}

impl DevFile {
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        match fs::read_to_string(file) {
            Ok(text) => text.parse(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The best match: with the method before without, and the whole URL before the one without its
    /// query.
    pub(super) fn answer(&self, method: &str, url: &str) -> Option<&ScriptedAnswer> {
        let plain = url.split(['?', '#']).next().unwrap_or(url);
        let keys = [format!("{method} {url}"), url.to_owned(), format!("{method} {plain}"), plain.to_owned()];
        keys.iter().find_map(|key| self.answers.get(key))
    }
}

impl std::str::FromStr for DevFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
    }
}

fn status<'de, D: Deserializer<'de>>(from: D) -> Result<StatusCode, D::Error> {
    let number = u16::deserialize(from)?;
    let status = StatusCode::from_u16(number).ok().filter(|status| (200..600).contains(&status.as_u16()));
    status.ok_or_else(|| D::Error::custom(format!("{number} is no status of an answer: write 200 to 599")))
}

fn headers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(HeaderName, HeaderValue)>, D::Error> {
    let written = BTreeMap::<String, String>::deserialize(from)?;
    let pair = |(name, value): (String, String)| {
        let pair = name.parse::<HeaderName>().ok().zip(value.parse::<HeaderValue>().ok());
        pair.ok_or_else(|| D::Error::custom(format!("`{}` is no header", name.escape_debug())))
    };
    written.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_match_is_given() {
        let file: DevFile = r#"
            [answers]
            "https://a.example/x" = { text = "any" }
            "POST https://a.example/x" = { text = "posted" }
            "https://a.example/x?page=2" = { text = "second" }
        "#
        .parse()
        .expect("it is right");
        let text = |method: &str, url: &str| file.answer(method, url).and_then(|answer| answer.text.clone());
        assert_eq!(text("GET", "https://a.example/x?page=1").as_deref(), Some("any"));
        assert_eq!(text("GET", "https://a.example/x?page=2").as_deref(), Some("second"));
        assert_eq!(text("POST", "https://a.example/x?page=1").as_deref(), Some("posted"));
        assert_eq!(text("GET", "https://a.example/y"), None);
        assert_eq!(file.answer("GET", "https://a.example/x").expect("scripted").status, StatusCode::OK);
    }

    #[test]
    fn what_is_wrong_is_reported_with_its_line() {
        for (text, message) in [
            ("[answer]", "unknown field `answer`"),
            ("[answers.\"https://a.example\"]\nstatus = 99", "99 is no status of an answer"),
            ("[answers.\"https://a.example\"]\nheaders = { \"a b\" = \"c\" }", "`a b` is no header"),
            ("options = 1", "line 1"),
        ] {
            let error = text.parse::<DevFile>().expect_err("it is wrong");
            assert!(error.contains(message) && error.contains("line"), "{error}");
        }
    }
}
