//! What programs do: small calls and streams through the proxy, reads of tokens, lists.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::{
    arguments::{Arguments, Part},
    built::Built,
    connection::Connection,
    jackfield::Jackfield,
    load::{Measured, Outcome, Person, Until, measured, turns},
    nginx::Nginx,
    report::{Report, Row, skipped},
    resources::Group,
    service::{LARGE, PIECE, Service},
    wrk,
};

/// Connections that are kept open, with one request after the other on each.
const CONNECTIONS: usize = 16;
/// The method of the service whose answer is small.
const SMALL: &str = "chat.postMessage";
/// Requests before the clock starts.
const WARM_UP: usize = 2_000;
/// Integrations of the organization: one page of the list.
pub(crate) const INTEGRATIONS: usize = 100;

/// A program that sends the same request again and again.
struct Caller {
    connection: Connection,
    request: Vec<u8>,
    /// What is in each answer.
    expected: &'static str,
}

impl Person for Caller {
    async fn turn(&mut self, number: usize) -> Result<Outcome> {
        let answer = self.connection.ask(&self.request).await?;
        if answer.status == 503 {
            return Ok(Outcome::Refused);
        }
        let is_right = answer.status == 200 && answer.text().contains(self.expected);
        ensure!(is_right, "request {number} was answered with {}: {}", answer.status, answer.text());
        Ok(Outcome::Done)
    }
}

/// A server that is called.
pub(crate) struct Called<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: &'a str,
    pub(crate) group: &'a Group,
    /// Lines of the head.
    pub(crate) head: &'a str,
}

/// Measures the parts that are wanted.
pub(crate) async fn run(arguments: &Arguments, built: &Built, report: &mut Report) -> Result<()> {
    let service = Service::start().await?;
    let host = Jackfield::start(arguments, built, &service)?;
    let (id, group) = (host.fill(INTEGRATIONS).await?, host.group()?);
    let head = format!("authorization: Bearer {}\r\n", host.token()?);
    let jackfield = Called { name: "jackfield", address: host.address(), group: &group, head: &head };
    let nginx = if arguments.alone { None } else { Nginx::start(&service, arguments.server_core)? };
    let peer_group = nginx.as_ref().map(Nginx::group).transpose()?;
    let peer = nginx.as_ref().zip(peer_group.as_ref());
    let peer = peer.map(|(nginx, group)| Called { name: "nginx", address: &nginx.address, group, head: "" });
    let integration = format!("/api/0/organizations/acme/integrations/{id}");
    let proxied = format!("{integration}/proxy");
    if arguments.wants(Part::Proxy) {
        let called = [(Some(&jackfield), format!("{proxied}/{SMALL}")), (peer.as_ref(), format!("/api/{SMALL}"))];
        small(arguments, report, called.iter().filter_map(|(called, path)| called.zip(Some(path.as_str())))).await?;
    }
    if arguments.wants(Part::Stream) {
        report.title("a GiB through the proxy");
        jackfield.streams(report, &proxied).await?;
        if let Some(peer) = &peer {
            peer.streams(report, "/api").await?;
        }
    }
    if arguments.wants(Part::Tokens) {
        report.title(&format!("reads of a token, {CONNECTIONS} connections"));
        jackfield.calls(arguments, report, &format!("{integration}/token/"), "\"accessToken\":").await?;
    }
    if arguments.wants(Part::List) {
        report.title(&format!("lists of {INTEGRATIONS} integrations, {CONNECTIONS} connections"));
        jackfield.calls(arguments, report, "/api/0/organizations/acme/integrations/", "Analytical Engines 99").await?;
    }
    Ok(())
}

