//! What the host provides: its network, tokens, clock and log.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use jackfield_plugin_abi::envelope::{Input, LogLevel, LogLine};

use crate::{Error, Grant, HttpRequest, HttpResponse, Result, lock::lock};

/// The host, as a plugin uses it. A plugin has no network, files or runtime of its own, and can
/// await nothing else.
///
/// ```
/// use jackfield_plugin::{Host, HttpRequest, Result};
///
/// async fn team_name(host: &Host, token: &str) -> Result<String> {
///     let request = HttpRequest::get("https://api.example.com/team").bearer_auth(token);
///     let response = host.send(request).await?;
///     let team: std::collections::HashMap<String, String> = response.json()?;
///     Ok(team.get("name").cloned().unwrap_or_default())
/// }
/// ```
#[derive(Clone, Default)]
pub struct Host(Arc<Mutex<Exchange>>);

/// What a task and the host hand each other.
#[derive(Default)]
struct Exchange {
    request: Option<HostRequest>,
    input: Option<Input>,
    log: Vec<LogLine>,
    /// URLs whose hosts a step wants to reach.
    reach: Vec<String>,
    /// Seconds since 1970-01-01 UTC. 0 if the host does not send its time.
    now: u64,
}

/// What a task asks the host for.
pub(crate) enum HostRequest {
    Send(HttpRequest),
    Token { grant: String, subject: String },
}

impl Host {
    fn exchange(&self) -> MutexGuard<'_, Exchange> {
        lock(&self.0)
    }

    /// Sends a request. The host has limits: https, public addresses or those that the operator
    /// allows, no redirects, a maximum size and time.
    ///
    /// Send one request at a time: await the response before the next.
    ///
    /// # Errors
    /// If the host refuses the request, or no response arrives. A response of any status is no
    /// error.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse> {
        match self.ask(HostRequest::Send(request)).await? {
            Input::Response { response } => Ok(response),
            other => Err(unexpected(&other)),
        }
    }

    /// A valid access token of the integration that the question is about: of the grant of this
    /// name, or of the first grant if the name is empty. The host refreshes the token if it is
    /// about to expire, once for all that ask. Ask for it each time, and do not store it.
    ///
    /// It needs an integration: [`Provider::handle_webhook`](crate::Provider::handle_webhook) has
    /// one after the setup.
    ///
    /// ```
    /// use jackfield_plugin::{Host, HttpRequest, Result};
    ///
    /// async fn post(host: &Host, text: &str) -> Result<()> {
    ///     let bot = host.token("bot").await?;
    ///     let request = HttpRequest::post("https://api.example.com/messages");
    ///     let request = request.bearer_auth(bot.access_token.expose()).json(&text.into());
    ///     host.send(request).await.map(drop)
    /// }
    /// ```
    ///
    /// # Errors
    /// If there is no such grant, if its person must authenticate again, or if the service is down
    /// and the old token has expired.
    pub async fn token(&self, grant: &str) -> Result<Grant> {
        self.token_for(grant, "").await
    }

    /// Like [`token`](Self::token), of the grant that acts for the identity of this external id.
    ///
    /// # Errors
    /// As for [`token`](Self::token).
    pub async fn token_for(&self, grant: &str, subject: &str) -> Result<Grant> {
        match self.ask(HostRequest::Token { grant: grant.to_owned(), subject: subject.to_owned() }).await? {
            Input::Token { grant } => Ok(*grant),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(&self, request: HostRequest) -> Result<Input> {
        HostCall { host: self, request: Some(request) }.await
    }

    /// The host's time when it asked this question or sent the last response, to the second. It
    /// stands still in between, and tests set it: use it instead of a clock of your own.
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

    /// [`now`](Self::now) in seconds since 1970-01-01 UTC, as tokens and signatures have it.
    #[must_use]
    pub fn unix_time(&self) -> u64 {
        match self.exchange().now {
            // Only a host that does not send its time leaves the clock of the system.
            0 => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            now => now,
        }
    }

    /// Logs for an author who debugs the plugin.
    pub fn debug(&self, message: impl Into<String>) {
        self.log(LogLevel::Debug, message.into());
    }

    /// Logs for an operator who reads the log.
    pub fn info(&self, message: impl Into<String>) {
        self.log(LogLevel::Info, message.into());
    }

    /// Logs for an operator who should act.
    pub fn warn(&self, message: impl Into<String>) {
        self.log(LogLevel::Warn, message.into());
    }

    fn log(&self, level: LogLevel, message: String) {
        self.exchange().log.push(LogLine { level, message });
    }

    pub(crate) fn take_request(&self) -> Option<HostRequest> {
        self.exchange().request.take()
    }

    pub(crate) fn take_log(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.exchange().log)
    }

    pub(crate) fn reach(&self, url: &str) {
        self.exchange().reach.push(url.to_owned());
    }

    pub(crate) fn take_reach(&self) -> Vec<String> {
        std::mem::take(&mut self.exchange().reach)
    }

    pub(crate) fn set_input(&self, input: Input) {
        self.exchange().input = Some(input);
    }

    pub(crate) fn set_time(&self, now: u64) {
        self.exchange().now = now;
    }
}

fn unexpected(input: &Input) -> Error {
    match input {
        Input::Failed { message } => Error::new(message),
        _ => Error::new("the host gave an input that this plugin does not know"),
    }
}

/// Waits for the host's input. Its first poll puts the request where the glue finds it.
struct HostCall<'a> {
    host: &'a Host,
    request: Option<HostRequest>,
}

impl Future for HostCall<'_> {
    type Output = Result<Input>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let mut exchange = self.host.exchange();
        if let Some(request) = self.request.take() {
            exchange.request = Some(request);
            return Poll::Pending;
        }
        exchange.input.take().map_or(Poll::Pending, |input| Poll::Ready(Ok(input)))
    }
}
