//! What is older than the operator keeps it is removed, by the host and by hand, and the rest of
//! the log still proves itself.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use insta::{allow_duplicates, assert_snapshot};
use jackfield_config::{SecretKeys, clock::Clock};
use jackfield_services::audit::{Action, Actor, Audit, Entry};
use jackfield_store::{Sealer, Store};
use jackfield_test_support::{
    crashes::{Exit, RandomCrashes, time_to_finish},
    host::{Host, HostBuilder},
    postgres::fresh_database,
};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

use crate::{
    app::{ApiClient, bare, owner_of_acme, program},
    audit::log::rows,
};

const KEY: &str = "5f1d7c0e9b3a48d26e7f90a1b2c3d4e5f6071829";
/// How many rows are old.
const OLD: usize = 1200;
/// How often `audit cut` is killed.
const KILLS: usize = 8;

/// A database in which somebody has read tokens long ago.
struct OldLog {
    url: String,
    store: Store,
    _folder: TempDir,
}

impl OldLog {
    async fn on(url: Option<String>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let url = url.unwrap_or_else(|| format!("sqlite://{}/jackfield.db", folder.path().display()));
        let store = Store::open(&url, Sealer::new(SecretKeys::new([KEY]))).await?;
        store.migrate().await?;
        store.admit().await?;
        let long_ago = Clock::fixed(OffsetDateTime::now_utc() - Duration::days(500));
        let audit = Audit::new(store.clone().with_clock(long_ago.clone()), long_ago);
        let read = || Entry::new(Action::TokenRead, Actor::token(1, "ci")).provider("slack");
        audit.write_all((0..OLD).map(|_| read()).collect()).await?;
        Ok(Self { url, store, _folder: folder })
    }

    /// SQLite, and PostgreSQL where there is one.
    async fn all() -> Result<Vec<Self>> {
        let mut all = vec![Self::on(None).await?];
        if let Some(url) = fresh_database() {
            all.push(Self::on(Some(url)).await?);
        }
        Ok(all)
    }

    fn host(&self, keep: &str) -> HostBuilder {
        let keep = format!("[audit]\nkeep = \"{keep}\"");
        bare().plugin("example").database(Some(self.url.clone())).secret_key(KEY).toml(&keep)
    }
}

/// The id of the oldest row.
fn first(host: &Host) -> Result<usize> {
    Ok(rows(host)?.first().context("a row")?["id"].as_str().context("an id")?.parse()?)
}

