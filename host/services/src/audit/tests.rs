//! Verification and counting with a real database. The attacker has SQLite and no key.

use super::{repeats::Kind, *};
use jackfield_config::SecretKeys;
use jackfield_store::{IntegrationId, Sealer};

struct Log {
    audit: Audit,
    _folder: tempfile::TempDir,
}

async fn log(rows: usize) -> Log {
    let log = log_with(Clock::system()).await;
    for _ in 0..rows {
        log.audit.write_all(vec![entry()]).await.expect("it is written");
    }
    log
}

async fn log_with(clock: Clock) -> Log {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}/jackfield.db", folder.path().display());
    let store = Store::open(&url, Sealer::new(SecretKeys::new(["1".repeat(32).as_str()]))).await.expect("a database");
    store.migrate().await.expect("it is migrated");
    Log { audit: Audit::new(store.with_clock(clock.clone()), clock), _folder: folder }
}

fn entry() -> Entry {
    Entry::new(Action::TokenRead, Actor::token(1, "ci")).provider("slack")
}

fn integration(id: i64) -> IntegrationId {
    id.to_string().parse().expect("an id")
}

impl Log {
    async fn tamper(&self, sql: &'static str) {
        self.audit.store.tamper(sql).await.expect("SQL that runs");
    }

    async fn verify(&self, noted: Option<&str>) -> Verification {
        let noted = noted.map(|noted| noted.parse().expect("a head"));
        self.audit.verify(noted.as_ref()).await.expect("it is read")
    }

    async fn counts(&self) -> Vec<i64> {
        let rows = self.audit.after(Filter::default(), 0, 100).await.expect("they are read");
        rows.iter().map(|row| row.count).collect()
    }
}

const fn missing(from: i64, until: i64) -> Break {
    Break::Missing { from, until }
}

#[tokio::test]
async fn tampering_is_found_where_it_was_done() {
    for (sql, broken) in [
        ("UPDATE audit_log SET result = 'failed' WHERE id = 2", vec![Break::Changed(2)]),
        ("DELETE FROM audit_log WHERE id = 2", vec![missing(2, 2)]),
        ("DELETE FROM audit_log WHERE id IN (1, 2)", vec![missing(1, 2)]),
        ("UPDATE audit_log SET id = 9 WHERE id = 2", vec![missing(2, 2), Break::Beyond(9)]),
        ("UPDATE audit_log SET hash = zeroblob(32) WHERE id = 2", vec![Break::Changed(2)]),
        ("UPDATE audit_log SET hash = zeroblob(32) WHERE id = 4", vec![Break::Changed(4)]),
        ("DELETE FROM audit_log WHERE id = 4", vec![missing(4, 4)]),
        (
            "INSERT INTO audit_log SELECT 5, date, action, actor_kind, actor_id, actor_name, organization_id, organization, provider, integration_id, external_id, plugin_digest, result, detail, count, hash FROM audit_log WHERE id = 4",
            vec![Break::Beyond(5)],
        ),
        (
            "INSERT INTO audit_log SELECT -7, date, action, actor_kind, actor_id, actor_name, organization_id, organization, provider, integration_id, external_id, plugin_digest, result, detail, count, hash FROM audit_log WHERE id = 4",
            vec![Break::Before(-7)],
        ),
        (
            "DELETE FROM audit_log WHERE id = 4; UPDATE audit_head SET count = 3, hash = (SELECT hash FROM audit_log WHERE id = 3)",
            vec![Break::Head],
        ),
        ("UPDATE audit_head SET hash = zeroblob(32)", vec![Break::End(4), Break::Head]),
        ("UPDATE audit_head SET count = 0, hash = zeroblob(32)", vec![Break::Beyond(4), Break::Erased]),
        ("DELETE FROM audit_keys", vec![Break::NoKey { from: 1, until: 4 }]),
        (
            "UPDATE audit_log SET id = -1 WHERE id = 2; UPDATE audit_log SET id = 2 WHERE id = 3; UPDATE audit_log SET id = 3 WHERE id = -1",
            vec![Break::Changed(2), Break::Changed(3), Break::Changed(4)],
        ),
        (
            "UPDATE audit_log SET result = 'failed' WHERE id = 1; DELETE FROM audit_log WHERE id = 3",
            vec![Break::Changed(1), missing(3, 3)],
        ),
    ] {
        let log = log(4).await;
        assert!(log.verify(None).await.is_intact());
        log.tamper(sql).await;
        assert_eq!(log.verify(None).await.breaks, broken, "{sql}");
    }
}

/// Two rows whose key is spoilt, and three that were written after that: one says so.
async fn log_with_a_spoilt_key(sql: &'static str) -> Log {
    let log = log(2).await;
    log.tamper(sql).await;
    for _ in 0..2 {
        log.audit.write_all(vec![entry()]).await.expect("it is written");
    }
    log
}

