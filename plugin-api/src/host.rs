//! What the host lends a plugin: its network, its clock and its log.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use jackfield_plugin_abi::envelope::{Input, LogLevel, LogLine};

use crate::{Error, Grant, HttpRequest, HttpResponse, Result};

/// What the host lends. A plugin has no network, no files and no runtime of its own; all it can await is this.
///
/// ```
/// use jackfield_plugin::{Host, HttpRequest, Result};
///
/// async fn team_name(host: &Host, token: &str) -> Result<String> {
///     let answer = host.send(HttpRequest::get("https://api.example.com/team").bearer(token)).await?;
///     let team: std::collections::HashMap<String, String> = answer.json()?;
///     Ok(team.get("name").cloned().unwrap_or_default())
/// }
/// ```
#[derive(Clone, Default)]
pub struct Host(Arc<Mutex<Exchange>>);

/// What goes to and fro between a task and the host.
#[derive(Default)]
struct Exchange {
    wants: Option<HostRequest>,
    input: Option<Input>,
    log: Vec<LogLine>,
    /// Seconds since 1970-01-01 UTC; 0 where the host does not tell.
    now: u64,
}

/// What a task waits for.
pub(crate) enum HostRequest {
    Request(HttpRequest),
    Token { grant: String, subject: String },
}

impl Host {
    fn exchange(&self) -> MutexGuard<'_, Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the host send a request. The host keeps to its own limits: https, public addresses or those the operator allows, no redirect
    /// followed, a size and a time.
    ///
    /// One at a time: await the answer before the next.
    ///
    /// # Errors
    /// When the host refuses the request, or no answer comes. An answer of any status is an answer.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse> {
        match self.ask(HostRequest::Request(request)).await? {
            Input::Response { response } => Ok(response),
            other => Err(not_asked_for(&other)),
        }
    }

    /// A fresh access token of the integration that the question is about: of the grant of this name, or of the first when the name is
    /// empty. The host refreshes it where it is about to expire, once for all who ask. Ask for it each time you use it, and keep it nowhere.
    ///
    /// There is one where an integration is: in [`Provider::receive`](crate::Provider::receive) once the set-up is over.
    ///
    /// ```
    /// use jackfield_plugin::{Host, HttpRequest, Result};
    ///
    /// async fn post(host: &Host, text: &str) -> Result<()> {
    ///     let bot = host.token("bot").await?;
    ///     let request = HttpRequest::post("https://api.example.com/messages").bearer(bot.access_token.expose());
    ///     host.send(request.json(&text.into())).await.map(drop)
    /// }
    /// ```
    ///
    /// # Errors
    /// When there is no such grant, it needs its person to authenticate again, or the service is down and the old token has expired.
    pub async fn token(&self, grant: &str) -> Result<Grant> {
        self.token_of(grant, "").await
    }

    /// The same of the grant that acts for an identity, by its external id.
    ///
    /// # Errors
    /// As [`Host::token`].
    pub async fn token_of(&self, grant: &str, subject: &str) -> Result<Grant> {
        match self.ask(HostRequest::Token { grant: grant.to_owned(), subject: subject.to_owned() }).await? {
            Input::Token { grant } => Ok(*grant),
            other => Err(not_asked_for(&other)),
        }
    }

    async fn ask(&self, want: HostRequest) -> Result<Input> {
        Asking { host: self, want: Some(want) }.await
    }

    /// The host's time when it asked this question or gave the last answer, to the second. It stands still in between, and tests set it:
    /// take this one, and no clock of your own.
    ///
    /// ```
    /// # use jackfield_plugin::{Host, State};
    /// use std::time::{Duration, SystemTime};
    ///
    /// fn is_expired(host: &Host, since: SystemTime, lifetime: Duration) -> bool {
    ///     host.now() >= since + lifetime
    /// }
    /// ```
    #[must_use]
    pub fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.unix_time())
    }

    /// [`now`](Self::now) as seconds since 1970-01-01 UTC: what tokens and signatures speak.
    #[must_use]
    pub fn unix_time(&self) -> u64 {
        match self.exchange().now {
            // A host that does not tell leaves the system's clock.
            0 => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            now => now,
        }
    }

    /// Logs for somebody who debugs the plugin.
    pub fn debug(&self, message: impl Into<String>) {
        self.log(LogLevel::Debug, message.into());
    }

    /// Logs for somebody who reads the log.
    pub fn info(&self, message: impl Into<String>) {
        self.log(LogLevel::Info, message.into());
    }

    /// Logs for somebody who should act.
    pub fn warn(&self, message: impl Into<String>) {
        self.log(LogLevel::Warn, message.into());
    }

    fn log(&self, level: LogLevel, message: String) {
        self.exchange().log.push(LogLine { level, message });
    }

    pub(crate) fn take_wants(&self) -> Option<HostRequest> {
        self.exchange().wants.take()
    }

    pub(crate) fn take_log(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.exchange().log)
    }

    pub(crate) fn give(&self, input: Input) {
        self.exchange().input = Some(input);
    }

    pub(crate) fn set_time(&self, now: u64) {
        self.exchange().now = now;
    }
}

fn not_asked_for(input: &Input) -> Error {
    match input {
        Input::Failed { message } => Error::new(message),
        _ => Error::new("the host gave an input that this plugin does not know"),
    }
}

struct Asking<'a> {
    host: &'a Host,
    want: Option<HostRequest>,
}

impl Future for Asking<'_> {
    type Output = Result<Input>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let mut exchange = self.host.exchange();
        if let Some(want) = self.want.take() {
            exchange.wants = Some(want);
            return Poll::Pending;
        }
        exchange.input.take().map_or(Poll::Pending, |input| Poll::Ready(Ok(input)))
    }
}
