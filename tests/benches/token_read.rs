//! What reading a valid token costs the host, on one core, from SQLite. `cargo bench -p
//! jackfield-tests --bench token_read`

use std::{
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use jackfield_store::{
    grants::{self, NewGrant, NewTokens, Scopes, Tokens},
    integrations::{self, NewIntegration},
    organization_integrations, organizations,
};
use jackfield_test_support::host::{Host, HostBuilder, Program};
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Connections that are kept open, one request after the other on each.
const CALLERS: usize = 16;
const LOAD: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let program = Program { path: env!("CARGO_BIN_EXE_jackfield-host").into(), arguments: Vec::new() };
    let host = HostBuilder::new(program).plugin("example").log("error").start()?;
    host.run(&["org", "create", "acme", "--name", "Acme"], "")?;
    let id = install(&host).await?;
    let scopes = ["--scope", "integrations:token", "--scope", "org:read"];
    let words: Vec<&str> = ["token", "create", "acme", "--name", "bench"].into_iter().chain(scopes).collect();
    let token = host.run(&words, "")?.trim().to_owned();
    pin(host.pid(), "0")?;
    pin(std::process::id(), "1")?;
    println!("{CALLERS} callers for {LOAD:?}, the host on one core, SQLite with full sync");
    let mut rates = Vec::new();
    for (what, path) in [
        ("one integration, without its token", format!("/api/0/organizations/acme/integrations/{id}/")),
        ("its token", format!("/api/0/organizations/acme/integrations/{id}/token/")),
    ] {
        let (rate, cpu) = rate(&host, &path, &token).await?;
        println!("  {what:<36} {rate:>8.0} reads/s, {:>6.1} µs of the host's core each", cpu * 1e6);
        rates.push(rate);
    }
    println!("  the token against the integration {:.2} x", rates[1] / rates[0]);
    Ok(())
}

/// An integration with a grant that is valid for an hour.
async fn install(host: &Host) -> Result<String> {
    let store = host.store().await?;
    let now = OffsetDateTime::now_utc();
    let id = store.write(move |tx| {
        let acme = organizations::by_slug(tx, "acme")?.expect("it was created");
        let new =
            NewIntegration { provider: "example".to_owned(), external_id: "T1".to_owned(), name: "Acme".to_owned() };
        let (stored, _) = integrations::install(tx, &new)?;
        organization_integrations::install(
            tx,
            acme.id,
            stored.id,
            organization_integrations::NewLink::of_person(None, &serde_json::Map::new()),
        )?;
        let tokens = Tokens { access_token: format!("xoxb-{}", "a".repeat(60)), ..Tokens::default() };
        let expires_at = Some(now + time::Duration::HOUR);
        let new = NewTokens { tokens, scopes: Scopes::default(), expires_at, due_at: None, is_single_use: None };
        let grant = NewGrant { name: "bot".to_owned(), subject: String::new(), is_of_account: false, new };
        grants::put(tx, stored.id, acme.id, vec![grant])?;
        Ok(stored.id)
    });
    Ok(id.await?.to_string())
}

/// All threads of a process.
fn pin(process: u32, core: &str) -> Result<()> {
    let pinned = Command::new("taskset").args(["-acp", core, &process.to_string()]).output()?;
    ensure!(pinned.status.success(), "taskset: {}", String::from_utf8_lossy(&pinned.stderr));
    Ok(())
}

/// Reads per second, and the host's machine time for each, in seconds.
async fn rate(host: &Host, path: &str, token: &str) -> Result<(f64, f64)> {
    let (is_over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let address = host.url.trim_start_matches("http://").to_owned();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n");
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (is_over, count, address, request) = (is_over.clone(), count.clone(), address.clone(), request.clone());
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await?;
                while !is_over.load(Ordering::Relaxed) {
                    ask(&mut stream, &request).await?;
                    count.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(())
            })
        })
        .collect();
    let (begun, used) = (Instant::now(), machine_time(host.pid())?);
    tokio::time::sleep(LOAD).await;
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await??;
    }
    let done = count.load(Ordering::Relaxed) as f64;
    Ok((done / begun.elapsed().as_secs_f64(), (machine_time(host.pid())? - used) / done))
}

async fn ask(stream: &mut TcpStream, request: &str) -> Result<()> {
    stream.write_all(request.as_bytes()).await?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).await?;
        ensure!(read > 0, "the host hung up");
        answer.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let length: usize = length.context("a length")?;
        if body.len() >= length {
            return Ok(());
        }
    }
}

/// Seconds that a process has computed so far (proc(5): fields 14 and 15, in hundredths).
fn machine_time(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit_once(") ").context("a name in brackets")?.1.split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / 100.0)
}
