//! The callers of a day: people who set up and log in, programs that read tokens and call, a
//! service that calls a webhook, and a monitor that probes.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result};
use jackfield_test_support::http_client::{HttpClient, HttpResponse};
use reqwest::Method;

use super::tally::{Kind, Reply, Tally};
use crate::app::PASSWORD;

/// How many other answers a caller waits for who was refused: it does not knock all the time.
const PATIENCE: usize = 4;

/// What the host has confirmed.
#[derive(Default)]
pub(super) struct Confirmed {
    /// Ids of integrations.
    pub(super) setups: Mutex<Vec<String>>,
    /// Access tokens, the newest last.
    pub(super) tokens: Mutex<Vec<String>>,
    pub(super) log_ins: AtomicUsize,
}

/// What callers know of a host.
#[derive(Clone)]
pub(super) struct Callers {
    pub(super) url: String,
    pub(super) owner: HttpClient,
    /// Who sets up, in turn: the host lets one person start 300 setups in a quarter of an hour.
    pub(super) people: Vec<HttpClient>,
    /// A bearer token.
    pub(super) token: String,
    /// The integration of Slack in the API.
    pub(super) path: String,
    /// A webhook.
    pub(super) webhook: String,
    pub(super) tally: Arc<Tally>,
    pub(super) confirmed: Arc<Confirmed>,
}

impl Callers {
    /// One caller of a kind, for as long as the day.
    pub(super) async fn run(self, kind: Kind) {
        for number in 0.. {
            let asked = self.tally.asks();
            let reply = self.ask(kind, number).await.unwrap_or_else(|error| Reply::nothing(&error));
            self.tally.note(asked, kind, &reply);
            match reply {
                Reply { status: 0, .. } => self.tally.wait_for_a_step().await,
                Reply { is_good: false, .. } if kind != Kind::Probe => self.tally.wait_for_others(PATIENCE).await,
                _ => {}
            }
        }
    }

    async fn ask(&self, kind: Kind, number: usize) -> Result<Reply> {
        match kind {
            Kind::Setup => self.set_up(number).await,
            Kind::Token => self.read_token().await,
            Kind::Call => self.with_token(Method::POST, "proxy/auth.test").await.map(|answer| good_if(&answer, 200)),
            Kind::LogIn => self.log_in().await,
            Kind::Webhook => Ok(good_if(&self.owner.visit(&self.webhook).await?, 200)),
            Kind::Probe => Ok(good_if(&self.owner.visit("/readyz").await?, 200)),
        }
    }

    async fn set_up(&self, number: usize) -> Result<Reply> {
        let person = &self.people[number % self.people.len()];
        let start = person.visit("/organizations/acme/integrations/example/setup/").await?;
        let Ok(step) = start.redirect() else { return Ok(Reply::of(&start)) };
        if step.path() != "/extensions/example/setup/" {
            return Ok(Reply::of(&start));
        }
        let step = person.visit(step.as_str()).await?;
        // A failure is a page as well, and ends the setup.
        if step.status != 200 || !step.text.contains("<form") {
            return Ok(Reply::of(&step));
        }
        let end = person.post("/extensions/example/setup/", &[("name", &format!("day {number}"))]).await?;
        let Some(dialog) = end.dialog().ok().filter(|dialog| dialog.success) else { return Ok(Reply::of(&end)) };
        let id = dialog.data["id"].as_str().context("an id")?.to_owned();
        self.confirmed.setups.lock().expect("no caller panics").push(id);
        Ok(Reply::good(&end))
    }

    async fn read_token(&self) -> Result<Reply> {
        let answer = self.with_token(Method::GET, "token/").await?;
        let reply = good_if(&answer, 200);
        if reply.is_good {
            let token = answer.json()?["accessToken"].as_str().context("a token")?.to_owned();
            let mut tokens = self.confirmed.tokens.lock().expect("no caller panics");
            if tokens.last() != Some(&token) {
                tokens.push(token);
            }
        }
        Ok(reply)
    }

    async fn with_token(&self, method: Method, path: &str) -> Result<HttpResponse> {
        let request = self.owner.request(method, &format!("{}{path}", self.path));
        self.owner.send(request.bearer_auth(&self.token)).await
    }

    async fn log_in(&self) -> Result<Reply> {
        let answer = HttpClient::new(&self.url).log_in("owner@example.com", PASSWORD).await?;
        let reply = good_if(&answer, 302);
        self.confirmed.log_ins.fetch_add(usize::from(reply.is_good), Ordering::Relaxed);
        Ok(reply)
    }
}

fn good_if(answer: &HttpResponse, status: u16) -> Reply {
    if answer.status == status { Reply::good(answer) } else { Reply::of(answer) }
}
