//! `jackfield audit`.

use std::io::{BufWriter, Write, stdout};

use clap::Subcommand;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    audit_cut,
    lines::{line, plain_json, unless_nobody_reads, word, word_or_none},
};
use jackfield_config::{Settings, clock::Clock};
use jackfield_services::open::open_store;
use jackfield_services::{
    accounts::Accounts,
    audit::{Audit, AuditOut, Filter, NotedHead, RemovedOut, Row},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Check that no row was changed or removed, and print the head of the chain. Keep the head
    /// elsewhere, for --head.
    Verify {
        /// A head that an earlier run printed: it must still be in the chain.
        #[arg(long, value_name = "N:HASH")]
        head: Option<NotedHead>,
    },
    /// Print the log, oldest first.
    List {
        /// Slug of an organization; by default all.
        #[arg(long, value_name = "SLUG")]
        organization: Option<String>,
        /// Only from this time on, like 2026-11-25T00:00:00Z.
        #[arg(long, value_name = "TIME", value_parser = time_of)]
        since: Option<OffsetDateTime>,
        /// Print one JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Remove the oldest rows now. The host removes by itself what is older than [audit] keep.
    Cut(audit_cut::Arguments),
}

/// How many rows are read at once.
const BATCH: i64 = 500;

fn time_of(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "a time of RFC 3339, like 2026-11-25T00:00:00Z".to_owned())
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<()> {
    if let Command::Cut(arguments) = command {
        return audit_cut::run(arguments, settings).await;
    }
    let (store, _) = open_store(settings).await?;
    store.migrate().await?;
    let (audit, accounts) = (Audit::new(store.clone(), Clock::system()), Accounts::new(store, Clock::system()));
    match command {
        Command::Verify { head } => verify(&audit, head.as_ref()).await,
        Command::List { organization, since, json } => {
            let mut filter = Filter { since, ..Filter::default() };
            if let Some(slug) = organization {
                filter.organization = Some(accounts.organization(&slug).await?.id);
            }
            tell_what_is_gone(&audit, since).await?;
            list(&audit, filter, json).await
        }
        Command::Cut(_) => unreachable!("it has run above"),
    }
}

async fn verify(audit: &Audit, noted: Option<&NotedHead>) -> anyhow::Result<()> {
    let verified = audit.verify(noted).await?;
    anyhow::ensure!(verified.is_intact(), "the audit log is broken{verified}");
    line!("{} rows, none changed", verified.rows());
    if verified.cut.removed > 0 {
        let RemovedOut { until, kept_since, date } = RemovedOut::from(&verified.cut);
        line!(
            "rows 1 to {until} were removed, as row {} says: what is older than {kept_since}, on {date}",
            verified.cut.entry
        );
    }
    if verified.is_noted_row_removed {
        line!("note: the row of that head was removed, so nobody can say whether it was the same; note the new head");
    }
    line!("head {}", verified.head);
    Ok(())
}

/// On standard error: what is printed is the log.
async fn tell_what_is_gone(audit: &Audit, since: Option<OffsetDateTime>) -> anyhow::Result<()> {
    if let (None, Some(RemovedOut { until, kept_since, date })) = (since, audit.removed().await?) {
        eprintln!("rows 1 to {until}, from before {kept_since}, were removed on {date}");
    }
    Ok(())
}

async fn list(audit: &Audit, filter: Filter, json: bool) -> anyhow::Result<()> {
    let mut out = BufWriter::new(stdout());
    let mut last = 0;
    loop {
        let rows = audit.after(filter.clone(), last, BATCH).await?;
        let Some(row) = rows.last() else { return Ok(unless_nobody_reads(out.flush())?) };
        last = row.id;
        let line = |row: Row| if json { json_line(&row.into()) } else { text_line(&row.into()) };
        if let Err(error) = rows.into_iter().try_for_each(|row| writeln!(out, "{}", line(row))) {
            // Nobody reads the rest of the buffer either.
            let _ = out.into_parts();
            return Ok(unless_nobody_reads(Err(error))?);
        }
    }
}

fn json_line(row: &AuditOut) -> String {
    plain_json(&serde_json::to_string(row).expect("texts and numbers are JSON"))
}

fn text_line(row: &AuditOut) -> String {
    let AuditOut { id, date, action, result, detail, count, .. } = row;
    let actor = word(row.actor.name.as_deref().unwrap_or(&row.actor.kind));
    let [organization, provider, account] =
        [&row.organization, &row.provider, &row.external_id].map(|text| word_or_none(text.as_deref()));
    let detail = plain_json(&detail.to_string());
    format!("{id:>6} {date} {action:<20} {result:<7} {actor} {organization} {provider} {account} {count} {detail}")
}
