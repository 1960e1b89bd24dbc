//! The trait an author implements.

use std::future::Future;

use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    Api, Dialog, EventResponse, Field, Grant, Host, Integration, Pipeline, Refreshed, Result, RevokeRequest, Revoked,
    State, WebhookAnswer, WebhookCall,
};

/// A third-party service that people connect.
///
/// One value of the type is one configured provider: [`new`](Provider::new) gets the operator's options, everything else answers from them.
///
/// ```
/// use jackfield_plugin::{Answer, Host, Integration, NoOptions, Pipeline, Provider, Result, State, Step, value};
///
/// struct Acme;
///
/// impl Provider for Acme {
///     type Options = NoOptions;
///     const ID: &'static str = "acme";
///     const NAME: &'static str = "Acme";
///
///     fn new(_: NoOptions) -> Self {
///         Acme
///     }
///
///     fn pipeline(&self) -> Pipeline {
///         Pipeline::new().view("account", ask_account)
///     }
///
///     async fn build_integration(&self, state: State, _: Host) -> Result<Integration> {
///         Ok(Integration::new(value::<String>(&state, "account")?))
///     }
/// }
///
/// async fn ask_account(mut step: Step) -> Result<Answer> {
///     match step.form("account").map(str::to_owned) {
///         Some(account) => {
///             step.bind("account", account);
///             Ok(Answer::Next)
///         }
///         None => Ok(Answer::html(r#"<form method="POST"><input name="account"><button>Go on</button></form>"#)),
///     }
/// }
/// # assert_eq!(Acme::ID, "acme");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a provider",
    note = "implement `jackfield_plugin::Provider` for it: an id, a name, options, a pipeline and `build_integration`"
)]
pub trait Provider: Send + Sync + Sized + 'static {
    /// The operator's options, the table `[id]` of the configuration. Derive `Deserialize`, with `#[serde(default, rename_all =
    /// "kebab-case")]`: an operator who has not filled it in yet must be told what is missing, not that something does not parse.
    /// An unknown key, and a value of the wrong type, are refused by the host with file, line and key.
    type Options: DeserializeOwned;

    /// Stands in URLs, in the configuration and in the database: 1 to 64 of `a-z`, `0-9`, `-` and `_`. It never changes.
    const ID: &'static str;

    /// What people read.
    const NAME: &'static str;

    /// Makes the provider from the operator's options.
    fn new(options: Self::Options) -> Self;

    /// Whether the provider is offered to people. Besides this, every [`OAuth2`](crate::OAuth2) of the pipeline must be complete: the
    /// operator is told which of its settings are missing.
    fn is_configured(&self) -> bool {
        true
    }

    /// What an organization may configure of an installed integration.
    fn config(&self) -> Vec<Field> {
        Vec::new()
    }

    /// Size of the pop-up; 600 × 600 when not said.
    fn dialog(&self) -> Dialog {
        Dialog::default()
    }

    /// An SVG image for lists and menus, 24 × 24, legible on light and on dark; a neutral one is shown where there is none.
    /// `include_str!("icon.svg")` is the usual way.
    fn icon(&self) -> Option<&'static str> {
        None
    }

    /// Hosts that [`Step::send`](crate::Step::send) and [`Host::send`] shall reach: `api.example.com`, `*.example.com` for all below it, each
    /// with or without a port. The host refuses every other; those of your [`OAuth2`](crate::OAuth2) endpoints, and of URLs in the operator's
    /// options, need not be named. Operators read this list before they trust a plugin, and may narrow it: name what you need.
    fn hosts(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether a set-up may also reach the hosts of http and https URLs that its person posts in a form: for a service that people run
    /// themselves. Such a host is within reach of that very set-up only; operators read it, may narrow it with `hosts`, and private
    /// addresses stay refused unless they allow them.
    ///
    /// ```
    /// # use jackfield_plugin::{Host, Integration, NoOptions, Pipeline, Provider, Result, State};
    /// # struct SelfManaged;
    /// impl Provider for SelfManaged {
    ///     // …
    /// #   type Options = NoOptions;
    /// #   const ID: &'static str = "self-managed";
    /// #   const NAME: &'static str = "Self-managed";
    /// #   fn new(_: NoOptions) -> Self { SelfManaged }
    /// #   fn pipeline(&self) -> Pipeline { Pipeline::new() }
    /// #   async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { Ok(Integration::new("1")) }
    ///     fn hosts_from_forms(&self) -> bool {
    ///         true
    ///     }
    /// }
    /// # assert!(SelfManaged.hosts_from_forms());
    /// ```
    fn hosts_from_forms(&self) -> bool {
        false
    }

    /// Where the service's own API is. With it, those who may use an integration call the API through the host, which adds the token: nobody
    /// else sees it. Where that depends on the account, add [`Integration::api_url`].
    ///
    /// ```
    /// # use jackfield_plugin::{Api, Host, Integration, NoOptions, Pipeline, Provider, Result, State};
    /// # struct Acme;
    /// impl Provider for Acme {
    ///     // …
    /// #   type Options = NoOptions;
    /// #   const ID: &'static str = "acme";
    /// #   const NAME: &'static str = "Acme";
    /// #   fn new(_: NoOptions) -> Self { Acme }
    /// #   fn pipeline(&self) -> Pipeline { Pipeline::new() }
    /// #   async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { Ok(Integration::new("1")) }
    ///     fn api(&self) -> Option<Api> {
    ///         Some(Api::new("https://api.acme.example/v1/").header("x-acme-version", "2"))
    ///     }
    /// }
    /// # assert!(Acme.api().is_some_and(|api| !api.names_token()));
    /// ```
    fn api(&self) -> Option<Api> {
        None
    }

    /// The steps a person goes through, in order.
    fn pipeline(&self) -> Pipeline;

    /// Builds the integration from what the steps have bound. What it answers is stored in one transaction; an error ends the set-up
    /// with nothing stored.
    fn build_integration(&self, state: State, host: Host) -> impl Future<Output = Result<Integration>> + Send;

    /// Answers a call to [`Step::webhook_url`](crate::Step::webhook_url). The URL is the same during the set-up, when `state` is what the steps
    /// have bound, and after it, when `state` is the integration's metadata. Anybody may call: verify first. A call may come twice.
    ///
    /// ```
    /// use jackfield_plugin::{Host, Result, State, WebhookAnswer, WebhookCall, value};
    /// # use jackfield_plugin::{Answer, Integration, NoOptions, Pipeline, Provider, Step};
    /// # struct Acme;
    /// # impl Provider for Acme {
    /// #     type Options = NoOptions;
    /// #     const ID: &'static str = "acme";
    /// #     const NAME: &'static str = "Acme";
    /// #     fn new(_: NoOptions) -> Self { Acme }
    /// #     fn pipeline(&self) -> Pipeline { Pipeline::new() }
    /// #     async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { Ok(Integration::new("1")) }
    ///
    /// async fn receive(&self, call: WebhookCall, state: State, _: Host) -> Result<WebhookAnswer> {
    ///     // A service that signs its calls is verified like plugins/webhook does it.
    ///     let expected: String = value(&state, "account")?;
    ///     if call.query("account") != Some(&*expected) {
    ///         return Ok(WebhookAnswer::new(401));
    ///     }
    ///     Ok(WebhookAnswer::new(204).bind("called", true))
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// The caller reads status 500, the operator's log your words.
    fn receive(
        &self,
        call: WebhookCall,
        state: State,
        host: Host,
    ) -> impl Future<Output = Result<WebhookAnswer>> + Send {
        drop((call, state, host));
        async { Ok(WebhookAnswer::new(404)) }
    }

    /// Whether the service tells you what happens to your integrations, all at one URL: `/extensions/{id}/events/` below the address of the
    /// host, which the operator enters at the service. Say so only while you can tell whose a call is, as while the operator has set the
    /// secret it is signed with: otherwise nobody can call, and [`handle_event`](Self::handle_event) is not asked.
    fn takes_events(&self) -> bool {
        false
    }

    /// Judges a call to the events URL, of whatever integration. Anybody may call: verify first, also what only wants an answer. A call may
    /// come twice, late, or before another that was made earlier: tell what it says, and the host makes the same of it in any order.
    ///
    /// ```
    /// use jackfield_plugin::{Event, Host, Result, EventResponse, Value, WebhookAnswer, WebhookCall};
    /// # use jackfield_plugin::{Integration, NoOptions, Pipeline, Provider, State};
    /// # struct Acme;
    /// # impl Acme { fn is_signed(&self, _: &WebhookCall, _: u64) -> bool { true } }
    /// # impl Provider for Acme {
    /// #     type Options = NoOptions;
    /// #     const ID: &'static str = "acme";
    /// #     const NAME: &'static str = "Acme";
    /// #     fn new(_: NoOptions) -> Self { Acme }
    /// #     fn pipeline(&self) -> Pipeline { Pipeline::new() }
    /// #     async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { Ok(Integration::new("1")) }
    ///
    /// fn takes_events(&self) -> bool {
    ///     true
    /// }
    ///
    /// async fn handle_event(&self, call: WebhookCall, host: Host) -> Result<EventResponse> {
    ///     if !self.is_signed(&call, host.unix_time()) {
    ///         return Ok(WebhookAnswer::new(401).into());
    ///     }
    ///     let Ok(told) = call.json::<Value>() else { return Ok(WebhookAnswer::new(400).into()) };
    ///     let answer = EventResponse::new(WebhookAnswer::new(200));
    ///     Ok(match (told["type"].as_str(), told["account"].as_str()) {
    ///         (Some("uninstalled"), Some(account)) => answer.event(Event::uninstalled(account)),
    ///         _ => answer,
    ///     })
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// The caller reads status 500 and calls again, the operator's log your words: never what was called.
    fn handle_event(&self, call: WebhookCall, host: Host) -> impl Future<Output = Result<EventResponse>> + Send {
        drop((call, host));
        async { Ok(WebhookAnswer::new(404).into()) }
    }

    /// Gets new tokens for a [grant](Integration::grant) that is about to expire. Not needed where the service does what RFC 6749 section 6
    /// says: the host then sends the refresh token to the token endpoint of your OAuth 2.0 step. It is asked when somebody wants a token of
    /// which a sixth of its life is left, when nobody has wanted one for days, and when the service has refused one: once for all, on all hosts.
    ///
    /// It must be repeatable: an error is an outage, and you are asked again. A refresh token that works once is for the host to send, which knows
    /// what to do when the answer is lost: answer [`Refreshed::Default`]. Write this where tokens come another way:
    ///
    /// ```
    /// use jackfield_plugin::{Grant, Host, HttpRequest, Refreshed, Result, State, Value, value};
    /// # use jackfield_plugin::{Integration, NoOptions, Pipeline, Provider};
    /// # struct Acme;
    /// # impl Provider for Acme {
    /// #     type Options = NoOptions;
    /// #     const ID: &'static str = "acme";
    /// #     const NAME: &'static str = "Acme";
    /// #     fn new(_: NoOptions) -> Self { Acme }
    /// #     fn pipeline(&self) -> Pipeline { Pipeline::new() }
    /// #     async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { Ok(Integration::new("1")) }
    ///
    /// async fn refresh(&self, grant: Grant, metadata: State, host: Host) -> Result<Refreshed> {
    ///     let account: String = value(&metadata, "account")?;
    ///     let answer = host.send(HttpRequest::post(format!("https://api.acme.example/{account}/tokens"))).await?;
    ///     if answer.status == 404 {
    ///         return Ok(Refreshed::refused("the account is gone"));
    ///     }
    ///     let tokens: Value = answer.json()?;
    ///     Ok(Grant::from_answer(grant.name, &tokens).map_or_else(|| Refreshed::refused("no token came"), Refreshed::granted))
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// The service is down, or answered what cannot be read: the old token is kept while it lives, and the host asks again, after pauses that grow.
    fn refresh(&self, grant: Grant, metadata: State, host: Host) -> impl Future<Output = Result<Refreshed>> + Send {
        drop((grant, metadata, host));
        async { Ok(Refreshed::Default) }
    }

    /// Revokes what is given up: an integration that is removed, or tokens that others have replaced. Not needed where the service has a
    /// revocation endpoint (RFC 7009): name it with [`OAuth2::revocation_url`](crate::OAuth2::revocation_url). Write it where the service has
    /// a way of its own: it is asked before the host does anything by RFC 7009. It may be asked again for what is revoked already.
    ///
    /// [`RevokeRequest::is_whole`] says that the account itself is given up, [`RevokeRequest::is_connected`] that it goes on with other tokens, whose end must
    /// not be caused. What [`Revoked::done`] says is shown to the organization.
    ///
    /// ```
    /// use jackfield_plugin::{Error, Host, HttpRequest, RevokeRequest, Result, Revoked};
    /// # use jackfield_plugin::{Integration, NoOptions, Pipeline, Provider, State};
    /// # struct Acme;
    /// # impl Provider for Acme {
    /// #     type Options = NoOptions;
    /// #     const ID: &'static str = "acme";
    /// #     const NAME: &'static str = "Acme";
    /// #     fn new(_: NoOptions) -> Self { Acme }
    /// #     fn pipeline(&self) -> Pipeline { Pipeline::new() }
    /// #     async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { Ok(Integration::new("1")) }
    ///
    /// async fn revoke(&self, leaving: RevokeRequest, host: Host) -> Result<Revoked> {
    ///     for grant in &leaving.grants {
    ///         let request = HttpRequest::post("https://api.acme.example/sign-out").bearer(grant.access_token.expose());
    ///         let answer = host.send(request).await?;
    ///         // A token that is not known any more is as good as revoked.
    ///         if !answer.is_success() && answer.status != 401 {
    ///             return Err(Error::new(format!("Acme answered status {}", answer.status)));
    ///         }
    ///     }
    ///     Ok(Revoked::done("signed out"))
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// It is not done, nor when it takes more than 60 seconds: the host asks again for seven days, after pauses that grow, and operator and
    /// organization read your words.
    fn revoke(&self, leaving: RevokeRequest, host: Host) -> impl Future<Output = Result<Revoked>> + Send {
        drop((leaving, host));
        async { Ok(Revoked::Default) }
    }
}

/// Options of a provider that has none.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct NoOptions {}
