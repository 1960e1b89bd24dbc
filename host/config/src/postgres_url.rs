//! URLs of PostgreSQL, read here and nowhere else.
//!
//! They are read as libpq reads them (the section "Connection URIs" of its manual), but strictly:
//! an `@` or `/` that stands as it is in a password makes libpq take a piece of the password for
//! the name of a host, and repeat it in its errors. So libpq gets the parts, and never the URL.
//! No error of this file repeats anything of the URL but the names of parameters.

use std::{fmt, str::FromStr};

use super::{diagnostic::nearest, percent};

/// A PostgreSQL URL in its parts. Its `Debug` and `Display` show hosts, ports and database only.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// What libpq gets: keywords of its own, each once.
    parameters: Vec<(&'static str, String)>,
    is_pooled: bool,
}

/// What is wrong, and what to do.
type Fault = (String, String);

/// For whatever a special character in a password can lead to.
const ENCODE: &str = "write postgres://USER:PASSWORD@HOST/NAME, and special characters of user and password as %XX: \
     %40 for @, %2F for /, %3F for ?, %23 for #, %3A for :, %25 for %";

/// The keywords of libpq 18, without those that only its own tools use.
const KEYWORDS: &[&str] = &[
    "application_name",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_issuer",
    "oauth_scope",
    "options",
    "passfile",
    "password",
    "port",
    "require_auth",
    "requirepeer",
    "scram_client_key",
    "scram_server_key",
    "service",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslpassword",
    "sslrootcert",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

impl PostgresUrl {
    /// Whether a text claims to be one.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        without_scheme(text).is_some()
    }

    /// The keywords of libpq that the URL sets, with their values.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.parameters.iter().map(|(keyword, value)| (*keyword, value.as_str()))
    }

    /// The value of one of libpq's keywords.
    #[must_use]
    pub fn parameter(&self, keyword: &str) -> Option<&str> {
        self.parameters().find(|(set, _)| *set == keyword).map(|(_, value)| value)
    }

    /// Whether it names several servers, of which one takes writes.
    #[must_use]
    pub fn has_several_hosts(&self) -> bool {
        ["host", "hostaddr"].iter().any(|keyword| self.parameter(keyword).is_some_and(|hosts| hosts.contains(',')))
    }

    /// Whether it says `pgbouncer=true`, as some services write their URLs.
    #[must_use]
    pub const fn is_pooled(&self) -> bool {
        self.is_pooled
    }

    /// Whether a secret stands in it.
    #[must_use]
    pub fn has_password(&self) -> bool {
        SECRETS.iter().any(|keyword| self.parameter(keyword).is_some())
    }

    fn set(&mut self, keyword: &'static str, value: String) {
        self.parameters.retain(|(set, _)| *set != keyword);
        self.parameters.push((keyword, value));
    }
}

/// The keywords whose values are secret.
const SECRETS: [&str; 5] = ["password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"];

impl FromStr for PostgresUrl {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let rest = without_scheme(text).ok_or_else(|| wrong("not a PostgreSQL URL"))?;
        if text.chars().any(char::is_control) || text.trim() != text {
            let message = "holds a line end, a blank at its end or another invisible character";
            return Err((message.to_owned(), "write it on one line, and without blanks around it".to_owned()));
        }
        let (user, place) = split_user(rest)?;
        let authority = place.find(['/', '?']).unwrap_or(place.len());
        let (authority, rest) = place.split_at(authority);
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let mut url = Self { parameters: Vec::new(), is_pooled: false };
        url.read_user(user)?;
        url.read_hosts(authority)?;
        url.read_database(path)?;
        query.map_or(Ok(()), |query| url.read_query(query))?;
        Ok(url)
    }
}

fn without_scheme(text: &str) -> Option<&str> {
    text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))
}

fn wrong(message: &str) -> Fault {
    (message.to_owned(), ENCODE.to_owned())
}

/// User and password end at the first `@` before the first `/`. Another `@` behind that stands in
/// the password, and then nobody can tell where the password ends.
fn split_user(rest: &str) -> Result<(Option<&str>, &str), Fault> {
    let end = rest.find(['@', '/']).filter(|at| rest.as_bytes()[*at] == b'@');
    let (user, place) = end.map_or((None, rest), |at| (Some(&rest[..at]), &rest[at + 1..]));
    if place.contains('@') {
        return Err(wrong("holds an `@` where the name of the host or what follows it stands"));
    }
    Ok((user, place))
}

/// Without a value where it is empty: libpq has its own defaults.
fn decoded(text: &str, what: &str) -> Result<Option<String>, Fault> {
    let decoded = percent::decoded(text).map_err(|problem| wrong(&format!("{what}: {problem}")))?;
    Ok(Some(decoded).filter(|text| !text.is_empty()))
}

