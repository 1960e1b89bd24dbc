//! The queue of the audit log on PostgreSQL: what hosts put there becomes one chain, whoever dies,
//! and what somebody with write access to the database does to it is found.

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use jackfield_config::{SecretKeys, clock::Clock};
use jackfield_services::{
    audit::{Action, Actor, Audit, Break, CutMode, CutRequest, Entry, Filter, Retention, Row},
    keys::{Keys, Rotation},
};
use jackfield_store::{Sealer, Store, StoreError, Tx, audit};
use jackfield_test_support::postgres::{fresh_database, sql};
use serde_json::Value;
use time::Duration;

/// A host that puts its entries into the queue, and chains when it is told to.
struct QueueHost {
    store: Store,
    audit: Audit,
    url: String,
}

impl QueueHost {
    async fn start(url: &str) -> Result<Self> {
        let sealer = Sealer::new(SecretKeys::new(["a key that all hosts have, of thirty-two or more"]));
        let store = Store::open(url, sealer).await?;
        store.migrate().await?;
        store.load_keys().await?;
        audit::begin_queueing(&store);
        Ok(Self { audit: Audit::new(store.clone(), Clock::system()), store, url: url.to_owned() })
    }

    /// Two hosts with one database and a key of the log.
    async fn two() -> Result<Option<(Self, Self)>> {
        let Some(url) = fresh_database() else { return Ok(None) };
        let (one, two) = (Self::start(&url).await?, Self::start(&url).await?);
        one.install(0).await?;
        two.install(0).await?;
        one.chain().await?;
        Ok(Some((one, two)))
    }

    async fn install(&self, number: i32) -> Result<()> {
        Ok(self.audit.write_all(vec![entry_of(number)]).await?)
    }

    async fn chain(&self) -> Result<()> {
        self.store.write(|tx| audit::chain_batch(tx, audit::Wait::ForLock)).await?;
        Ok(())
    }

    async fn restore_lost(&self) -> Result<usize> {
        Ok(self.store.write(audit::restore_lost).await?)
    }

    fn sql(&self, text: &str) -> Result<String> {
        sql(&self.url, text)
    }

    fn waiting(&self) -> Result<String> {
        self.sql("SELECT count(*) FROM audit_queue")
    }

    async fn rows(&self) -> Result<Vec<Row>> {
        Ok(self.audit.after(Filter::default(), 0, 1000).await?)
    }

    /// The installs that the log has, in its order, after the two first rows.
    async fn installs(&self) -> Result<Vec<i64>> {
        let rows = self.rows().await?;
        Ok(rows.iter().skip(2).filter_map(|row| detail(row)["number"].as_i64()).collect())
    }

    async fn breaks(&self) -> Result<Vec<Break>> {
        Ok(self.audit.verify(None).await?.breaks)
    }

    /// What the last row says that says that something is wrong.
    async fn report(&self) -> Result<Value> {
        let rows = self.rows().await?;
        Ok(detail(rows.iter().rfind(|row| row.action == Action::AuditKey.as_str()).context("a report")?))
    }

    async fn reason(&self) -> Result<String> {
        Ok(self.report().await?["reason"].as_str().context("a reason")?.to_owned())
    }
}

fn entry_of(number: i32) -> Entry {
    Entry::new(Action::Install, Actor::token(1, "ci")).provider("slack").detail("number", number)
}

fn detail(row: &Row) -> Value {
    serde_json::from_str(&row.detail).unwrap_or_default()
}

/// What the connection has done to tables, as PostgreSQL counts it: all others, and the queue.
const COUNTED: &str = "SELECT coalesce(string_agg(relname || ' ' || coalesce(seq_scan, 0) + coalesce(idx_scan, 0) + n_tup_ins \
                       + n_tup_upd + n_tup_del, ', ' ORDER BY relname) FILTER (WHERE relname NOT IN ('audit_queue', 'before')), ''), \
                       coalesce(sum(n_tup_ins) FILTER (WHERE relname = 'audit_queue'), 0) FROM pg_stat_xact_user_tables";