/// Small calls, by our load generator and by wrk.
async fn small<'a>(
    arguments: &Arguments,
    report: &mut Report,
    called: impl Iterator<Item = (&'a Called<'a>, &'a str)> + Clone,
) -> Result<()> {
    report.title(&format!("small calls through the proxy, {CONNECTIONS} connections"));
    for (called, path) in called.clone() {
        called.calls(arguments, report, path, "\"ok\":true").await?;
    }
    if !wrk::is_installed() {
        skipped("wrk, because it is not installed: apt-get install wrk");
        return Ok(());
    }
    report.title("the same by wrk");
    for (called, path) in called {
        called.calls_by_wrk(arguments, report, path).await?;
    }
    Ok(())
}

impl Called<'_> {
    /// The same request on all connections, again and again.
    pub(crate) async fn calls(
        &self,
        arguments: &Arguments,
        report: &mut Report,
        path: &str,
        expected: &'static str,
    ) -> Result<()> {
        let mut callers = self.callers(path, expected).await?;
        turns(&mut callers, Until::Count(WARM_UP), 0).await?;
        let before = self.group.memory()?;
        let done: Measured = measured(&mut callers, arguments.until(), 0, self.group).await?;
        report.row(Row::of(self.name, &done).memory(before, self.group.memory()?));
        Ok(())
    }

    /// The body of one answer.
    pub(crate) async fn once(&self, path: &str) -> Result<Vec<u8>> {
        let answer = Connection::to(self.address).await?.ask(&self.request("GET", path, "\r\n")).await?;
        ensure!(answer.status == 200, "{path} was answered with {}: {}", answer.status, answer.text());
        Ok(answer.body)
    }

    /// The same by wrk.
    async fn calls_by_wrk(&self, arguments: &Arguments, report: &mut Report, path: &str) -> Result<()> {
        let before = self.group.usage();
        let url = format!("http://{}{path}", self.address);
        let done = wrk::run(&url, self.head, CONNECTIONS, arguments.seconds).await?;
        let (cpu, seconds) = self.group.usage().since(before);
        report.row(Row::of_wrk(self.name, &done, cpu / seconds / done.rate));
        Ok(())
    }

    async fn callers(&self, path: &str, expected: &'static str) -> Result<Vec<Caller>> {
        let request = self.request("GET", path, "\r\n");
        let mut callers = Vec::new();
        for _ in 0..CONNECTIONS {
            let connection = Connection::to(self.address).await?;
            callers.push(Caller { connection, request: request.clone(), expected });
        }
        Ok(callers)
    }

    fn request(&self, method: &str, path: &str, rest: &str) -> Vec<u8> {
        format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n{}{rest}", self.address, self.head).into_bytes()
    }

    /// Both ways, one after the other.
    async fn streams(&self, report: &mut Report, path: &str) -> Result<()> {
        for direction in ["down", "up"] {
            let mut connection = Connection::to(self.address).await?;
            let (before, memory, begun) = (self.group.usage(), self.group.memory()?, Instant::now());
            match direction {
                "down" => self.download(&mut connection, &format!("{path}/download")).await?,
                _ => self.upload(&mut connection, &format!("{path}/upload")).await?,
            }
            let (seconds, (cpu, _)) = (begun.elapsed().as_secs_f64(), self.group.usage().since(before));
            report.row(Row::of_stream(self.name, direction, seconds, cpu).memory(memory, self.group.memory()?));
        }
        Ok(())
    }

    async fn download(&self, connection: &mut Connection, path: &str) -> Result<()> {
        connection.send(&self.request("GET", path, "\r\n")).await?;
        let bytes = connection.drained().await?;
        ensure!(bytes == LARGE, "{bytes} bytes came");
        Ok(())
    }

    async fn upload(&self, connection: &mut Connection, path: &str) -> Result<()> {
        let length = format!("content-type: application/octet-stream\r\ncontent-length: {LARGE}\r\n\r\n");
        connection.send(&self.request("POST", path, &length)).await?;
        let piece = vec![b'x'; PIECE];
        for _ in 0..LARGE / PIECE {
            connection.send(&piece).await?;
        }
        let answer = connection.answer().await?;
        ensure!(answer.status == 200, "the upload was answered with {}: {}", answer.status, answer.text());
        Ok(())
    }
}
