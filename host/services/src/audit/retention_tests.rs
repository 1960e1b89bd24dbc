//! What retention removes, and what an attacker with SQLite and no key can make of that.

use super::{retention::remove_for_a_test, *};
use jackfield_config::SecretKeys;
use jackfield_store::{Sealer, audit::Batch};
use time::{Duration, OffsetDateTime};

struct Log {
    audit: Audit,
    retention: Retention,
    clock: Clock,
    _folder: tempfile::TempDir,
}

fn sealer() -> Sealer {
    Sealer::new(SecretKeys::new(["1".repeat(32).as_str()]))
}

/// A log with so many old rows and so many new ones.
async fn log(old: usize, new: usize) -> Log {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}/jackfield.db", folder.path().display());
    let store = Store::open(&url, sealer()).await.expect("a database");
    store.migrate().await.expect("it is migrated");
    let clock = Clock::fixed(OffsetDateTime::UNIX_EPOCH);
    let store = store.with_clock(clock.clone());
    let log = Log {
        audit: Audit::new(store.clone(), clock.clone()),
        retention: Retention::new(store, clock.clone(), None),
        clock,
        _folder: folder,
    };
    log.write(old).await;
    log.clock.advance(Duration::days(500));
    log.write(new).await;
    log
}

fn entry() -> Entry {
    Entry::new(Action::TokenRead, Actor::token(1, "ci")).provider("slack")
}

impl Log {
    async fn write(&self, rows: usize) {
        for _ in 0..rows {
            self.audit.write_all(vec![entry()]).await.expect("it is written");
        }
    }

    fn request(&self, mode: CutMode) -> CutRequest {
        CutRequest { before: self.clock.now() - Duration::days(400), actor: Actor::host(), mode }
    }

    async fn cut(&self) -> Result<i64, CutError> {
        self.retention.cut(&self.request(CutMode::Intact), |_| ()).await
    }

    async fn tamper(&self, sql: &str) {
        self.audit.store.tamper(sql).await.expect("SQL that runs");
    }

    async fn verify(&self, noted: Option<&str>) -> Verification {
        let noted = noted.map(|noted| noted.parse().expect("a head"));
        self.audit.verify(noted.as_ref()).await.expect("it is read")
    }

    async fn ids(&self) -> Vec<i64> {
        let rows = self.audit.after(Filter::default(), 0, 100).await.expect("they are read");
        rows.iter().map(|row| row.id).collect()
    }
}

#[tokio::test]
async fn what_is_too_old_goes_and_what_remains_verifies() {
    let log = log(6, 3).await;
    assert_eq!(log.cut().await.expect("it is removed"), 6);
    assert_eq!(log.ids().await, [7, 8, 9, 10]);
    let verified = log.verify(None).await;
    assert_eq!((verified.breaks.as_slice(), verified.rows(), verified.intact), (&[][..], 4, 4));
    let row = log.audit.after(Filter::default(), 9, 1).await.expect("it is read").remove(0);
    let detail: serde_json::Value = serde_json::from_str(&row.detail).expect("JSON");
    assert_eq!((row.action.as_str(), &detail["until"], &detail["removed"]), ("audit-cut", &6.into(), &6.into()));
    assert_eq!(log.cut().await.expect("there is nothing more"), 0);
    assert_eq!(log.ids().await.len(), 4, "and no row says so");
    log.clock.advance(Duration::days(500));
    log.write(1).await;
    assert_eq!(log.cut().await.expect("the next is removed"), 4);
    assert_eq!(log.ids().await, [11, 12]);
    assert!(log.verify(None).await.is_intact());
}

#[tokio::test]
async fn a_whole_log_can_go_but_for_the_row_that_says_so() {
    let log = log(3, 0).await;
    assert_eq!(log.cut().await.expect("it is removed"), 3);
    assert_eq!(log.ids().await, [4]);
    assert!(log.verify(None).await.is_intact());
    log.write(2).await;
    assert!(log.verify(None).await.is_intact());
}

#[tokio::test]
async fn at_every_moment_of_a_cut_the_log_verifies_and_the_next_one_continues() {
    let log = log(6, 2).await;
    for done in [0, 2, 4] {
        let batch = remove_for_a_test(&log.retention, &log.request(CutMode::Intact), 2).await;
        assert_eq!(batch, Batch::Removed(2));
        let verified = log.verify(None).await;
        assert_eq!((verified.breaks.as_slice(), verified.cut.removed), (&[][..], done + 2));
    }
    assert_eq!(log.cut().await.expect("it is done"), 0);
    assert_eq!(log.ids().await, [7, 8, 9]);
}

