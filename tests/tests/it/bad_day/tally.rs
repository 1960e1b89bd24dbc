//! Counts what callers are told, and lets the day go on by these counts.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::Mutex,
    time::Duration,
};

use anyhow::{Result, bail};
use jackfield_test_support::http_client::HttpResponse;
use tokio::sync::watch;

/// How long a phase may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many answers that were wrong are shown.
const SHOWN: usize = 10;

/// What a caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Setup,
    Token,
    Call,
    LogIn,
    Webhook,
    Probe,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Setup, Self::Token, Self::Call, Self::LogIn, Self::Webhook, Self::Probe];
}

/// What a caller was reply.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// 0 without an answer.
    pub(super) status: u16,
    pub(super) code: String,
    /// When to ask again, in seconds.
    pub(super) retry_after: Option<u64>,
    /// Whether the caller got what it wanted.
    pub(super) is_good: bool,
    /// To look at.
    text: String,
}

impl Reply {
    pub(super) fn good(answer: &HttpResponse) -> Self {
        Self { is_good: true, ..Self::of(answer) }
    }

    pub(super) fn of(answer: &HttpResponse) -> Self {
        let text = format!("{} {}", answer.location.as_deref().unwrap_or_default(), answer.text);
        Self {
            status: answer.status,
            code: answer.header("jackfield-error").to_owned(),
            retry_after: answer.header("retry-after").parse().ok(),
            is_good: false,
            text: text.chars().take(2000).collect(),
        }
    }

    /// Whether its page or its words have a text.
    pub(super) fn says(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// The connection ended, or there was none.
    pub(super) fn nothing(error: &anyhow::Error) -> Self {
        let text = format!("{error:#}");
        Self { status: 0, code: String::new(), retry_after: None, is_good: false, text }
    }
}

/// Which answers a phase allows besides good ones.
pub(super) type Rule = fn(Kind, &Reply) -> bool;

/// All is served.
pub(super) fn nothing_fails(_: Kind, _: &Reply) -> bool {
    false
}

/// Who needs the database is told when to ask again.
pub(super) fn the_database_is_away(kind: Kind, reply: &Reply) -> bool {
    let is_program = matches!(kind, Kind::Token | Kind::Call);
    reply.status == 503 && (reply.code == "database-unavailable" || !is_program)
}

/// Nobody is there.
pub(super) fn the_host_is_away(_: Kind, reply: &Reply) -> bool {
    reply.status == 0 || reply.status == 503
}

#[derive(Default)]
struct State {
    phases: Vec<(&'static str, Option<Rule>)>,
    /// What was told in the step that is under way, to callers who asked in it: good and others.
    step: BTreeMap<Kind, (usize, usize)>,
    all: BTreeMap<(usize, Kind, u16, String), usize>,
    wrong: Vec<String>,
}

/// The counts of a day.
pub(super) struct Tally {
    state: Mutex<State>,
    /// How many answers there were, and how many steps.
    changed: watch::Sender<(usize, usize)>,
}

/// When a caller asked.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    phase: usize,
    step: usize,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), changed: watch::Sender::default() }
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut State) -> T) -> T {
        use_it(&mut self.state.lock().expect("no caller panics"))
    }

    /// Begins a phase.
    pub(super) fn phase(&self, name: &'static str, rule: Rule) {
        self.with(|state| state.phases.push((name, Some(rule))));
        self.step();
    }

    /// Begins the next step of a phase: only what is asked from now on counts in it.
    pub(super) fn step(&self) {
        self.with(|state| state.step.clear());
        self.changed.send_modify(|changed| changed.1 += 1);
    }

    pub(super) fn asks(&self) -> Asked {
        let step = self.changed.borrow().1;
        Asked { phase: self.with(|state| state.phases.len().saturating_sub(1)), step }
    }

    /// Counts an answer. A caller who asked in a phase and was told in a later one may have been
    /// told what either allows.
    pub(super) fn note(&self, asked: Asked, kind: Kind, reply: &Reply) {
        let step = self.changed.borrow().1;
        self.with(|state| {
            let now = state.phases.len().saturating_sub(1);
            *state.all.entry((now, kind, reply.status, reply.code.clone())).or_default() += 1;
            if asked.step == step {
                let (good, other) = state.step.entry(kind).or_default();
                *(if reply.is_good { good } else { other }) += 1;
            }
            let is_allowed = |phase: usize| state.phases[phase].1.is_some_and(|rule| rule(kind, reply));
            let is_allowed = reply.is_good || (asked.phase..=now).any(is_allowed);
            let says_when = reply.status != 503 || reply.retry_after.is_some() || kind == Kind::Probe;
            if !is_allowed || !says_when {
                let name = state.phases[now].0;
                state.wrong.push(format!("{name}: {kind:?} {} {} {}", reply.status, reply.code, reply.text));
            }
        });
        self.changed.send_modify(|changed| changed.0 += 1);
    }

    /// Waits for so many more answers, or the next step.
    pub(super) async fn wait_for_others(&self, answers: usize) {
        let mut changed = self.changed.subscribe();
        let (answered, step) = *changed.borrow_and_update();
        let _ = changed.wait_for(|now| now.0 >= answered + answers || now.1 != step).await;
    }

    /// Waits for the next step.
    pub(super) async fn wait_for_a_step(&self) {
        let mut changed = self.changed.subscribe();
        let step = changed.borrow_and_update().1;
        let _ = changed.wait_for(|now| now.1 != step).await;
    }

    /// Waits until each kind was served so often in this step.
    pub(super) async fn until_all_are_served(&self, times: usize) -> Result<()> {
        self.until(&Kind::ALL, |(good, _)| good >= times).await
    }

    /// Waits until each of these was refused so often in this step.
    pub(super) async fn until_told(&self, kinds: &[Kind], times: usize) -> Result<()> {
        self.until(kinds, |(_, other)| other >= times).await
    }

    async fn until(&self, kinds: &[Kind], is_enough: impl Fn((usize, usize)) -> bool) -> Result<()> {
        let mut changed = self.changed.subscribe();
        let is_done = |step: &BTreeMap<Kind, (usize, usize)>| {
            kinds.iter().all(|kind| is_enough(step.get(kind).copied().unwrap_or_default()))
        };
        let wait = changed.wait_for(|_| self.with(|state| is_done(&state.step)));
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(_) => Ok(()),
            // What is wrong says more than that something is missing.
            Err(_) => self.check().and_then(|()| {
                bail!("not all were answered in this step: {:?}\n{self}", self.with(|state| state.step.clone()))
            }),
        }
    }

    /// Fails if somebody was told what the phase does not allow.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = self.with(|state| state.wrong.clone());
        if wrong.is_empty() {
            return Ok(());
        }
        let shown = wrong.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("\n");
        bail!("{} answers were wrong:\n{shown}\n{self}", wrong.len())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (phases, all) = self.with(|state| (state.phases.clone(), state.all.clone()));
        let mut text = String::new();
        for (at, (name, _)) in phases.iter().enumerate() {
            let _ = writeln!(text, "{name}");
            for ((_, kind, status, code), count) in all.iter().filter(|((phase, ..), _)| *phase == at) {
                let _ = writeln!(text, "  {kind:?} {status} {code} {count}");
            }
        }
        f.write_str(&text)
    }
}
