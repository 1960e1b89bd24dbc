//! What `jackfield revoke` prints.

use time::format_description::well_known::Rfc3339;

use crate::{
    grants::{Attempted, Effect, Plan, Way},
    store::revocations::{Revocation, Status},
};

/// What would be done.
pub(super) fn plan(provider: &str, plan: &Plan, keep: bool) {
    let Plan { integrations, open, organizations, grants, way } = plan;
    let shared = integrations.iter().filter(|planned| planned.is_shared).count();
    println!("provider       {provider}");
    println!("organizations  {organizations}");
    println!(
        "integrations   {}, {}",
        integrations.len(),
        if keep { "kept, to be authenticated again" } else { "removed" }
    );
    if shared > 0 {
        println!("  shared       {shared}: other organizations use them, so their tokens are not revoked");
    }
    println!("grants         {grants}");
    if !open.is_empty() {
        println!("from before    {}: given up already, and not revoked yet", open.len());
    }
    println!("revoked        {}", way_in_words(provider, way));
}

fn way_in_words(provider: &str, way: &Way) -> String {
    match way {
        Way::Endpoint(url) => format!("at {url}, or by a way of the plugin's own"),
        Way::ByPlugin => "by a way of the plugin's own, or not at all: no revocation endpoint is known".to_owned(),
        Way::NotLoaded => format!(
            "by nobody: `{provider}` is not loaded or not configured here. What is given up waits until it is: list its \
             plugin again, or end the connections at the provider itself"
        ),
    }
}

/// What people call it, and the account's id.
pub(super) fn name(name: &str, external_id: &str) -> String {
    match (name, external_id) {
        ("", "") => "a set-up that nothing came of".to_owned(),
        (name, id) if name == id || name.is_empty() => id.to_owned(),
        (name, id) => format!("{name} ({id})"),
    }
}

/// How far a run is.
pub(super) struct Tally {
    count: usize,
    seen: usize,
    revoked: usize,
    nothing: usize,
    impossible: Vec<(String, String)>,
    left: Vec<(String, String)>,
    shared: usize,
}

impl Tally {
    pub(super) const fn of(count: usize) -> Self {
        Self { count, seen: 0, revoked: 0, nothing: 0, impossible: Vec::new(), left: Vec::new(), shared: 0 }
    }

    /// Counts one, and prints it.
    pub(super) fn add(&mut self, name: &str, attempted: Attempted) {
        match attempted {
            Attempted::Done { answer, effect: Effect::Revoked } => {
                self.revoked += 1;
                self.line(name, "revoked", &answer);
            }
            Attempted::Done { answer, effect: Effect::Nothing } => {
                self.nothing += 1;
                self.line(name, "nothing to revoke", &answer);
            }
            Attempted::Done { answer, effect: Effect::Impossible } => {
                self.line(name, "cannot be revoked", &answer);
                self.impossible.push((name.to_owned(), answer));
            }
            Attempted::Waiting { answer, .. } | Attempted::Failed(answer) => {
                self.line(name, "not revoked", &answer);
                self.left.push((name.to_owned(), answer));
            }
            Attempted::Elsewhere => {
                self.line(name, "under way", "another host is at it");
                self.left.push((name.to_owned(), "another host is at it".to_owned()));
            }
        }
    }

    /// Counts one that others use still.
    pub(super) fn add_shared(&mut self, name: &str) {
        self.shared += 1;
        self.line(name, "not revoked", "other organizations use it");
    }

    fn line(&mut self, name: &str, what: &str, answer: &str) {
        self.seen += 1;
        println!("[{}/{}] {name}: {what}: {answer}", self.seen, self.count);
    }

    /// Whether nothing is left to do.
    pub(super) fn is_over(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn print(&self) {
        println!("\nrevoked            {}", self.revoked);
        for (what, count) in [("nothing to revoke", self.nothing), ("shared, kept", self.shared)] {
            if count > 0 {
                println!("{what:<18} {count}");
            }
        }
        for (what, list) in [("cannot be revoked", &self.impossible), ("not revoked yet", &self.left)] {
            if !list.is_empty() {
                println!("{what:<18} {}", list.len());
                list.iter().for_each(|(name, answer)| println!("  {name}: {answer}"));
            }
        }
    }
}

/// What is not revoked yet.
pub(super) fn status(open: &[Revocation]) {
    if open.is_empty() {
        println!("everything that was given up is revoked");
        return;
    }
    for revocation in open {
        let Revocation { provider, name: called, external_id, reason, attempts, answer, .. } = revocation;
        let time = |at: time::OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
        let next = match revocation.status {
            Status::Failed => "not tried any more".to_owned(),
            _ => format!("next {}", time(revocation.retry_at)),
        };
        println!(
            "{provider}  {}  {}  since {}",
            name(called, external_id),
            reason.as_str(),
            time(revocation.date_added)
        );
        println!("  {}, asked {attempts} times, {next}", revocation.status.as_str());
        println!("  {}", answer.as_deref().unwrap_or("no answer yet"));
    }
}
