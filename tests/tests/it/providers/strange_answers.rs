//! Answers of token and account URLs as services send them: compressed, in another encoding, called
//! by another name, with ids that are hard to tell apart, or nothing at all.

use std::io::Write;

use anyhow::Result;
use flate2::{Compression, write::GzEncoder};
use jackfield_test_support::{
    host::Host,
    http_client::{HttpClient, HttpResponse},
    raw_http::RawHttpServer,
};

use crate::app::{ApiClient, AppDatabase, bare, log_line, owner_of_acme, step_error};

/// A declared service whose every byte a test decides.
struct StrangeService {
    server: RawHttpServer,
    host: Host,
    owner: HttpClient,
}

impl StrangeService {
    async fn start() -> Result<Self> {
        let server = RawHttpServer::start().await?;
        let url = format!("http://127.0.0.1:{}", server.port());
        let toml = format!(
            "[http]\nallow-private = [\"127.0.0.1:{}\"]\nmax-response-bytes = 65536\n[providers.acme]\nname = \"Acme\"\n\
             authorize-url = \"{url}/authorize\"\ntoken-url = \"{url}/token\"\nclient-id = \"c\"\n\
             client-secret = \"s\"\naccount = {{ from = \"GET {url}/me\", id = \"id\", name = \"name\" }}\n",
            server.port()
        );
        let host = bare().toml(&toml).start()?;
        let owner = owner_of_acme(&host).await?;
        Ok(Self { server, host, owner })
    }

    /// Goes through a setup in which the service gives these answers for token and account.
    async fn connect(&self, token: Vec<u8>, account: Vec<u8>) -> Result<HttpResponse> {
        let step = self.owner.start_setup("acme", "acme").await?.redirect()?;
        let state = step.query_pairs().find(|(name, _)| name == "state").map(|(_, state)| state.into_owned());
        let back = format!("/extensions/acme/setup/?code=c&state={}", state.unwrap_or_default());
        self.server.answering(&[token, account], self.owner.visit(&back)).await
    }

    async fn external_ids(&self) -> Result<Vec<String>> {
        let stored = AppDatabase::of(&self.host).await?.integrations().await?;
        Ok(stored.into_iter().map(|(installed, _)| installed.integration.external_id).collect())
    }
}