/// What `audit verify` says, without dates and hashes.
fn verified(host: &Host) -> Result<String> {
    let said = host.run(&["audit", "verify"], "")?;
    let words = said.split(' ').map(|word| if word.contains("T") && word.contains(':') { "[time]" } else { word });
    let said = words.collect::<Vec<_>>().join(" ");
    Ok(said.lines().filter(|line| !line.starts_with("head ")).collect::<Vec<_>>().join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_removes_what_is_too_old_as_soon_as_the_operator_wants_that() -> Result<()> {
    for log in OldLog::all().await? {
        let host = log.host("forever").start()?;
        let owner = owner_of_acme(&host).await?;
        assert_eq!(first(&host)?, 1);
        host.reconfigure(&log.host("1d"))?;
        let (is_done, said) = host.output(&["reload"])?;
        assert!(!is_done && said.contains("audit.keep: too short"), "{said}");
        host.reconfigure(&log.host("52w"))?;
        assert!(!host.run(&["reload"], "")?.contains("restart"), "it takes it over");
        while first(&host)? <= OLD {
            tokio::task::yield_now().await;
        }
        assert_eq!(first(&host)?, OLD + 1);
        let said = verified(&host)?;
        assert!(said.contains(&format!("rows 1 to {OLD} were removed, as row ")), "{said}");
        let cut = rows(&host)?.into_iter().find(|row| row["action"] == "audit-cut").context("a row says so")?;
        assert_eq!((&cut["actor"]["kind"], &cut["detail"]["removed"]), (&"host".into(), &OLD.into()));

        let page = owner.visit("/organizations/acme/audit/").await?.text;
        assert!(page.contains("they are kept no longer"), "{page}");
        let api = ApiClient::with_token(&host, &host.token("acme", &["org:write"])?);
        let answer = api.get("/api/0/organizations/acme/audit/?cursor=5").await?;
        assert_eq!((answer.status, answer.text.as_str()), (200, "[]"), "a page from before");
        assert!(answer.header("jackfield-audit-kept-since").starts_with("20"), "{:?}", answer.headers);
        let (_, listed) = host.output(&["audit", "list"])?;
        assert!(listed.contains(&format!("rows 1 to {OLD}, from before ")), "{listed}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_by_hand_asks_first_and_says_what_it_does() -> Result<()> {
    for log in OldLog::all().await? {
        let host = log.host("forever").start()?;
        for (arguments, expected) in [
            (&["audit", "cut"][..], "--before"),
            (&["audit", "cut", "--keep", "soon", "--yes"], "--keep must be a time like 400d"),
            (&["audit", "cut", "--before", "2126-01-01", "--yes"], "--before must be a date that is over"),
            (&["audit", "cut", "--keep", "400d"], "nothing is changed"),
        ] {
            let (is_done, said) = host.output(arguments)?;
            assert!(!is_done && said.contains(expected), "{said}");
        }
        assert_eq!(first(&host)?, 1);
        let noted = host.run(&["audit", "verify"], "")?;
        let noted = noted.lines().find_map(|line| line.strip_prefix("head ")).context("a head")?.to_owned();
        let said = host.run(&["audit", "cut", "--keep", "400d", "--yes"], "")?;
        allow_duplicates! {
            assert_snapshot!(said, @"
            rows to remove   1200
            removed          500
            removed          1000
            removed          1200
            removed          1200 in all
            note the new head, which `jackfield audit verify` prints: of an older one, nothing can be said any more
            ");
        }
        assert_eq!(first(&host)?, OLD + 1);
        host.run(&["audit", "verify", "--head", &noted], "")?;
        let old = format!("7:{}", "0".repeat(64));
        let said = host.run(&["audit", "verify", "--head", &old], "")?;
        assert!(said.contains("note: the row of that head was removed"), "{said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_that_is_killed_leaves_a_log_that_verifies_and_the_next_one_continues() -> Result<()> {
    let mut crashes = RandomCrashes::new()?;
    for log in OldLog::all().await? {
        let host = log.host("forever").start()?;
        let cut = || {
            let mut command = Command::new(program().path);
            command.arg("--config").arg(host.folder().join("jackfield.toml")).current_dir(host.folder());
            command.args(["audit", "cut", "--keep", "400d", "--yes"]);
            command
        };
        let longest =
            time_to_finish(Command::new(program().path).arg("--version"))? + std::time::Duration::from_millis(150);
        for _ in 0..KILLS {
            let end = crashes.run(&mut cut(), longest)?;
            let said = verified(&host)?;
            let gone = first(&host)? - 1;
            ensure!(gone == 0 || said.contains(&format!("rows 1 to {gone} were removed")), "{gone}: {said}");
            if end == Exit::Finished {
                break;
            }
            // As if the minutes were over in which the killed one could still write.
            log.store.tamper("UPDATE audit_cut SET leased_until = NULL").await?;
        }
        host.run(&["audit", "cut", "--keep", "400d", "--yes"], "")?;
        assert_eq!(first(&host)?, OLD + 1);
        let cuts = rows(&host)?.into_iter().filter(|row| row["action"] == "audit-cut").count();
        assert_eq!(cuts, 1, "one entry says it, however often it was interrupted");
        verified(&host)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hosts_one_removes_what_is_too_old() -> Result<()> {
    let Some(database) = fresh_database() else { return Ok(()) };
    let log = OldLog::on(Some(database)).await?;
    let (one, two) = (log.host("52w").start()?, log.host("52w").start()?);
    while first(&one)? <= OLD {
        tokio::task::yield_now().await;
    }
    verified(&two)?;
    let cuts = rows(&two)?.into_iter().filter(|row| row["action"] == "audit-cut").count();
    assert_eq!(cuts, 1);
    Ok(())
}
