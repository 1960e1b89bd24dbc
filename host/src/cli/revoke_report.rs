//! What `jackfield revoke` prints.

use super::lines::line;
use jackfield_config::clock::rfc3339;
use jackfield_services::revocations::{
    BulkEvent, BulkPlan, BulkResult, Revocation, RevocationMethod, RevocationOutcome, RevocationStatus, TokenEffect,
};

/// What would be done.
pub(super) fn plan(provider: &str, plan: &BulkPlan, keep: bool) {
    let BulkPlan { integrations, shared, open, organizations, grants, method, .. } = plan;
    line!("provider       {provider}");
    line!("organizations  {organizations}");
    line!("integrations   {integrations}, {}", if keep { "kept, to be authenticated again" } else { "removed" });
    if *shared > 0 {
        line!("  shared       {shared}: other organizations use them too, and keep theirs");
    }
    line!("grants         {grants}");
    if *open > 0 {
        print_open(*open);
    }
    line!("revoked        {}", method_in_words(provider, method));
}

/// What would be tried again.
pub(super) fn plan_again(provider: &str, plan: &BulkPlan) {
    line!("provider       {provider}");
    print_open(plan.open);
    line!("revoked        {}", method_in_words(provider, &plan.method));
}

fn print_open(open: usize) {
    line!("from before    {open}: out of use already, and not revoked");
}

fn method_in_words(provider: &str, method: &RevocationMethod) -> String {
    match method {
        RevocationMethod::Endpoint(url) => format!("at {url}, or by a way of the plugin's own"),
        RevocationMethod::ByPlugin => {
            "by a way of the plugin's own, or not at all: no revocation endpoint is known".to_owned()
        }
        RevocationMethod::NotLoaded => format!(
            "by nobody: `{provider}` is not loaded or not configured here. The tokens wait to be revoked until it is: \
             list its plugin again, or end the connections at the provider itself"
        ),
    }
}

/// What people call it, and the account's id.
pub(super) fn name(name: &str, external_id: &str) -> String {
    match (name, external_id) {
        ("", "") => "a setup that did not finish".to_owned(),
        (name, id) if name == id || name.is_empty() => id.to_owned(),
        (name, id) => format!("{name} ({id})"),
    }
}

/// How far a run is.
#[derive(Default)]
pub(super) struct Tally {
    count: usize,
    seen: usize,
    revoked: usize,
    nothing: usize,
    by_running_host: usize,
    impossible: Vec<(String, String)>,
    failed: Vec<(String, String)>,
    left: Vec<(String, String)>,
    shared: usize,
}

impl Tally {
    pub(super) fn of(count: usize) -> Self {
        Self { count, ..Self::default() }
    }

    /// Counts what happens in a run, and prints it.
    pub(super) fn add(&mut self, event: BulkEvent<'_>) {
        match event {
            BulkEvent::Pausing { pause, answer } => {
                line!("  the provider wants a pause of {} s: {answer}", pause.as_secs());
            }
            BulkEvent::Stopped { pause } => {
                line!("  the provider wants a pause of {} s: it is asked no further now", pause.as_secs());
            }
            BulkEvent::Finished { name, external_id, result } => {
                self.add_result(&self::name(name, external_id), result)
            }
        }
    }

    fn add_result(&mut self, name: &str, result: BulkResult) {
        match result {
            BulkResult::Attempted(outcome) => self.add_outcome(name, outcome),
            BulkResult::Shared => {
                self.shared += 1;
                self.line(name, "not revoked", "other organizations use all of it");
            }
            BulkResult::Enqueued => self.add_left(name, "not revoked yet", ENQUEUED.to_owned()),
        }
    }

