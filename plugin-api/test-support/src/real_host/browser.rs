//! A person at a browser, as far as a set-up needs one: cookies, forms, one request a connection. HTTP/1.0 on loopback needs no crate.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use url::{Url, form_urlencoded};

use super::URL_PREFIX;

/// Longer than the host takes for anything.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Browser {
    address: String,
    cookies: BTreeMap<String, String>,
}

/// An answer of the host's, read to its end.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Where a redirect leads; within the host, by its path.
    pub(super) location: Option<String>,
    pub(super) text: String,
    /// Whether the page looks again by itself.
    pub(super) waits: bool,
}

impl Browser {
    pub(super) const fn at(address: String) -> Self {
        Self { address, cookies: BTreeMap::new() }
    }

    #[track_caller]
    pub(super) fn log_in(&mut self, email: &str, password: &str) {
        let form = [("email", email), ("password", password), ("next", "/")];
        let answer = self.post("/auth/login/", &form.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(answer.status, 302, "the log-in fails: {}", answer.text);
    }

    pub(super) fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "")
    }

    pub(super) fn post(&mut self, path: &str, form: &[(String, String)]) -> Answer {
        self.send("POST", path, &encoded(form))
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: {}\r\ncookie: {}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n{body}",
            URL_PREFIX.trim_start_matches("http://"),
            cookies.join("; "),
            body.len()
        );
        let mut answer = Vec::new();
        let sent = TcpStream::connect(&self.address).and_then(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(request.as_bytes())?;
            stream.read_to_end(&mut answer)
        });
        sent.unwrap_or_else(|error| panic!("{method} {path}: the host does not answer: {error}"));
        self.read(&String::from_utf8_lossy(&answer))
    }

    fn read(&mut self, answer: &str) -> Answer {
        let (head, text) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let (mut location, mut waits) = (None, false);
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            match name.to_ascii_lowercase().as_str() {
                "location" => location = Some(value.strip_prefix(URL_PREFIX).unwrap_or(value).to_owned()),
                "refresh" => waits = true,
                "set-cookie" => self.keep_cookie(value),
                _ => {}
            }
        }
        Answer { status: status.unwrap_or_default(), location, text: text.to_owned(), waits }
    }

    fn keep_cookie(&mut self, cookie: &str) {
        let pair = cookie.split(';').next().unwrap_or_default();
        if let Some((name, value)) = pair.split_once('=') {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

pub(super) fn encoded(pairs: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A query parameter of an absolute URL.
pub(super) fn query(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
