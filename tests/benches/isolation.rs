//! What isolation costs: ratios between things measured in one run. `cargo bench -p jackfield-tests
//! --bench isolation`

use std::{
    fs,
    hint::black_box,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use futures_util::future::join_all;
use jackfield_author::check::{CheckOptions, check};
use jackfield_config as config;
use jackfield_loader::{Plugins, ProviderOwners, Request, State, worker};
use jackfield_outbound::Outbound;
use jackfield_test_support::{
    host::{Host, HostBuilder, Program, built_library},
    http_client::HttpClient,
};

const PASSWORD: &str = "correct horse battery";
const CALLS: usize = 5_000;
const ROUNDS: usize = 5;
const MANY: usize = 50;
const USERS: usize = 4;
const COMPUTING: usize = 8;
const LOAD: Duration = Duration::from_secs(4);

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1).peekable();
    if words.peek().is_some_and(|word| word == worker::COMMAND) {
        return worker::main(words.skip(1));
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the benchmark failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    libraries(folder.path())?;
    dispatch(folder.path()).await?;
    starting(folder.path()).await?;
    many(folder.path()).await?;
    computing(folder.path()).await?;
    throughput(folder.path()).await
}

/// Many plugins made of one library: only its provider's number differs.
fn libraries(folder: &Path) -> Result<()> {
    let library = fs::read(built_library("numbered")?)?;
    for number in 0..MANY {
        let mut bytes = library.clone();
        let (from, to) = (b"numbered-00000000", format!("numbered-{number:08}"));
        let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
        places.iter().for_each(|at| bytes[*at..*at + from.len()].copy_from_slice(to.as_bytes()));
        fs::write(folder.join(format!("libnumbered{number}.so")), bytes)?;
    }
    Ok(())
}

fn configuration(folder: &Path, isolation: &str, count: usize) -> Result<config::Settings> {
    let listed: Vec<String> = (0..count).map(|number| format!("\"numbered{number}\"")).collect();
    let text = format!(
        "default-integrations = [{}]\n[plugins]\npath = [{folder:?}]\nisolation = \"{isolation}\"\n",
        listed.join(", ")
    );
    let file = folder.join("jackfield.toml");
    fs::write(&file, text)?;
    Ok(config::load(&file)?)
}

async fn loaded(folder: &Path, isolation: &str, count: usize) -> Result<Plugins> {
    let settings = configuration(folder, isolation, count)?;
    let (plugins, mistakes) =
        Plugins::load(&settings, &ProviderOwners::default(), &Outbound::new(&settings.http)?).await;
    anyhow::ensure!(mistakes.is_empty(), "{mistakes:?}");
    Ok(plugins)
}

fn state() -> State {
    // 1 KiB as JSON.
    let texts = (0..16).map(|number| (format!("key-{number:02}"), "v".repeat(53).into()));
    texts.collect()
}

fn request() -> Request {
    let mut request = Request::new("GET", "https://jackfield.example/extensions/numbered/setup/");
    request.query = (0..5).map(|number| (format!("name-{number}"), format!("value-{number}"))).collect();
    request
}

/// The middle of the rounds' means.
fn middle(mut means: Vec<Duration>) -> Duration {
    means.sort();
    means[means.len() / 2]
}

/// The step of the fixture without any border.
fn direct(request: &Request, state: &State) -> State {
    let (request, mut state) = (request.clone(), state.clone());
    let visits = state.get("visits").and_then(serde_json::Value::as_u64).unwrap_or_default() + 1;
    state.insert("visits".to_owned(), visits.into());
    black_box(request.form("name"));
    state
}

async fn dispatch(folder: &Path) -> Result<()> {
    let (in_process, worker) = (loaded(folder, "in-process", 1).await?, loaded(folder, "process", 1).await?);
    let (state, request) = (state(), request());
    println!(
        "one step with a state of {} bytes, middle of {ROUNDS} rounds of {CALLS} calls",
        serde_json::to_vec(&state)?.len()
    );
    let mut means = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..CALLS {
            black_box(direct(&request, &state));
        }
        means[0].push(begun.elapsed() / CALLS as u32);
        for (at, plugins) in [(1, &in_process), (2, &worker)] {
            let provider = plugins.find("numbered-00000000").context("it is loaded")?;
            let begun = Instant::now();
            for _ in 0..CALLS {
                black_box(provider.run_view("count", request.clone(), state.clone(), &[]).await?);
            }
            means[at].push(begun.elapsed() / CALLS as u32);
        }
    }
    let [direct, in_process, worker] = means.map(middle);
    let ratio = |other: Duration| other.as_secs_f64() / direct.as_secs_f64();
    println!("  direct Rust call  {direct:>12?}");
    println!("  in-process        {in_process:>12?}  {:.1} x direct", ratio(in_process));
    println!(
        "  worker            {worker:>12?}  {:.1} x direct, {:.2} x in-process",
        ratio(worker),
        worker.as_secs_f64() / in_process.as_secs_f64()
    );
    Ok(())
}