    fn add_outcome(&mut self, name: &str, outcome: RevocationOutcome) {
        match outcome {
            RevocationOutcome::Done { answer, effect: TokenEffect::Revoked } => {
                self.revoked += 1;
                self.line(name, "revoked", &answer);
            }
            RevocationOutcome::Done { answer, effect: TokenEffect::Nothing } => {
                self.nothing += 1;
                self.line(name, "nothing to revoke", &answer);
            }
            RevocationOutcome::Done { answer, effect: TokenEffect::Impossible } => {
                self.line(name, "cannot be revoked", &answer);
                self.impossible.push((name.to_owned(), answer));
            }
            RevocationOutcome::EndedByAnotherHost(answer) => {
                self.by_running_host += 1;
                self.line(name, "at its end by a running host", &answer);
            }
            RevocationOutcome::Failed(answer) => {
                self.line(name, "not revoked", &answer);
                self.failed.push((name.to_owned(), answer));
            }
            RevocationOutcome::Waiting { answer, .. } | RevocationOutcome::NotAsked { answer, .. } => {
                self.add_left(name, "not revoked yet", answer);
            }
            RevocationOutcome::HeldByAnotherHost => {
                self.add_left(name, "under way", "another host is at it".to_owned());
            }
        }
    }

    fn add_left(&mut self, name: &str, what: &str, answer: String) {
        self.line(name, what, &answer);
        self.left.push((name.to_owned(), answer));
    }

    fn line(&mut self, name: &str, what: &str, answer: &str) {
        self.seen += 1;
        line!("[{}/{}] {name}: {what}: {answer}", self.seen, self.count);
    }

    /// What is to be done about what is not revoked; `None` where nothing is.
    pub(super) fn left_in_words(&self, provider: &str) -> Option<String> {
        let later = "a running host goes on trying, and this command can be run again".to_owned();
        let again = format!("what failed is tried again by `jackfield revoke --provider {provider} --again`");
        let never =
            "what cannot be revoked from here works on until it expires: end it at the provider itself".to_owned();
        let words = [(&self.left, later), (&self.failed, again), (&self.impossible, never)];
        let words: Vec<String> =
            words.into_iter().filter(|(list, _)| !list.is_empty()).map(|(_, words)| words).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    pub(super) fn print(&self) {
        line!("");
        line!("revoked            {}", self.revoked);
        let counts = [
            ("nothing to revoke", self.nothing),
            ("by a running host", self.by_running_host),
            ("shared, kept", self.shared),
        ];
        for (what, count) in counts {
            if count > 0 {
                line!("{what:<18} {count}");
            }
        }
        let lists =
            [("cannot be revoked", &self.impossible), ("not revoked", &self.failed), ("not revoked yet", &self.left)];
        for (what, list) in lists {
            if !list.is_empty() {
                line!("{what:<18} {}", list.len());
                list.iter().for_each(|(name, answer)| line!("  {name}: {answer}"));
            }
        }
    }
}

const ENQUEUED: &str = "not asked, since the provider wants a pause";

/// What is not revoked, and what cannot be.
pub(super) fn status(unrevoked: &[Revocation]) {
    let count = |status| unrevoked.iter().filter(|revocation| revocation.status == status).count();
    if count(RevocationStatus::Pending) == 0 {
        line!("nothing is waiting to be revoked");
    }
    for (status, words) in [
        (
            RevocationStatus::Failed,
            "were refused, and are not tried any more: `jackfield revoke --provider P --again` does",
        ),
        (RevocationStatus::Impossible, "could not be revoked: end them at the provider itself"),
    ] {
        if count(status) > 0 {
            line!("{} {words}", count(status));
        }
    }
    for revocation in unrevoked {
        let Revocation { provider, name: called, external_id, reason, attempts, answer, .. } = revocation;
        let time = |at: time::OffsetDateTime| rfc3339(at).unwrap_or_default();
        let next = match revocation.status {
            RevocationStatus::Pending => format!("next {}", time(revocation.retry_at)),
            _ => "not tried any more".to_owned(),
        };
        line!("{provider}  {}  {}  since {}", name(called, external_id), reason.as_str(), time(revocation.date_added));
        line!("  {}, asked {attempts} times, {next}", revocation.status.as_str());
        line!("  {}", answer.as_deref().unwrap_or("no answer yet"));
    }
}
