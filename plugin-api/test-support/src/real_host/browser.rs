//! A browser, as far as a setup needs one: cookies, forms, one request per connection. HTTP/1.0 on
//! loopback needs no crate.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use url::{Url, form_urlencoded};

use super::urls::URL_PREFIX;

/// Longer than the host takes for any response.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct Browser {
    address: String,
    cookies: BTreeMap<String, String>,
}

/// A response of the host.
pub(super) struct Response {
    pub(super) status: u16,
    /// Target of a redirect. A path if it is within the host.
    pub(super) location: Option<String>,
    pub(super) text: String,
    /// Whether the page reloads itself.
    pub(super) reloads: bool,
}

impl Browser {
    pub(super) const fn new(address: String) -> Self {
        Self { address, cookies: BTreeMap::new() }
    }

    #[track_caller]
    pub(super) fn log_in(&mut self, email: &str, password: &str) {
        let form = [("email", email), ("password", password), ("next", "/")];
        let response = self.post("/auth/login/", &form.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(response.status, 302, "the login fails: {}", response.text);
    }

    pub(super) fn get(&mut self, path: &str) -> Response {
        self.send("GET", path, "")
    }

    pub(super) fn post(&mut self, path: &str, form: &[(String, String)]) -> Response {
        self.send("POST", path, &encoded(form))
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> Response {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: {}\r\ncookie: {}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n{body}",
            URL_PREFIX.trim_start_matches("http://"),
            cookies.join("; "),
            body.len()
        );
        let mut response = Vec::new();
        let sent = TcpStream::connect(&self.address).and_then(|mut stream| {
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.write_all(request.as_bytes())?;
            stream.read_to_end(&mut response)
        });
        sent.unwrap_or_else(|error| panic!("{method} {path}: the host does not answer: {error}"));
        self.read(&String::from_utf8_lossy(&response))
    }

    fn read(&mut self, response: &str) -> Response {
        let (head, text) = response.split_once("\r\n\r\n").unwrap_or((response, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let mut location = None;
        let mut reloads = false;
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            match name.to_ascii_lowercase().as_str() {
                "location" => location = Some(value.strip_prefix(URL_PREFIX).unwrap_or(value).to_owned()),
                "refresh" => reloads = true,
                "set-cookie" => self.store_cookie(value),
                _ => {}
            }
        }
        Response { status: status.unwrap_or_default(), location, text: text.to_owned(), reloads }
    }

    fn store_cookie(&mut self, cookie: &str) {
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