/// Fails if a transaction does more for an entry of the log than one insert into the queue.
fn count_statements(tx: &mut Tx<'_>, entry: &Entry) -> Result<(), StoreError> {
    tx.tamper(&format!("CREATE TEMP TABLE before (others, queued) ON COMMIT DROP AS {COUNTED}"))?;
    tx.audit(entry)?;
    tx.tamper(&format!(
        "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM before, ({COUNTED}) AS now (others, queued) \
         WHERE now.others = before.others AND now.queued = before.queued + 1) \
         THEN RAISE EXCEPTION 'an entry is more than one insert'; END IF; END $$"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deed_inserts_one_row_and_waits_for_nobody_who_has_the_head() -> Result<()> {
    let Some((one, two)) = QueueHost::two().await? else { return Ok(()) };
    one.store.write(|tx| count_statements(tx, &entry_of(1))).await?;
    let (has_lock, locked) = tokio::sync::oneshot::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let store = two.store.clone();
    let holder = tokio::spawn(async move {
        let hold = move |tx: &mut Tx<'_>| {
            tx.tamper("UPDATE audit_head SET count = count")?;
            let _ = has_lock.send(());
            let _ = released.recv();
            Ok(())
        };
        store.write(hold).await
    });
    locked.await?;
    try_join_all((2..20).map(|number| one.install(number))).await?;
    let chained = one.store.write(|tx| audit::chain_batch(tx, audit::Wait::Never)).await?;
    assert_eq!(chained, audit::Chained::ByAnother);
    drop(release);
    holder.await??;
    assert_eq!(one.installs().await?.len(), 19);
    assert_eq!(one.breaks().await?, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_begin_and_append_at_once_end_in_one_whole_chain() -> Result<()> {
    let Some(url) = fresh_database() else { return Ok(()) };
    let hosts = try_join_all((0..3).map(|_| QueueHost::start(&url))).await?;
    let sequencers: Vec<_> = hosts.iter().map(|host| tokio::spawn(host.audit.sequencer().run())).collect();
    let installs = (0..300).map(|number| hosts[number % 3].install(i32::try_from(number).unwrap_or_default()));
    try_join_all(installs).await?;
    for host in &hosts {
        host.audit.sequencer().end().await?;
        assert_eq!(host.restore_lost().await?, 0, "nothing of it was lost");
    }
    sequencers.iter().for_each(tokio::task::JoinHandle::abort);
    let verified = hosts[0].audit.verify(None).await?;
    assert_eq!((verified.breaks.as_slice(), verified.intact, verified.head.count), (&[][..], 300, 300));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_a_host_that_dies_before_they_are_chained_are_chained_by_another() -> Result<()> {
    let Some((one, two)) = QueueHost::two().await? else { return Ok(()) };
    one.install(1).await?;
    one.install(2).await?;
    drop(one);
    assert_eq!(two.waiting()?, "2");
    let sequencer = tokio::spawn(two.audit.sequencer().run());
    while two.waiting()? != "0" {
        tokio::task::yield_now().await;
    }
    sequencer.abort();
    assert_eq!(two.installs().await?, [1, 2]);
    assert_eq!(two.breaks().await?, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_after_another_deed_is_chained_after_it() -> Result<()> {
    let Some((one, two)) = QueueHost::two().await? else { return Ok(()) };
    for number in 1..=20 {
        let host = if number % 2 == 0 { &one } else { &two };
        host.install(number).await?;
    }
    assert_eq!(one.installs().await?.len(), 20);
    for host in [&one, &two] {
        let of_host = host.installs().await?;
        for parity in [0, 1] {
            let own: Vec<i64> = of_host.iter().copied().filter(|number| number % 2 == parity).collect();
            assert!(own.is_sorted(), "{of_host:?}");
        }
    }
    Ok(())
}

const WRONG_MARK: &str = "was found in the queue (table audit_queue) with a mark that no host has made: it was changed there, \
                          or is nothing that a host has done";

#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_the_queue_is_chained_with_a_row_that_says_so() -> Result<()> {
    for tampering in [
        "UPDATE audit_queue SET entry = replace(entry, 'slack', 'other') WHERE number = 2",
        "UPDATE audit_queue SET date = date + 1 WHERE number = 2",
        "UPDATE audit_queue SET key_since = 2 WHERE number = 2",
        "UPDATE audit_queue SET number = 9 WHERE number = 2",
        "UPDATE audit_queue SET host = host + 1 WHERE number = 2",
        "UPDATE audit_queue SET mark = '' WHERE number = 2",
        "UPDATE audit_queue SET mark = (SELECT mark FROM audit_queue WHERE number = 3) WHERE number = 2",
        "INSERT INTO audit_queue SELECT host, 99, date, key_since, entry, mark FROM audit_queue WHERE number = 2",
    ] {
        let Some((one, _two)) = QueueHost::two().await? else { return Ok(()) };
        one.install(1).await?;
        one.install(2).await?;
        assert_eq!(one.waiting()?, "2", "the first of the host made the key");
        one.sql(&tampering.replace("number = 2", "number = 1").replace("number = 3", "number = 2"))?;
        let breaks = one.breaks().await?;
        assert!(matches!(breaks[..], [Break::Reported(_)]), "{tampering}: {breaks:?}");
        assert!(one.reason().await?.ends_with(WRONG_MARK), "{tampering}: {}", one.reason().await?);
        let head = one.audit.head().await?.to_string();
        let noted = head.parse().map_err(anyhow::Error::msg)?;
        assert!(one.audit.verify(Some(&noted)).await?.is_intact(), "{tampering}: a head noted since settles it");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_in_the_queue_is_quoted_in_the_log() -> Result<()> {
    let Some((one, _two)) = QueueHost::two().await? else { return Ok(()) };
    one.install(1).await?;
    one.sql("UPDATE audit_queue SET entry = 'nothing of a host'")?;
    assert!(matches!(one.breaks().await?[..], [Break::Reported(3)]));
    assert_eq!(one.report().await?["entry"], "nothing of a host");
    assert_eq!(one.restore_lost().await?, 1, "its host still knows what it was");
    assert_eq!(one.installs().await?, [1]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_is_wrong_is_found_while_the_entry_waits() -> Result<()> {
    let Some((one, two)) = QueueHost::two().await? else { return Ok(()) };
    one.install(1).await?;
    one.install(2).await?;
    let unmarked = async || two.store.read(|tx| audit::unmarked(tx, 10)).await;
    assert_eq!(unmarked().await?, []);
    one.sql("UPDATE audit_queue SET date = 0 WHERE number = 2")?;
    assert_eq!(unmarked().await?.iter().map(|origin| origin.number).collect::<Vec<_>>(), [2]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_removed_before_it_is_chained_is_written_again_with_a_row_that_says_so() -> Result<()> {
    let Some((one, two)) = QueueHost::two().await? else { return Ok(()) };
    for number in 1..=3 {
        one.install(number).await?;
    }
    one.sql("DELETE FROM audit_queue WHERE number = 2")?;
    assert_eq!(two.restore_lost().await?, 0, "it is nothing of this host's");
    two.chain().await?;
    assert_eq!(one.restore_lost().await?, 1);
    assert_eq!(one.restore_lost().await?, 0, "once");
    assert_eq!(one.installs().await?, [1, 3, 2]);
    assert_eq!(one.breaks().await?, [Break::Reported(6)]);
    assert!(one.reason().await?.contains("it has written them again, from row 5 on"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_put_in_again_is_not_chained_again_and_a_row_says_so() -> Result<()> {
    let Some((one, _two)) = QueueHost::two().await? else { return Ok(()) };
    one.install(1).await?;
    one.sql("CREATE TABLE copies AS SELECT * FROM audit_queue")?;
    one.chain().await?;
    one.sql("INSERT INTO audit_queue SELECT * FROM copies")?;
    one.chain().await?;
    assert_eq!(one.installs().await?, [1]);
    assert_eq!(one.breaks().await?, [Break::Reported(4)]);
    let report = one.report().await?;
    assert!(report["reason"].as_str().is_some_and(|reason| reason.ends_with("again: row 3 has it")), "{report}");
    assert!(report["entry"].as_str().is_some_and(|entry| entry.contains("\"action\":\"install\"")), "{report}");

    // Who hides where the first one came from changes a row of the chain.
    one.sql("UPDATE audit_log SET number = 77 WHERE id = 3; INSERT INTO audit_queue SELECT * FROM copies")?;
    assert_eq!(one.breaks().await?[..2], [Break::Changed(3), Break::Reported(4)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_from_before_a_cut_is_not_taken_for_a_new_one() -> Result<()> {
    let Some((one, _two)) = QueueHost::two().await? else { return Ok(()) };
    one.install(1).await?;
    one.sql("CREATE TABLE copies AS SELECT * FROM audit_queue")?;
    let retention = Retention::new(one.store.clone(), Clock::system(), None);
    let before = one.store.now() + Duration::seconds(1);
    let request = CutRequest { before, actor: Actor::operator(), mode: CutMode::Intact };
    assert_eq!(retention.cut(&request, |_| ()).await?, 3, "with what waited in the queue");
    assert_eq!(one.breaks().await?, []);
    assert_eq!(one.restore_lost().await?, 0, "it was removed by retention");
    one.sql("INSERT INTO audit_queue SELECT * FROM copies")?;
    assert_eq!(one.breaks().await?, [Break::Reported(6)]);
    assert!(one.reason().await?.starts_with("row 5 was put into the queue"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_of_keys_entries_have_marks_under_the_new_key_only() -> Result<()> {
    let Some((one, two)) = QueueHost::two().await? else { return Ok(()) };
    one.install(1).await?;
    one.sql("CREATE TABLE copies AS SELECT * FROM audit_queue; DELETE FROM audit_queue")?;
    two.install(2).await?;
    Keys::new(two.store.clone()).rotate(Rotation::DataKey, |_| ()).await?;
    assert_eq!(two.waiting()?, "0", "what was there is under the former key");
    one.install(3).await?;
    two.install(4).await?;
    assert_eq!(one.waiting()?, "2");
    assert_eq!(one.breaks().await?, []);
    one.sql("INSERT INTO audit_queue SELECT * FROM copies")?;
    assert!(matches!(one.breaks().await?[..], [Break::Reported(_)]));
    assert!(one.reason().await?.ends_with(WRONG_MARK));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_undone_is_neither_chained_nor_missed() -> Result<()> {
    let Some((one, _two)) = QueueHost::two().await? else { return Ok(()) };
    let undone = one.store.write(|tx: &mut Tx<'_>| {
        tx.audit(&entry_of(1))?;
        Err::<(), _>(StoreError::AlreadyExists)
    });
    assert!(undone.await.is_err());
    let nested = one.store.write(|tx: &mut Tx<'_>| {
        let _ = tx.savepoint(|tx| {
            tx.audit(&entry_of(2))?;
            Err::<(), _>(StoreError::AlreadyExists)
        });
        tx.audit(&entry_of(3))
    });
    nested.await?;
    assert_eq!(one.installs().await?, [3]);
    assert_eq!(one.restore_lost().await?, 0);
    assert_eq!(one.breaks().await?, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_log_is_said_to_be_one_when_the_next_entry_is_chained() -> Result<()> {
    let Some((one, _two)) = QueueHost::two().await? else { return Ok(()) };
    one.sql(
        "DELETE FROM audit_log; DELETE FROM audit_keys; \
             UPDATE audit_head SET count = 0, hash = decode(repeat('00', 32), 'hex'), mac = ''",
    )?;
    one.install(1).await?;
    assert_eq!(one.breaks().await?, [Break::Reported(1)]);
    assert!(one.reason().await?.starts_with("the log was empty although"));
    let rows = one.rows().await?;
    assert_eq!(rows.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(), ["audit-key", "install"]);
    one.install(2).await?;
    assert_eq!(one.breaks().await?, [Break::Reported(1)], "it goes on under the new key");
    Ok(())
}