fn answer(head: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = if head.is_empty() { String::new() } else { format!("{head}\r\n") };
    let head = format!("HTTP/1.1 200 OK\r\n{head}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn json(body: impl AsRef<[u8]>) -> Vec<u8> {
    answer("content-type: application/json", body)
}

fn gzip(body: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

const TOKEN: &str = r#"{"access_token": "at", "token_type": "Bearer"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_read_in_whatever_form_they_come() -> Result<()> {
    let service = StrangeService::start().await?;
    let account = r#"{"id": "A1", "name": "Acmé"}"#;
    let utf16: Vec<u8> = account.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases = [
        ("gzip", answer("content-encoding: gzip", gzip(TOKEN)), answer("content-encoding: gzip", gzip(account))),
        ("mark", json(format!("\u{feff}{TOKEN}")), json(format!("\u{feff}{account}"))),
        ("utf-16", json(TOKEN), json([b"\xff\xfe", &*utf16].concat())),
        (
            "latin-1",
            json(TOKEN),
            answer("content-type: text/json; charset=iso-8859-1", b"{\"id\": \"A1\", \"name\": \"Acm\xe9\"}"),
        ),
        ("form as text", answer("content-type: text/plain", "access_token=at&scope=a+b"), json(account)),
        ("form as page", answer("content-type: text/html; charset=UTF-8", "access_token=at"), json(account)),
        ("form as nothing", answer("", "access_token=at"), json(account)),
        ("json as form", answer("content-type: application/x-www-form-urlencoded", TOKEN), json(account)),
        (
            "half a pair",
            json(r#"{"access_token": "at", "team": "\ud83d"}"#),
            json(r#"{"id": "A1", "bio": "\ud83d", "name": "Acmé"}"#),
        ),
        ("odd head", answer("x-folded: a\r\n b\r\nodd line", TOKEN), answer("x-empty:", account)),
    ];
    for (what, token, account) in cases {
        let dialog = service.connect(token, account).await?.dialog()?;
        assert!(dialog.success, "{what}: {}\n{}", dialog.detail(), step_error(&service.host, "acme")?);
        assert_eq!(dialog.data["name"], "Acmé", "{what}");
    }
    assert_eq!(service.external_ids().await?, ["A1"], "all were the same account");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_accounts_never_become_one_however_long_their_numbers_are() -> Result<()> {
    let service = StrangeService::start().await?;
    let mut expected = Vec::new();
    for (id, external) in [
        ("9007199254740992", "9007199254740992"),
        ("9007199254740993", "9007199254740993"),
        ("9007199254740993.0", "9007199254740993"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "18446744073709551616"),
        ("18446744073709551617", "18446744073709551617"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("12345678901234567890124", "12345678901234567890124"),
        ("1e22", "10000000000000000000000"),
        ("10000000000000000000001", "10000000000000000000001"),
        ("1", "1"),
        ("1.0", "1"),
        ("1e400", "1e400"),
    ] {
        let account = format!("{{\"id\": {id}, \"name\": \"Acme\"}}");
        let dialog = service.connect(json(TOKEN), json(account)).await?.dialog()?;
        assert_eq!(dialog.data["externalId"], external, "{id}: {}", dialog.detail());
        expected.push(external.to_owned());
    }
    expected.sort();
    expected.dedup();
    let mut found = service.external_ids().await?;
    found.sort();
    assert_eq!(found, expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_with_half_a_character_is_refused_because_another_account_may_have_it() -> Result<()> {
    let service = StrangeService::start().await?;
    for id in [r#""a\ud83d""#, r#""a\ud83e""#, "\"a\u{fffd}\""] {
        let account = format!("{{\"id\": {id}, \"name\": \"Acme\"}}");
        let dialog = service.connect(json(TOKEN), json(account)).await?.dialog()?;
        assert!(!dialog.success, "{id}");
    }
    let line = log_line(&service.host, "the integration could not be built")?;
    assert!(line.contains("found the character U+FFFD, which it cannot have"), "{line}");
    assert!(service.external_ids().await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_is_named_in_the_log() -> Result<()> {
    let service = StrangeService::start().await?;
    let empty = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_vec();
    let bomb = answer("content-encoding: gzip", gzip(&" ".repeat(100_000)));
    for (token, words) in [
        (answer("content-type: text/xml", "<r><access_token>at</access_token></r>"), "a body that is XML and not JSON"),
        (json(""), "status 200 with a body that is empty"),
        (empty.clone(), "status 204 with a body that is empty"),
        (json("{\"access_token\": \"a"), "a body that is JSON that is cut off"),
        (
            answer("content-encoding: gzip", &gzip(TOKEN)[..20]),
            "the answer's body is said to be in gzip, and is not, or is cut off",
        ),
        (bomb, "the answer is larger than 65536 bytes"),
        (b"SSH-2.0-OpenSSH\r\n".to_vec(), "the answer is not HTTP that can be read"),
    ] {
        let dialog = service.connect(token, Vec::new()).await?.dialog()?;
        let error = step_error(&service.host, "acme")?;
        assert!(!dialog.success && error.contains(words), "{words}: {error}");
    }
    for (account, words) in [
        (empty, "the account's URL answered status 204 and nothing more"),
        (json("{\"id\": \"A1\""), "the account's answer is not JSON: EOF"),
    ] {
        assert!(!service.connect(json(TOKEN), account).await?.dialog()?.success, "{words}");
        let line = log_line(&service.host, words)?;
        assert!(line.contains("the integration could not be built"), "{line}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_is_answered_in_a_coding_is_not_lost() -> Result<()> {
    let service = StrangeService::start().await?;
    let first = json(r#"{"access_token": "at-1", "expires_in": 3600, "refresh_token": "r1"}"#);
    let installed = service.connect(first, json(r#"{"id": "A1"}"#)).await?.dialog()?;
    let client = ApiClient::of_integration(&service.host, &installed.data)?;
    let database = AppDatabase::of(&service.host).await?;
    for (n, coding) in [(2, "gzip"), (3, "x-gzip")] {
        database.let_live("A1", "access", time::Duration::seconds(20)).await?;
        let tokens =
            format!("\u{feff}{{\"access_token\": \"at-{n}\", \"expires_in\": 3600, \"refresh_token\": \"r{n}\"}}");
        let zipped = answer(&format!("content-encoding: {coding}"), gzip(&tokens));
        let token = service.server.answering(&[zipped], client.access_token("access")).await?;
        assert_eq!(token, format!("at-{n}"));
    }
    assert!(!service.host.log()?.contains("the answer of a refresh was lost"));
    Ok(())
}