#[tokio::test]
async fn behind_a_key_that_does_not_open_the_rest_of_the_chain_is_verified() {
    let spoilt = "UPDATE audit_keys SET sealed_key = zeroblob(80)";
    for (spoil, is_there) in [(spoilt, true), ("DELETE FROM audit_keys", false)] {
        for (sql, more) in [
            ("SELECT 1", vec![Break::Reported(3)]),
            ("UPDATE audit_log SET result = 'failed' WHERE id = 4", vec![Break::Reported(3), Break::Changed(4)]),
            ("DELETE FROM audit_log WHERE id = 4", vec![Break::Reported(3), missing(4, 4)]),
            ("UPDATE audit_head SET mac = zeroblob(32)", vec![Break::Reported(3), Break::Head]),
        ] {
            let log = log_with_a_spoilt_key(spoil).await;
            log.tamper(sql).await;
            let mut breaks = log.verify(None).await.breaks.into_iter();
            match breaks.next() {
                Some(Break::Key { from: 1, until: 2, .. }) if is_there => {}
                Some(Break::NoKey { from: 1, until: 2 }) if !is_there => {}
                other => panic!("{spoil}: {other:?}"),
            }
            assert_eq!(breaks.collect::<Vec<_>>(), more, "{spoil}; {sql}");
        }
    }
}

/// Everything in the log, gone.
const ERASE: &str = "DELETE FROM audit_log; DELETE FROM audit_keys; \
                     UPDATE audit_head SET count = 0, hash = zeroblob(32), mac = zeroblob(0)";
/// Its last row, and the head as it would be without it but for the code that needs the key.
const CUT: &str = "DELETE FROM audit_log WHERE id = 3; \
                   UPDATE audit_head SET count = 2, hash = (SELECT hash FROM audit_log WHERE id = 2)";

#[tokio::test]
async fn what_was_erased_or_cut_off_is_found_also_after_more_was_written() {
    let add_a_user =
        "INSERT INTO users (email, name, password_hash, is_superuser, date_added) VALUES ('a', 'a', '', 0, 0)";
    for (sql, at_once, row) in [
        (ERASE, Break::Erased, 1),
        ("DELETE FROM audit_log; UPDATE audit_head SET count = 0, hash = zeroblob(32)", Break::Erased, 1),
        (CUT, Break::Head, 3),
    ] {
        let log = log(3).await;
        log.tamper(add_a_user).await;
        log.tamper(sql).await;
        assert_eq!(log.verify(None).await.breaks, [at_once], "{sql}");
        log.audit.write_all(vec![entry()]).await.expect("it is written");
        let verified = log.verify(None).await;
        assert_eq!((verified.breaks, verified.intact), (vec![Break::Reported(row)], row + 1), "{sql}");
        let noted = log.verify(None).await.head.to_string();
        assert!(log.verify(Some(&noted)).await.is_intact(), "a head that was noted since settles it");
    }
}

#[tokio::test]
async fn the_log_of_an_unused_database_is_intact() {
    let log = log(0).await;
    assert!(log.verify(None).await.is_intact());
    log.audit.write_all(vec![entry()]).await.expect("it is written");
    assert_eq!(log.verify(None).await.head.count, 1);
}

#[tokio::test]
async fn a_noted_head_finds_what_an_older_copy_of_the_database_hides() {
    let (log, shorter) = (log(3).await, log(2).await);
    let early = log.verify(None).await.head.to_string();
    log.audit.write_all(vec![entry()]).await.expect("it is written");
    let grown = log.verify(Some(&early)).await;
    assert!(grown.is_intact() && grown.head.count == 4, "it has only grown");
    let found = shorter.verify(Some(&early)).await.breaks;
    assert_eq!(found, [Break::Shorter { count: 2, noted: 3 }]);
    let other = format!("3:{}", "0".repeat(64));
    assert_eq!(log.verify(Some(&other)).await.breaks, [Break::Other(3)]);
}

#[tokio::test]
async fn the_first_of_its_kind_is_written_at_once_and_its_repeats_as_one_row() {
    let log = log(0).await;
    for _ in 0..100 {
        log.audit.count(entry()).await.expect("it is counted");
    }
    assert_eq!(log.counts().await, [1]);
    log.audit.flush().await.expect("it is written");
    assert_eq!(log.counts().await, [1, 99]);
}

#[tokio::test]
async fn callers_at_the_same_time_write_one_first_row() {
    let log = log(0).await;
    let counted = futures_util::future::join_all((0..64).map(|_| log.audit.count(entry()))).await;
    assert!(counted.iter().all(Result::is_ok));
    assert_eq!(log.counts().await, [1]);
    log.audit.flush().await.expect("it is written");
    assert_eq!(log.counts().await, [1, 63]);
}

#[tokio::test]
async fn what_cannot_be_written_stays_counted() {
    let log = log(0).await;
    for _ in 0..10 {
        log.audit.count(entry()).await.expect("it is counted");
    }
    log.tamper("ALTER TABLE audit_log RENAME TO elsewhere").await;
    assert!(log.audit.flush().await.is_err());
    assert!(log.audit.count(entry()).await.is_ok(), "a repeat needs no database");
    let other = Entry::new(Action::ProxyUse, Actor::token(1, "ci"));
    assert!(log.audit.count(other).await.is_err(), "the first of its kind is not to be done");
    log.tamper("ALTER TABLE elsewhere RENAME TO audit_log").await;
    log.audit.flush().await.expect("it is written");
    log.audit.flush().await.expect("there is nothing more");
    assert_eq!(log.counts().await, [1, 10]);
}

