//! An HTTP client with cookies that follows redirects only when told: a user at a browser, or a
//! program.

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method, RequestBuilder, Response, header, redirect::Policy};
use serde_json::Value;
use url::Url;

/// A user at a browser, or a program.
#[derive(Clone)]
pub struct HttpClient {
    client: Client,
    url: String,
}

/// A response, read to its end.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// All headers.
    pub headers: header::HeaderMap,
    /// The body.
    pub text: String,
}

/// What a dialog's page tells its opener.
#[derive(Clone, Debug, PartialEq)]
pub struct DialogMessage {
    /// Whether an integration was installed.
    pub success: bool,
    /// The integration, or `{"detail": …}`.
    pub data: Value,
    /// The origin that may read it.
    pub origin: String,
}

impl HttpResponse {
    async fn of(response: Response) -> Result<Self> {
        let headers = response.headers().clone();
        let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Self { status: response.status().as_u16(), location, headers, text: response.text().await? })
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("not JSON: {}", self.text))
    }

    /// Where the redirect leads, parsed.
    ///
    /// # Errors
    /// When it is not a redirect to an absolute URL.
    pub fn redirect(&self) -> Result<Url> {
        ensure!(self.status == 302, "no redirect but {}: {}", self.status, self.text);
        Ok(Url::parse(self.location.as_deref().context("a redirect has a location")?)?)
    }

    /// Status and location of a redirect within the host.
    #[must_use]
    pub fn status_and_location(&self) -> (u16, &str) {
        (self.status, self.location.as_deref().unwrap_or_default())
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// What the page posts to its opener.
    ///
    /// # Errors
    /// When the page posts nothing.
    pub fn dialog(&self) -> Result<DialogMessage> {
        let call = "window.opener.postMessage(";
        let at =
            self.text.find(call).with_context(|| format!("no dialog answer but {}: {}", self.status, self.text))?;
        let rest = &self.text[at + call.len()..];
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let message = values.next().context("the call has a message")??;
        let rest = rest[values.byte_offset()..].trim_start_matches(',');
        let origin =
            serde_json::Deserializer::from_str(rest).into_iter::<String>().next().context("and an origin")??;
        let success = message["success"].as_bool().context("success is true or false")?;
        Ok(DialogMessage { success, data: message["data"].clone(), origin })
    }
}

impl DialogMessage {
    /// What went wrong.
    #[must_use]
    pub fn detail(&self) -> &str {
        self.data["detail"].as_str().unwrap_or_default()
    }
}

impl HttpClient {
    /// A client of a host, without cookies yet.
    ///
    /// # Panics
    /// When the HTTP client cannot be built.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client =
            Client::builder().http1_max_headers(2000).cookie_store(true).redirect(Policy::none()).no_proxy().build();
        Self { client: client.expect("the client builds with its defaults"), url: url.to_owned() }
    }

    /// A client that is logged in.
    ///
    /// # Errors
    /// When the log-in fails.
    pub async fn logged_in(url: &str, email: &str, password: &str) -> Result<Self> {
        let user = Self::new(url);
        let answer = user.log_in(email, password).await?;
        ensure!(answer.status == 302, "the log-in answered {}: {}", answer.status, answer.text);
        Ok(user)
    }

    /// A request to a path of the host, or to any absolute URL.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with('/') { format!("{}{path}", self.url) } else { path.to_owned() };
        self.client.request(method, url)
    }

    /// Sends a request and reads its response.
    ///
    /// # Errors
    /// When no response comes.
    pub async fn send(&self, request: RequestBuilder) -> Result<HttpResponse> {
        HttpResponse::of(request.send().await?).await
    }

    /// Logs in.
    ///
    /// # Errors
    /// When no response comes.
    pub async fn log_in(&self, email: &str, password: &str) -> Result<HttpResponse> {
        self.post("/auth/login/", &[("email", email), ("password", password), ("next", "/")]).await
    }

    /// Visits a page.
    ///
    /// # Errors
    /// When no response comes.
    pub async fn visit(&self, path: &str) -> Result<HttpResponse> {
        self.send(self.request(Method::GET, path)).await
    }

    /// Posts a form.
    ///
    /// # Errors
    /// When no response comes.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<HttpResponse> {
        self.send(self.request(Method::POST, path).form(form)).await
    }

    /// Starts a setup and comes to its first step.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_setup(&self, organization: &str, provider: &str) -> Result<HttpResponse> {
        let start = self.visit(&format!("/organizations/{organization}/integrations/{provider}/setup/")).await?;
        self.visit(start.redirect()?.as_str()).await
    }

    /// Follows the host's redirect to a provider that consents at once. Returns the URL that leads
    /// back.
    ///
    /// # Errors
    /// When there is no redirect.
    pub async fn consent(&self, step: &HttpResponse) -> Result<String> {
        let back = self.visit(step.redirect()?.as_str()).await?;
        Ok(back.redirect()?.into())
    }

    /// Goes through the whole setup of an OAuth 2.0 provider.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn install(&self, organization: &str, provider: &str) -> Result<HttpResponse> {
        let step = self.start_setup(organization, provider).await?;
        let back = self.consent(&step).await?;
        self.visit(&back).await
    }
}