impl PostgresUrl {
    fn read_user(&mut self, user: Option<&str>) -> Result<(), Fault> {
        let Some(text) = user else { return Ok(()) };
        let (user, password) = text.split_once(':').map_or((text, ""), |(user, password)| (user, password));
        if let Some(user) = decoded(user, "the user")? {
            self.set("user", user);
        }
        if let Some(password) = decoded(password, "the password")? {
            self.set("password", password);
        }
        Ok(())
    }

    fn read_hosts(&mut self, authority: &str) -> Result<(), Fault> {
        if authority.is_empty() {
            return Ok(());
        }
        let (mut hosts, mut ports) = (Vec::new(), Vec::new());
        for place in authority.split(',') {
            let (host, port) = host_and_port(place)?;
            hosts.push(percent::decoded(host).map_err(|problem| wrong(&format!("the host: {problem}")))?);
            ports.push(port);
        }
        if hosts.iter().any(|host| host.contains([',', ' '])) {
            return Err(wrong("the host holds a comma or a blank"));
        }
        if hosts.iter().any(|host| !host.is_empty()) {
            self.set("host", hosts.join(","));
        }
        if ports.iter().any(|port| !port.is_empty()) {
            self.set("port", ports.join(","));
        }
        Ok(())
    }

    fn read_database(&mut self, path: &str) -> Result<(), Fault> {
        if let Some(name) = decoded(path.strip_prefix('/').unwrap_or(path), "the database")? {
            self.set("dbname", name);
        }
        Ok(())
    }

    fn read_query(&mut self, query: &str) -> Result<(), Fault> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs: Vec<(&str, &str)> = pairs
            .map(|pair| pair.split_once('=').ok_or_else(|| wrong("a parameter after the `?` has no `=`")))
            .collect::<Result<_, _>>()?;
        // A `&` in a secret makes a name of what follows it.
        let may_name = !pairs.iter().any(|(name, _)| SECRETS.contains(name));
        for (name, value) in pairs {
            self.read_parameter(name, value, may_name)?;
        }
        Ok(())
    }

    fn read_parameter(&mut self, name: &str, value: &str, may_name: bool) -> Result<(), Fault> {
        match (name, value) {
            // As JDBC writes it, which libpq knows.
            ("ssl", "true") => self.set("sslmode", "require".to_owned()),
            ("pgbouncer", "true" | "false") => self.is_pooled = value == "true",
            _ => {
                let keyword = keyword(name).ok_or_else(|| unknown(name, may_name))?;
                let value = percent::decoded(value).map_err(|problem| wrong(&format!("{keyword}: {problem}")))?;
                if keyword == "port" && !value.split(',').all(is_port) {
                    return Err(wrong(PORT));
                }
                self.set(keyword, value);
            }
        }
        Ok(())
    }
}

/// Whether libpq takes it for a port; an empty one is 5432.
fn is_port(text: &str) -> bool {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.is_empty() || is_number && text.parse::<u16>().is_ok_and(|port| port > 0)
}

const PORT: &str = "the port is not a number from 1 to 65535";

/// The keyword of libpq that a parameter names.
fn keyword(name: &str) -> Option<&'static str> {
    KEYWORDS.iter().copied().find(|keyword| *keyword == name)
}

fn unknown(name: &str, may_name: bool) -> Fault {
    let help =
        || "take one of https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS".to_owned();
    if !may_name {
        let message = "a parameter after the `?` is none of libpq's";
        return (message.to_owned(), "write & and = in a password as %26 and %3D".to_owned());
    }
    let near = nearest(name, KEYWORDS.iter().copied());
    let help = match (name, near) {
        ("schema" | "currentSchema" | "search_path", _) => "write options=-csearch_path%3DNAME instead".to_owned(),
        (_, Some(near)) => format!("did you mean `{near}`?"),
        (_, None) => help(),
    };
    (format!("libpq has no parameter `{name}`"), help)
}

/// `host`, `host:port` or `[address]:port`; both can be empty.
fn host_and_port(place: &str) -> Result<(&str, &str), Fault> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(|| wrong("an address begins with [ and has no ]"))?;
            let port = port.strip_prefix(':').or_else(|| port.is_empty().then_some(port));
            (host, port.ok_or_else(|| wrong("something stands between the ] of an address and its port"))?)
        }
        None => place.split_once(':').unwrap_or((place, "")),
    };
    if is_port(port) { Ok((host, port)) } else { Err(wrong(PORT)) }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |keyword| self.parameter(keyword).unwrap_or_default();
        let hosts = if part("host").is_empty() { part("hostaddr") } else { part("host") };
        let mut ports = part("port").split(',');
        let several = part("port").contains(',');
        f.write_str("postgres://")?;
        for (at, host) in hosts.split(',').enumerate() {
            let port = if several || at == 0 { ports.next().unwrap_or_default() } else { part("port") };
            let comma = if at == 0 { "" } else { "," };
            let colon = if port.is_empty() { "" } else { ":" };
            write!(f, "{comma}{host}{colon}{port}")?;
        }
        write!(f, "/{}", part("dbname"))
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[path = "postgres_url_tests.rs"]
mod tests;