#[tokio::test]
async fn the_repeats_of_a_minute_are_written_once_it_is_over() {
    let clock = Clock::fixed(time::OffsetDateTime::UNIX_EPOCH);
    let log = log_with(clock.clone()).await;
    for _ in 0..3 {
        log.audit.count(entry()).await.expect("it is counted");
    }
    log.audit.write_due().await.expect("it is written");
    assert_eq!(log.counts().await, [1], "the minute is not over");
    clock.advance(time::Duration::seconds(60));
    log.audit.count(entry()).await.expect("it is counted");
    assert_eq!(log.counts().await, [1, 2, 1], "the next minute begins after what was counted in the last");
    clock.advance(time::Duration::seconds(60));
    log.audit.write_due().await.expect("it is written");
    assert_eq!(log.counts().await, [1, 2, 1], "nothing was repeated");
}

#[tokio::test]
async fn the_log_is_read_in_pages_with_the_newest_first() {
    let log = log(5).await;
    let page = log.audit.list(Filter::default(), None, 2).await.expect("it is read");
    assert_eq!((page.rows.iter().map(|row| row.id).collect::<Vec<_>>(), page.next), (vec![5, 4], Some(4)));
    let last = log.audit.list(Filter::default(), Some(2), 2).await.expect("it is read");
    assert_eq!((last.rows.len(), last.next), (1, None));
}

#[tokio::test]
async fn counts_are_written_in_one_transaction() {
    let log = log(0).await;
    for id in [1, 1, 2, 2, 3, 3, 3] {
        log.audit.count(entry().integration_id(integration(id))).await.expect("it is counted");
    }
    log.tamper("CREATE TRIGGER full BEFORE INSERT ON audit_log WHEN NEW.id = 6 BEGIN SELECT RAISE(ABORT, 'full'); END")
        .await;
    assert!(log.audit.flush().await.is_err());
    assert_eq!(log.counts().await, [1, 1, 1], "all of them or none");
    log.tamper("DROP TRIGGER full").await;
    log.audit.flush().await.expect("they are written");
    let mut counts = log.counts().await;
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 1, 1, 1, 2]);
}

#[tokio::test]
async fn a_first_event_waits_for_its_own_kind_only() {
    let log = log(0).await;
    let held = log.audit.counter.first.lock(Kind::of(&entry())).await;
    let limit = std::time::Duration::from_secs(20);
    let other = log.audit.count(entry().integration_id(integration(2)));
    tokio::time::timeout(limit, other).await.expect("it does not wait").expect("it is counted");
    tokio::time::timeout(limit, log.audit.flush()).await.expect("it does not wait").expect("it is written");
    assert_eq!(log.counts().await, [1]);
    drop(held);
    log.audit.count(entry()).await.expect("it is counted");
    assert_eq!(log.counts().await, [1, 1]);
}

#[tokio::test]
async fn repeats_name_the_integration_and_the_build_also_after_the_integration_is_gone() {
    let mut log = log(0).await;
    log.audit = log.audit.with_builds(Builds::new(|provider| Some(format!("build of {provider}"))));
    log.tamper(
        "INSERT INTO integrations (id, provider, external_id, name, sort_name, date_added, date_updated) \
         VALUES (7, 'slack', 'T1', 'n', 'n', 0, 0)",
    )
    .await;
    for _ in 0..3 {
        let read = Entry::new(Action::TokenRead, Actor::token(1, "ci")).integration_id(integration(7));
        log.audit.count(read).await.expect("it is counted");
    }
    log.tamper("DELETE FROM integrations").await;
    log.audit.flush().await.expect("it is written");
    let rows = log.audit.after(Filter { integration: Some(integration(7)), ..Filter::default() }, 0, 9).await;
    let recorded: Vec<_> = rows
        .expect("they are read")
        .into_iter()
        .map(|row| (row.count, row.provider, row.external_id, row.plugin_digest))
        .collect();
    let of = |count| (count, Some("slack".to_owned()), Some("T1".to_owned()), Some("build of slack".to_owned()));
    assert_eq!(recorded, [of(1), of(2)]);
}

#[tokio::test]
async fn refused_events_are_counted_apart() {
    let log = log(0).await;
    let refused = || entry().outcome(Outcome::Refused).detail("reason", "out of reach");
    for _ in 0..2 {
        log.audit.count(entry()).await.expect("it is counted");
        log.audit.count(refused()).await.expect("it is counted");
        log.audit.count(refused()).await.expect("it is counted");
    }
    log.audit.flush().await.expect("they are written");
    let rows = log.audit.after(Filter::default(), 0, 9).await.expect("they are read");
    let mut recorded: Vec<_> = rows.into_iter().map(|row| (row.result, row.count)).collect();
    recorded.sort();
    let of = |result: &str, count| (result.to_owned(), count);
    assert_eq!(recorded, [of("ok", 1), of("ok", 1), of("refused", 1), of("refused", 3)]);
}
