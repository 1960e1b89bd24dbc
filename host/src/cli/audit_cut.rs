//! `jackfield audit cut`: removes old rows of the audit log by hand.

use std::io::Write;

use anyhow::bail;
use clap::Args;
use time::OffsetDateTime;

use super::{confirm::confirm, expiry::Expiry, lines::line};
use jackfield_config::{Settings, clock::Clock, span};
use jackfield_services::{
    audit::{Actor, CutError, CutMode, CutRequest, Retention},
    open::open_to_write,
};

#[derive(Args)]
pub(super) struct Arguments {
    /// Remove what was written before this, like 2026-01-31 or 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = Expiry::parse, required_unless_present = "keep", conflicts_with = "keep")]
    before: Option<Expiry>,
    /// Remove what is older than this, like 400d.
    #[arg(long, value_name = "SPAN")]
    keep: Option<String>,
    /// Remove also what is not as it was written, with the evidence of it. The log says what was
    /// broken.
    #[arg(long)]
    also_if_broken: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

impl Arguments {
    fn before(&self, now: OffsetDateTime) -> anyhow::Result<OffsetDateTime> {
        match (self.before, &self.keep) {
            (Some(Expiry::At(at)), _) if at <= now => Ok(at),
            (Some(_), _) => bail!("--before must be a date that is over, like 2026-01-31"),
            (None, Some(keep)) => match span::parse(keep) {
                Some(keep) => Ok(now - keep),
                None => bail!("--keep must be a time like 400d or 52w"),
            },
            (None, None) => bail!("say --before or --keep"),
        }
    }
}

pub(super) async fn run(arguments: Arguments, settings: &Settings) -> anyhow::Result<()> {
    let clock = Clock::system();
    let before = arguments.before(clock.now())?;
    let (store, _) = open_to_write(settings).await?;
    let retention = Retention::new(store, clock, None);
    line!("rows to remove   {}", retention.count(before).await?);
    confirm("cut", arguments.yes)?;
    let mode = if arguments.also_if_broken { CutMode::AlsoIfBroken } else { CutMode::Intact };
    let request = CutRequest { before, actor: Actor::operator(), mode };
    match retention.cut(&request, progress).await {
        Ok(rows) => report(rows),
        Err(error @ CutError::Broken(_)) => bail!(
            "{error}\n  help: find out what has happened (`jackfield audit verify` says what else is broken); with \
             --also-if-broken it is removed all the same"
        ),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn progress(removed: i64) {
    line!("removed          {removed}");
    let _ = std::io::stdout().flush();
}

fn report(rows: i64) {
    line!("removed          {rows} in all");
    if rows > 0 {
        line!(
            "note the new head, which `jackfield audit verify` prints: of an older one, nothing can be said any more"
        );
    }
}