#[tokio::test]
async fn another_host_waits_until_the_lease_is_over() {
    let log = log(6, 2).await;
    let lease = log.audit.store.write(audit::lease_cut).await.expect("it is written").expect("it is free");
    assert!(matches!(log.cut().await, Err(CutError::Busy)));
    log.clock.advance(Duration::minutes(6));
    assert_eq!(log.cut().await.expect("it is free again"), 6);
    let late = log.audit.store.write(move |tx| audit::remove_batch(tx, lease, 9, CutMode::Intact)).await;
    assert_eq!(late.expect("it is written"), Batch::Lost);
}

/// What an attacker does after a cut of four of eight rows (the ninth says so).
#[tokio::test]
async fn a_forged_record_and_one_row_too_few_are_found() {
    let missing = |from, until| Break::Missing { from, until };
    for (sql, broken) in [
        ("DELETE FROM audit_log WHERE id = 5", vec![missing(5, 5)]),
        (
            "UPDATE audit_cut SET removed = 5, hash = (SELECT hash FROM audit_log WHERE id = 5); \
             DELETE FROM audit_log WHERE id = 5",
            vec![Break::CutRecord(5), Break::NotAnnounced { from: 5, until: 5 }],
        ),
        ("UPDATE audit_cut SET hash = zeroblob(32)", vec![Break::CutRecord(4), Break::Changed(5), Break::CutRecord(4)]),
        ("UPDATE audit_cut SET removed = 0, target = 0", vec![missing(1, 4)]),
        ("UPDATE audit_cut SET target = 7", vec![Break::CutRecord(4)]),
        ("UPDATE audit_cut SET kept_since = 1", vec![Break::CutRecord(4)]),
        ("UPDATE audit_cut SET mac = x''", vec![Break::CutRecord(4)]),
        ("UPDATE audit_cut SET key_since = 3", vec![Break::CutRecord(4)]),
        ("DELETE FROM audit_log WHERE id = 9", vec![Break::NotAnnounced { from: 1, until: 4 }, missing(9, 9)]),
        (
            "UPDATE audit_log SET detail = replace(detail, '\"until\":4', '\"until\":5') WHERE id = 9",
            vec![Break::Changed(9), Break::NotAnnounced { from: 1, until: 4 }],
        ),
        (
            "INSERT INTO audit_log SELECT 3, date, action, actor_kind, actor_id, actor_name, organization_id, organization, provider, integration_id, external_id, plugin_digest, result, detail, count, hash FROM audit_log WHERE id = 5",
            vec![Break::Before(3)],
        ),
    ] {
        let log = log(4, 4).await;
        log.cut().await.expect("it is removed");
        assert!(log.verify(None).await.is_intact());
        log.tamper(sql).await;
        let mut found = log.verify(None).await.breaks;
        found.sort_by_key(|broken| format!("{broken:?}"));
        let mut broken = broken;
        broken.sort_by_key(|broken| format!("{broken:?}"));
        assert_eq!(found, broken, "{sql}");
    }
}

#[tokio::test]
async fn a_record_that_is_put_back_or_brought_from_later_is_found() {
    let log = log(4, 4).await;
    let begin = "CREATE TABLE log_then AS SELECT * FROM audit_log; CREATE TABLE head_then AS SELECT * FROM audit_head; \
                 CREATE TABLE cut_then AS SELECT * FROM audit_cut";
    log.tamper(begin).await;
    log.cut().await.expect("it is removed");
    log.tamper("CREATE TABLE cut_now AS SELECT * FROM audit_cut").await;
    let put = |from: &str| format!("DELETE FROM audit_cut; INSERT INTO audit_cut SELECT * FROM {from}");
    log.tamper(&put("cut_then")).await;
    assert_eq!(log.verify(None).await.breaks, [Break::Missing { from: 1, until: 4 }]);
    log.write(1).await;
    let all = CutRequest { before: log.clock.now() + Duration::days(1), ..log.request(CutMode::Intact) };
    let next = log.retention.cut(&all, |_| ()).await;
    assert!(matches!(next, Err(CutError::Broken(_))), "nor does the next cut sign it: {next:?}");
    log.tamper(&put("cut_now")).await;
    assert!(log.verify(None).await.is_intact());
    let older = "DELETE FROM audit_log; INSERT INTO audit_log SELECT * FROM log_then WHERE id > 4; \
                 DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM head_then";
    log.tamper(older).await;
    assert_eq!(log.verify(None).await.breaks, [Break::NotAnnounced { from: 1, until: 4 }]);
}