async fn starting(folder: &Path) -> Result<()> {
    let mut times = Vec::new();
    let mut kept = None;
    for _ in 0..20 {
        let begun = Instant::now();
        let plugins = loaded(folder, "process", 1).await?;
        times.push(begun.elapsed());
        kept = Some(plugins);
    }
    let library = built_library("numbered")?;
    let mut reports = Vec::new();
    for _ in 0..20 {
        let options = CheckOptions { questions: 0, seed: 1 };
        let report = check(&library, options).await;
        reports.push(report.map_err(|refusal| anyhow::anyhow!("{refusal}"))?.started_in);
    }
    println!("a worker, middle of 20 starts");
    println!("  from spawn to ready            {:>12?}", middle(reports));
    println!("  with reading, hashing, judging {:>12?}", middle(times));
    let kept = kept.context("it was started")?;
    let pid = kept.status().first().and_then(|status| status.pid).context("it runs in a worker")?;
    match fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
        Ok(rollup) => {
            for line in
                rollup.lines().filter(|line| ["Rss", "Pss:", "Private"].iter().any(|word| line.starts_with(word)))
            {
                println!("  {line}");
            }
        }
        Err(error) => println!("  its memory cannot be read: {error}"),
    }
    Ok(())
}

async fn many(folder: &Path) -> Result<()> {
    println!("{MANY} plugins, loaded at once, middle of 5");
    for isolation in ["process", "in-process"] {
        let mut times = Vec::new();
        for _ in 0..5 {
            let begun = Instant::now();
            drop(loaded(folder, isolation, MANY).await?);
            times.push(begun.elapsed());
        }
        println!("  {isolation:<11} {:>12?}", middle(times));
    }
    let mut times = Vec::new();
    for _ in 0..3 {
        let begun = Instant::now();
        let host = host(folder, "process", MANY)?;
        times.push(begun.elapsed());
        drop(host);
    }
    println!("  a whole host, until it listens {:>12?}", middle(times));
    Ok(())
}

/// Several people at once at a step that computes, with one worker and with more.
async fn computing(folder: &Path) -> Result<()> {
    println!("{COMPUTING} people at once at a step that computes, middle of {ROUNDS}: until the last is answered");
    let mut alone = None;
    for workers in [1, 2, 4] {
        let file = configuration(folder, "process", 1)?.file;
        fs::write(&file, format!("{}workers = {workers}\n", fs::read_to_string(&file)?))?;
        let settings = config::load(&file)?;
        let (plugins, _) = Plugins::load(&settings, &ProviderOwners::default(), &Outbound::new(&settings.http)?).await;
        let provider = plugins.find("numbered-00000000").context("it is loaded")?;
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let asked = (0..COMPUTING).map(|_| {
                let mut request = request();
                request.query.push(("rounds".to_owned(), "20000000".to_owned()));
                provider.run_view("count", request, state(), &[])
            });
            for answer in join_all(asked).await {
                answer?;
            }
            times.push(begun.elapsed());
        }
        let time = middle(times);
        let first = *alone.get_or_insert(time);
        println!("  {workers} workers  {time:>12?}  {:.2} x one worker", time.as_secs_f64() / first.as_secs_f64());
    }
    Ok(())
}

fn host(folder: &Path, isolation: &str, count: usize) -> Result<Host> {
    let program = Program { path: env!("CARGO_BIN_EXE_jackfield-host").into(), arguments: Vec::new() };
    let toml = format!("[plugins]\npath = [{folder:?}]\nisolation = \"{isolation}\"");
    let builder = HostBuilder::new(program).toml(&toml).log("error");
    (0..count).fold(builder, |builder, number| builder.listed(&format!("numbered{number}"))).start()
}

/// What users do for some time, with several browsers at once.
async fn throughput(folder: &Path) -> Result<()> {
    println!("{USERS} users for {LOAD:?}, {MANY} plugins, SQLite with full sync");
    let mut rates = Vec::new();
    for isolation in ["in-process", "process"] {
        let host = host(folder, isolation, MANY)?;
        host.user("owner@example.com", PASSWORD)?;
        host.run(&["org", "create", "acme", "--name", "Acme", "--owner", "owner@example.com"], "")?;
        let lists = rate(&host, |user, _| async move {
            let list = user.visit("/api/0/organizations/acme/config/integrations/").await?;
            anyhow::ensure!(list.status == 200);
            Ok(())
        });
        let lists = lists.await?;
        let setups = rate(&host, |user, turn| async move {
            let provider = format!("numbered-{:08}", turn % MANY);
            user.start_setup("acme", &provider).await?;
            let form = [("name", format!("{turn}"))];
            let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            anyhow::ensure!(user.post(&format!("/extensions/{provider}/setup/"), &form).await?.dialog()?.success);
            Ok(())
        });
        let setups = setups.await?;
        println!("  {isolation:<11} {lists:>8.0} lists/s {setups:>8.0} setups/s");
        rates.push((lists, setups));
    }
    let [(lists, setups), (lists_in_workers, set_ups_in_workers)] = rates[..] else { return Ok(()) };
    println!(
        "  workers against in-process: lists {:.2} x, setups {:.2} x",
        lists_in_workers / lists,
        set_ups_in_workers / setups
    );
    Ok(())
}

async fn rate<F>(host: &Host, act: impl Fn(HttpClient, usize) -> F + Clone + Send + 'static) -> Result<f64>
where
    F: Future<Output = Result<()>> + Send,
{
    let (is_over, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut users = Vec::new();
    for _ in 0..USERS {
        let user = HttpClient::logged_in(&host.url, "owner@example.com", PASSWORD).await?;
        let (is_over, turns, act) = (is_over.clone(), turns.clone(), act.clone());
        users.push(tokio::spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                act(user.clone(), turns.fetch_add(1, Ordering::Relaxed)).await?;
            }
            anyhow::Ok(())
        }));
    }
    let begun = Instant::now();
    tokio::time::sleep(LOAD).await;
    is_over.store(true, Ordering::Relaxed);
    for user in users {
        user.await??;
    }
    Ok(turns.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}
