//! `jackfield inbox`: what services have sent, and handing it on again.

use clap::Subcommand;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    expiry::Expiry,
    lines::{line, plain_json, word_or_none},
};
use jackfield_config::{
    Settings,
    clock::{Clock, rfc3339},
};
use jackfield_services::{
    accounts::{Accounts, OrganizationId},
    inbox::{ReceivedEvent, ReceivedEventId, ReceivedEvents, ReceivedFilter},
    open::open_to_write,
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the events that services have sent to an organization's integrations, the oldest first.
    List {
        /// Slug of the organization.
        org: String,
        #[command(flatten)]
        which: Which,
        /// Print one JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Hand events on again: those with these ids, or all since a time.
    Replay {
        /// Slug of the organization.
        org: String,
        /// Ids of events, from the list.
        #[arg(value_name = "ID", value_parser = event_id, required_unless_present = "since")]
        ids: Vec<ReceivedEventId>,
        #[command(flatten)]
        which: Which,
    },
}

/// Which events are meant.
#[derive(clap::Args)]
pub(super) struct Which {
    /// Only of this provider.
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// Only those that came since: a time ago like 2h or 7d, a date, or a time of RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = Expiry::parse)]
    since: Option<Expiry>,
    /// Only those that came before.
    #[arg(long, value_name = "TIME", value_parser = Expiry::parse)]
    until: Option<Expiry>,
}

/// How many events are read at once.
const PAGE: i64 = 200;

fn event_id(text: &str) -> Result<ReceivedEventId, String> {
    text.parse().map_err(|()| "it must be an id of 32 digits, from `jackfield inbox list`".to_owned())
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<()> {
    let (store, _) = open_to_write(settings).await?;
    let accounts = Accounts::new(store.clone(), Clock::system());
    let events = ReceivedEvents::new(store, Clock::system());
    match command {
        Command::List { org, which, json } => list(&events, accounts.organization(&org).await?.id, which, json).await,
        Command::Replay { org, ids, which } if ids.is_empty() => {
            replay_all(&events, accounts.organization(&org).await?.id, which).await
        }
        Command::Replay { org, ids, .. } => {
            let organization = accounts.organization(&org).await?.id;
            replay(&events, organization, &org, ids).await
        }
    }
}

impl Which {
    fn filter(self) -> ReceivedFilter {
        let now = OffsetDateTime::now_utc();
        let at = |time: Expiry| match time {
            Expiry::After(span) => now - span,
            Expiry::At(at) => at,
        };
        let Self { provider, since, until } = self;
        ReceivedFilter { provider, since: since.map(at), until: until.map(at), ..ReceivedFilter::default() }
    }
}

async fn list(events: &ReceivedEvents, organization: OrganizationId, which: Which, json: bool) -> anyhow::Result<()> {
    let mut filter = which.filter();
    loop {
        let page = events.list(organization, filter.clone(), PAGE).await?;
        for event in &page {
            line!("{}", if json { plain_json(&as_json(event).to_string()) } else { as_line(event) });
        }
        let Some(last) = page.last().filter(|_| i64::try_from(page.len()).is_ok_and(|count| count >= PAGE)) else {
            return Ok(());
        };
        filter.after = Some(last.id);
    }
}

fn as_line(event: &ReceivedEvent) -> String {
    let ReceivedEvent { id, provider, integration, delivery_id, size, received_at, .. } = event;
    let delivery = word_or_none(delivery_id.as_deref());
    let at = rfc3339(*received_at).unwrap_or_default();
    format!("{id} {at} {provider:<16} integration {integration} delivery {delivery} {size} bytes")
}

fn as_json(event: &ReceivedEvent) -> serde_json::Value {
    json!({
        "id": event.id.to_string(), "provider": event.provider, "integration": event.integration.to_string(),
        "deliveryId": event.delivery_id, "size": event.size, "dateReceived": rfc3339(event.received_at),
        "expiresAt": rfc3339(event.expires_at),
    })
}

async fn replay_all(events: &ReceivedEvents, organization: OrganizationId, which: Which) -> anyhow::Result<()> {
    let (mut filter, mut count) = (which.filter(), 0);
    loop {
        let replayed = events.replay_all(organization, filter.clone()).await?;
        count += replayed.count;
        let Some(last) = replayed.more_after else { break };
        filter.after = Some(last);
    }
    line!("replayed {count}");
    Ok(())
}

/// Goes on after one that is not there.
async fn replay(
    events: &ReceivedEvents,
    organization: OrganizationId,
    org: &str,
    ids: Vec<ReceivedEventId>,
) -> anyhow::Result<()> {
    let (mut count, mut missing) = (0, Vec::new());
    for id in ids {
        if events.replay(organization, id).await? {
            count += 1;
        } else {
            missing.push(id.to_string());
        }
    }
    line!("replayed {count}");
    anyhow::ensure!(
        missing.is_empty(),
        "{org} has no event {}\n  help: `jackfield inbox list {org}` shows its events",
        missing.join(", ")
    );
    Ok(())
}
