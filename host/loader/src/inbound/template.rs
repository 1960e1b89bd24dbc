//! What a service signs: text with parts of the call in it, as `v0:{timestamp}:{body}`.

use super::place::header_name;

/// A template that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Body,
    Timestamp,
    Method,
    Url,
    Header(String),
}

/// The parts of a call that a template can name.
pub(super) struct Parts<'a> {
    /// As they came.
    pub(super) body: &'a [u8],
    /// As it was written in the call.
    pub(super) timestamp: &'a str,
    pub(super) method: &'a str,
    /// The URL that the service called, with its query.
    pub(super) url: &'a str,
    /// A header by its name; empty if there is none.
    pub(super) header: &'a dyn Fn(&str) -> String,
}

/// What to write in braces.
pub(super) const WORDS: &str = "{body}, {timestamp}, {method}, {url} and {header:NAME}";

impl Template {
    /// Reads a template. The error is the word in braces that nobody knows, or what an open brace
    /// begins.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(vec![Part::Body]));
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (word, behind) = after.split_once('}').ok_or_else(|| format!("{{{after}"))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(part(word).ok_or_else(|| format!("{{{word}}}"))?);
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Whether the body is signed.
    pub(super) fn has_body(&self) -> bool {
        self.0.contains(&Part::Body)
    }

    /// Whether the time is signed.
    pub(super) fn has_timestamp(&self) -> bool {
        self.0.contains(&Part::Timestamp)
    }

    /// The bytes that were signed.
    pub(super) fn filled(&self, parts: &Parts<'_>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(parts.body.len() + 64);
        for part in &self.0 {
            match part {
                Part::Text(text) => bytes.extend_from_slice(text.as_bytes()),
                Part::Body => bytes.extend_from_slice(parts.body),
                Part::Timestamp => bytes.extend_from_slice(parts.timestamp.as_bytes()),
                Part::Method => bytes.extend_from_slice(parts.method.as_bytes()),
                Part::Url => bytes.extend_from_slice(parts.url.as_bytes()),
                Part::Header(name) => bytes.extend_from_slice((parts.header)(name).as_bytes()),
            }
        }
        bytes
    }
}

fn part(word: &str) -> Option<Part> {
    Some(match word {
        "body" => Part::Body,
        "timestamp" => Part::Timestamp,
        "method" => Part::Method,
        "url" => Part::Url,
        _ => Part::Header(header_name(word.strip_prefix("header:")?)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_call_stand_in_place_of_their_words() {
        let header = |name: &str| if name == "webhook-id" { "msg_1".to_owned() } else { String::new() };
        let (body, timestamp, method, url) = (&b"{\"a\": 1}\xff"[..], "1700", "POST", "https://j/events/?x=1");
        let parts = Parts { body, timestamp, method, url, header: &header };
        for (template, filled) in [
            ("", &b"{\"a\": 1}\xff"[..]),
            ("{body}", b"{\"a\": 1}\xff"),
            ("v0:{timestamp}:{body}", b"v0:1700:{\"a\": 1}\xff"),
            ("{method}{url}{body}{timestamp}", b"POSThttps://j/events/?x=1{\"a\": 1}\xff1700"),
            ("{header:Webhook-Id}.{timestamp}.{body}", b"msg_1.1700.{\"a\": 1}\xff"),
            ("{header:none}|{body}|", b"|{\"a\": 1}\xff|"),
            ("plain", b"plain"),
        ] {
            assert_eq!(Template::parse(template).expect(template).filled(&parts), filled, "{template}");
        }
    }

    #[test]
    fn a_word_that_nobody_knows_is_named() {
        for (template, word) in
            [("{Body}", "{Body}"), ("a{}", "{}"), ("{body}{open", "{open"), ("{header:a b}", "{header:a b}")]
        {
            assert_eq!(Template::parse(template), Err(word.to_owned()), "{template}");
        }
    }

    #[test]
    fn what_is_signed_is_known() {
        let of = |text| Template::parse(text).map(|template| (template.has_body(), template.has_timestamp()));
        assert_eq!(of(""), Ok((true, false)));
        assert_eq!(of("{timestamp}.{body}"), Ok((true, true)));
        assert_eq!(of("{timestamp}"), Ok((false, true)));
    }
}