#[tokio::test]
async fn a_noted_head_is_compared_as_far_as_its_row_is_known() {
    let log = log(2, 0).await;
    let gone = log.verify(None).await.head.to_string();
    log.write(1).await;
    let last = log.verify(None).await.head.to_string();
    log.clock.advance(Duration::days(1));
    let before = log.clock.now() - Duration::seconds(1);
    log.write(2).await;
    let kept = log.verify(None).await.head.to_string();
    let request = CutRequest { before, ..log.request(CutMode::Intact) };
    assert_eq!(log.retention.cut(&request, |_| ()).await.expect("it is removed"), 3);
    let of_gone = log.verify(Some(&gone)).await;
    assert!(of_gone.is_intact() && of_gone.is_noted_row_removed);
    for noted in [&last, &kept] {
        let verified = log.verify(Some(noted)).await;
        assert!(verified.is_intact() && !verified.is_noted_row_removed, "{noted}");
    }
    let other = |row: i64| format!("{row}:{}", "0".repeat(64));
    for row in [3, 4] {
        assert_eq!(log.verify(Some(&other(row))).await.breaks, [Break::Other(row)]);
    }
}

#[tokio::test]
async fn what_somebody_has_changed_does_not_vanish_unless_the_operator_says_so() {
    for (sql, broken) in [
        ("UPDATE audit_log SET result = 'failed' WHERE id = 2", Break::Changed(2)),
        ("DELETE FROM audit_log WHERE id = 2", Break::Missing { from: 2, until: 2 }),
        // With other dates, new rows look old.
        ("UPDATE audit_log SET date = 0 WHERE id = 5", Break::Changed(5)),
    ] {
        let log = log(4, 2).await;
        log.tamper(sql).await;
        let refused = log.cut().await;
        assert!(
            matches!(&refused, Err(CutError::Broken(breaks)) if breaks[..] == *std::slice::from_ref(&broken)),
            "{refused:?}"
        );
        assert_eq!(log.verify(None).await.breaks, std::slice::from_ref(&broken), "nothing is removed");
        log.retention.cut(&log.request(CutMode::AlsoIfBroken), |_| ()).await.expect("it is removed");
        let row = log.audit.after(Filter { action: Some(Action::AuditCut), ..Filter::default() }, 0, 9).await;
        assert!(row.expect("it is read")[0].detail.contains(&broken.to_string()), "the log says what was broken");
        assert!(log.verify(None).await.is_intact(), "{sql}");
    }
}

#[tokio::test]
async fn keys_of_which_no_row_is_left_go() {
    let log = log(3, 0).await;
    let renew = |tx: &mut Tx<'_>| audit::append_under_new_key(tx, &Entry::new(Action::KeyRotation, Actor::operator()));
    log.audit.store.write(renew).await.expect("it is written");
    log.write(2).await;
    log.audit.store.write(renew).await.expect("it is written");
    let keys = async || -> Vec<i64> {
        let keys = log.audit.store.read(audit::keys).await.expect("they are read");
        keys.into_iter().map(|(since, _)| since).collect()
    };
    assert_eq!(keys().await, [1, 4, 7]);
    // A clock that is wrong: what announces the cut would be too old itself.
    let request = CutRequest { before: log.clock.now() + Duration::days(1), ..log.request(CutMode::Intact) };
    let batch = remove_for_a_test(&log.retention, &request, 4).await;
    assert_eq!((batch, keys().await), (Batch::Removed(4), vec![4, 7]));
    assert!(log.verify(None).await.is_intact());
    log.retention.cut(&request, |_| ()).await.expect("it is removed");
    assert_eq!(keys().await, [7]);
    assert!(log.verify(None).await.is_intact());
}

#[tokio::test]
async fn the_listing_ends_at_the_cut_and_says_so() {
    let log = log(4, 2).await;
    assert_eq!(log.audit.removed().await.expect("it is read"), None);
    log.cut().await.expect("it is removed");
    let page = log.audit.list(Filter::default(), Some(3), 10).await.expect("it is read");
    assert_eq!((page.rows.len(), page.next), (0, None), "a page that somebody was reading");
    let removed = log.audit.removed().await.expect("it is read").expect("there is a cut");
    assert_eq!((removed.until, removed.kept_since.as_str()), (4, "1970-04-11T00:00:00Z"));
}

#[tokio::test]
async fn another_time_to_keep_works_at_once() {
    let log = log(4, 2).await;
    let running = tokio::spawn(log.retention.clone().run());
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    log.retention.keep(Some(400 * day));
    while log.ids().await != [5, 6, 7] {
        tokio::task::yield_now().await;
    }
    running.abort();
}

#[tokio::test]
async fn a_clock_that_is_years_ahead_costs_a_week_of_the_log_at_a_time() {
    let log = log(4, 2).await;
    log.clock.advance(Duration::days(20 * 365));
    let keep = std::time::Duration::from_secs(400 * 24 * 60 * 60);
    assert_eq!(log.retention.remove_a_span(keep).await.expect("it is removed"), 4);
    assert_eq!(log.ids().await, [5, 6, 7], "those of 500 days later");
    log.clock.advance(-Duration::days(20 * 365));
    assert_eq!(log.retention.remove_a_span(keep).await.expect("nothing is removed"), 0, "the clock is right again");
    assert!(log.verify(None).await.is_intact());
}
