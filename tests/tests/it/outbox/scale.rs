//! Many programs and several hosts at once.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result};
use jackfield_test_support::{
    postgres::databases,
    webhook_receiver::{WebhookReceiver, WebhookReply},
};
use serde_json::json;

use super::outbox_app::{OutboxApp, builder};
use crate::app::{add_example, log_in, owner_of_acme};

/// The secret key of both hosts.
const KEY: &str = "a key that all hosts have, of more than thirty-two characters";
/// All of one organization.
const PROGRAMS: usize = 64;

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_never_answers_holds_up_none_of_64_others() -> Result<()> {
    let app = OutboxApp::start_with(None, |request| match &*request.path {
        "/hangs" => WebhookReply::Nothing,
        _ => WebhookReply::Status(200),
    })
    .await?;
    for number in 0..PROGRAMS - 1 {
        app.endpoint(&format!("/{number}"), json!({})).await?;
    }
    app.endpoint("/hangs", json!({})).await?;
    for number in 0..3 {
        add_example(&app.owner, "acme", &format!("Number {number}")).await?;
    }
    for number in 0..PROGRAMS - 1 {
        app.receiver.wait_for(&format!("/{number}"), 3).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_deliver_nothing_twice() -> Result<()> {
    for database in databases().into_iter().flatten() {
        let receiver = WebhookReceiver::start(|_| WebhookReply::Status(200)).await?;
        let start = || builder(&receiver, Some(database.clone())).secret_key(KEY).start();
        let first = start()?;
        let owner = owner_of_acme(&first).await?;
        let second = start()?;
        let on_second = log_in(&second, "owner@example.com").await?;
        let app = OutboxApp { host: first, receiver, owner };
        app.endpoint("/hook", json!({})).await?;
        let count = 40;
        for number in 0..count / 2 {
            let (one, other) = (format!("A{number}"), format!("B{number}"));
            let added = tokio::join!(add_example(&app.owner, "acme", &one), add_example(&on_second, "acme", &other));
            added.0?;
            added.1?;
        }
        let received = app.receiver.wait_for("/hook", count).await?;
        let ids: BTreeSet<_> = received.iter().map(|request| request.header("webhook-id").to_owned()).collect();
        assert_eq!((received.len(), ids.len()), (count, count));
        drop(second);
    }
    Ok(())
}

/// Kills of a host while it records and delivers. `JACKFIELD_KILLS` asks for more.
fn kills() -> usize {
    std::env::var("JACKFIELD_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_host_loses_no_event_and_invents_none() -> Result<()> {
    for database in databases() {
        let app = OutboxApp::start(database.clone()).await?;
        app.endpoint("/hook", json!({})).await?;
        let OutboxApp { mut host, receiver, mut owner } = app;
        for round in 0..kills() {
            // Something is recorded, and something is on its way, when the host is killed.
            let is_killed = Arc::new(AtomicBool::new(false));
            let added = tokio::spawn({
                let (owner, is_killed) = (owner.clone(), is_killed.clone());
                async move {
                    let mut number = 0;
                    while !is_killed.load(Ordering::Relaxed) {
                        let _ = add_example(&owner, "acme", &format!("{round}-{number}")).await;
                        number += 1;
                    }
                }
            });
            receiver.wait_for("/hook", receiver.received("/hook").len() + 1 + round % 3).await?;
            host.signal("KILL")?;
            is_killed.store(true, Ordering::Relaxed);
            added.await?;
            host = host.killed_and_restarted(builder(&receiver, database.clone()))?;
            owner = log_in(&host, "owner@example.com").await?;
        }
        let list = owner.visit("/api/0/organizations/acme/integrations/?per_page=100").await?;
        anyhow::ensure!(list.status == 200, "{}", list.text);
        let store = host.store().await?;
        let kept = store.read(|tx| {
            let acme = jackfield_store::organizations::by_slug(tx, "acme")?.expect("acme").id;
            let most = 10_000;
            Ok(jackfield_store::outgoing_events::after(tx, acme, None, most)?
                .into_iter()
                .map(|event| event.id)
                .collect::<Vec<_>>())
        });
        let kept: BTreeSet<String> = kept.await?.into_iter().map(|id| format!("evt_{id}")).collect();
        let integrations = store.read(|tx| {
            let acme = jackfield_store::organizations::by_slug(tx, "acme")?.expect("acme").id;
            Ok(jackfield_store::integrations::of_organization(tx, acme, None, 10_000)?.len())
        });
        assert_eq!(kept.len(), integrations.await?, "an event of each integration, and no other");
        let mut ids = BTreeSet::new();
        let mut count = kept.len();
        while ids != kept {
            let received = receiver.wait_for("/hook", count).await?;
            ids = received.iter().map(|request| request.header("webhook-id").to_owned()).collect();
            assert!(ids.is_subset(&kept), "none is invented");
            count = received.len() + 1;
        }
        let first = receiver.received("/hook").into_iter().next().context("one")?;
        assert_eq!(first.json()?["type"], "integration.connected");
    }
    Ok(())
}
