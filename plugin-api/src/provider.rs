//! The trait that an author implements.

use std::future::Future;

use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    Api, Dialog, EventResponse, Field, Grant, Host, Inbox, Integration, Pipeline, Refreshed, Result, RevokeRequest,
    Revoked, State, WebhookRequest, WebhookResponse,
};

/// A third-party service that people connect.
///
/// A value of the type is one configured provider: [`new`](Provider::new) gets the operator's
/// options, and every other method uses them.
///
/// ```
/// use jackfield_plugin::{
///     Answer, Field, Form, Host, Integration, NoOptions, Pipeline, Provider, Result, State, Step,
///     value,
/// };
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
///     let Some(account) = step.form("account").map(str::to_owned) else {
///         let form = Form::new("Which account?").field(Field::text("account", "Account"));
///         return Ok(Answer::form(form));
///     };
///     step.bind("account", account);
///     Ok(Answer::Next)
/// }
/// # assert_eq!(Acme::ID, "acme");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a provider",
    note = "implement `jackfield_plugin::Provider` for it: an id, a name, options, a pipeline and `build_integration`"
)]
pub trait Provider: Send + Sync + Sized + 'static {
    /// The operator's options: the table `[id]` of the configuration. Derive `Deserialize` with
    /// `#[serde(default, rename_all = "kebab-case")]`, so that an operator reads which option is
    /// missing and not a parse error. The host refuses unknown keys and wrong types, with file,
    /// line and key.
    type Options: DeserializeOwned;

    /// Id in URLs, in the configuration and in the database: 1 to 64 of `a-z`, `0-9`, `-` and `_`.
    /// Never change it.
    const ID: &'static str;

    /// The name that people read.
    const NAME: &'static str;

    /// Makes the provider from the operator's options.
    fn new(options: Self::Options) -> Self;

    /// Whether the host offers the provider to people. In addition, every
    /// [`OAuth2`](crate::OAuth2) of the pipeline must be complete: the host tells the operator
    /// which settings are missing.
    fn is_configured(&self) -> bool {
        true
    }

    /// Fields that an organization can configure of an installed integration.
    fn config(&self) -> Vec<Field> {
        Vec::new()
    }

    /// Size of the pop-up window. The default is 600 × 600 CSS pixels.
    fn dialog(&self) -> Dialog {
        Dialog::default()
    }

    /// An SVG image for lists and menus, 24 × 24 pixels, legible on light and dark backgrounds. The
    /// default is a neutral image. `include_str!("icon.svg")` is the usual way.
    fn icon(&self) -> Option<&'static str> {
        None
    }

    /// Hosts that [`Step::send`](crate::Step::send) and [`Host::send`] may reach:
    /// `api.example.com`, or `*.example.com` for all below it, each with or without a port. The
    /// host refuses every other one. Leave out the hosts of your [`OAuth2`](crate::OAuth2)
    /// endpoints and of URLs in the operator's options. Operators read this list before they trust
    /// a plugin, and can narrow it, so name only what you need.
    fn hosts(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether a setup may also reach hosts that its person names. For services that people host
    /// themselves. They are the hosts that a step [wants to reach](crate::Step::reach). If it says
    /// nothing, they are those of URLs in text fields of the [`Form`](crate::Form) that it has
    /// shown, as far as it binds them. Only that setup and its integration may reach such a host.
    /// Operators see that the provider allows it, and can narrow it with `hosts`. Private addresses
    /// stay refused unless they allow them.
    ///
    /// ```
    /// # use jackfield_plugin::*;
    /// # struct SelfManaged;
    /// impl Provider for SelfManaged {
    ///     // …
    /// #   type Options = NoOptions;
    /// #   const ID: &'static str = "self-managed";
    /// #   const NAME: &'static str = "Self-managed";
    /// #   fn new(_: NoOptions) -> Self { SelfManaged }
    /// #   fn pipeline(&self) -> Pipeline { Pipeline::new() }
    /// #   async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { panic!() }
    ///     fn allows_user_supplied_hosts(&self) -> bool {
    ///         true
    ///     }
    /// }
    /// # assert!(SelfManaged.allows_user_supplied_hosts());
    /// ```
    fn allows_user_supplied_hosts(&self) -> bool {
        false
    }

    /// Where the service's own API is. With it, programs call the API through the host, which adds
    /// the token and shows it to nobody. If the URL depends on the account, also set
    /// [`Integration::api_url`].
    ///
    /// ```
    /// # use jackfield_plugin::*;
    /// # struct Acme;
    /// impl Provider for Acme {
    ///     // …
    /// #   type Options = NoOptions;
    /// #   const ID: &'static str = "acme";
    /// #   const NAME: &'static str = "Acme";
    /// #   fn new(_: NoOptions) -> Self { Acme }
    /// #   fn pipeline(&self) -> Pipeline { Pipeline::new() }
    /// #   async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { panic!() }
    ///     fn api(&self) -> Option<Api> {
    ///         Some(Api::new("https://api.acme.example/v1/").header("x-acme-version", "2"))
    ///     }
    /// }
    /// # assert!(Acme.api().is_some_and(|api| !api.has_token_header()));
    /// ```
    fn api(&self) -> Option<Api> {
        None
    }

    /// The steps that a person goes through, in order.
    fn pipeline(&self) -> Pipeline;

    /// Builds the integration from what the steps have bound. The host stores it in one
    /// transaction.
    ///
    /// # Errors
    /// An error ends the setup, and the host stores nothing.
    fn build_integration(&self, state: State, host: Host) -> impl Future<Output = Result<Integration>> + Send;

    /// Handles a request to [`Step::webhook_url`](crate::Step::webhook_url). During the setup,
    /// `state` is what the steps have bound; after it, `state` is the integration's metadata.
    /// Anybody can send a request: verify it first. A request may arrive twice.
    ///
    /// ```
    /// use jackfield_plugin::{Host, Result, State, WebhookRequest, WebhookResponse, value};
    /// # use jackfield_plugin::{Integration, NoOptions, Pipeline, Provider};
    /// # struct Acme;
    /// # impl Provider for Acme {
    /// #     type Options = NoOptions;
    /// #     const ID: &'static str = "acme";
    /// #     const NAME: &'static str = "Acme";
    /// #     fn new(_: NoOptions) -> Self { Acme }
    /// #     fn pipeline(&self) -> Pipeline { Pipeline::new() }
    /// #   async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { panic!() }
    ///
    /// async fn handle_webhook(
    ///     &self,
    ///     request: WebhookRequest,
    ///     state: State,
    ///     _: Host,
    /// ) -> Result<WebhookResponse> {
    ///     // plugins/webhook verifies a signature.
    ///     let expected: String = value(&state, "account")?;
    ///     if request.query("account") != Some(&*expected) {
    ///         return Ok(WebhookResponse::new(401));
    ///     }
    ///     Ok(WebhookResponse::new(204).bind("called", true))
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// The service gets status 500, and the operator's log your message.
    fn handle_webhook(
        &self,
        request: WebhookRequest,
        state: State,
        host: Host,
    ) -> impl Future<Output = Result<WebhookResponse>> + Send {
        drop((request, state, host));
        async { Ok(WebhookResponse::new(404)) }
    }

    /// How the service signs its calls, and what stands in them. With it, the host verifies each
    /// call to the events URL and to [`Step::webhook_url`](crate::Step::webhook_url) before you see
    /// it, answers handshakes at once, and delivers the call to the programs of every organization
    /// that has the account. Programs get it whether or not you handle it too. A host that does not
    /// know this calls you as before, so go on verifying where you act on a call.
    ///
    /// ```
    /// use jackfield_plugin::Inbox;
    /// # use jackfield_plugin::*;
    /// # struct Acme { signing_secret: String }
    /// # impl Provider for Acme {
    /// #     type Options = NoOptions;
    /// #     const ID: &'static str = "acme";
    /// #     const NAME: &'static str = "Acme";
    /// #     fn new(_: NoOptions) -> Self { Acme { signing_secret: "hush".to_owned() } }
    /// #     fn pipeline(&self) -> Pipeline { Pipeline::new() }
    /// #   async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { panic!() }
    ///
    /// fn inbox(&self) -> Option<Inbox> {
    ///     let inbox = Inbox::hmac_sha256("x-acme-signature", self.signing_secret.as_str())
    ///         .prefix("v0=")
    ///         .template("v0:{timestamp}:{body}")
    ///         .timestamp("header:x-acme-timestamp");
    ///     Some(inbox.delivery_id("body:event_id").account("body:team.id"))
    /// }
    /// # }
    /// ```
    fn inbox(&self) -> Option<Inbox> {
        None
    }

    /// Whether the service reports events of all your integrations to one URL:
    /// `/extensions/{id}/events/` below the address of the host, which the operator enters at the
    /// service. Answer `true` only while you can verify a request, for example while the operator
    /// has set the signing secret. Otherwise the URL does not exist, and the host does not call
    /// [`handle_event`](Self::handle_event).
    fn handles_events(&self) -> bool {
        false
    }

    /// Handles a request to the events URL, about any integration. Anybody can send a request:
    /// verify it first, even one that changes nothing. A request may arrive twice, late or out of
    /// order. Report what it says: the host comes to the same result in any order.
    ///
    /// ```
    /// use jackfield_plugin::{
    ///     Event, EventResponse, Host, Result, Value, WebhookRequest, WebhookResponse,
    /// };
    /// # use jackfield_plugin::{Integration, NoOptions, Pipeline, Provider, State};
    /// # struct Acme;
    /// # impl Acme { fn is_signed(&self, _: &WebhookRequest, _: u64) -> bool { true } }
    /// # impl Provider for Acme {
    /// #     type Options = NoOptions;
    /// #     const ID: &'static str = "acme";
    /// #     const NAME: &'static str = "Acme";
    /// #     fn new(_: NoOptions) -> Self { Acme }
    /// #     fn pipeline(&self) -> Pipeline { Pipeline::new() }
    /// #   async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { panic!() }
    ///
    /// fn handles_events(&self) -> bool {
    ///     true
    /// }
    ///
    /// async fn handle_event(&self, request: WebhookRequest, host: Host) -> Result<EventResponse> {
    ///     if !self.is_signed(&request, host.unix_time()) {
    ///         return Ok(WebhookResponse::new(401).into());
    ///     }
    ///     let Ok(body) = request.json::<Value>() else {
    ///         return Ok(WebhookResponse::new(400).into());
    ///     };
    ///     let response = EventResponse::new(WebhookResponse::new(200));
    ///     Ok(match (body["type"].as_str(), body["account"].as_str()) {
    ///         (Some("uninstalled"), Some(account)) => response.event(Event::uninstalled(account)),
    ///         _ => response,
    ///     })
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// The service gets status 500 and sends the request again. The operator's log gets your
    /// message, so quote nothing of the request.
    fn handle_event(&self, request: WebhookRequest, host: Host) -> impl Future<Output = Result<EventResponse>> + Send {
        drop((request, host));
        async { Ok(WebhookResponse::new(404).into()) }
    }

    /// Gets new tokens for a [grant](Integration::grant) that is about to expire. You do not need
    /// it if the service follows RFC 6749 section 6: by default, the host sends the refresh token
    /// to the token endpoint of your OAuth 2.0 step. The host refreshes when somebody asks for a
    /// token with a sixth of its life left, when nobody has asked for days, and when the service
    /// has refused a token. It does so once for all that ask, on all hosts.
    ///
    /// It must be repeatable: after an error, the host calls it again. Do not spend a single-use
    /// refresh token here: answer [`Refreshed::Default`], since the host can handle a lost
    /// response. If only its URL, its parameters or its words for a dead refresh token are its own,
    /// [`OAuth2::refresh_url`](crate::OAuth2::refresh_url) and its neighbours say so. Write this
    /// method if tokens come another way. Answer [`Refreshed::refused`] wherever the service says
    /// that the account is gone or suspended: after an error it is asked again, for ever.
    ///
    /// ```
    /// use jackfield_plugin::{Error, Grant, Host, HttpRequest, Refreshed, Result};
    /// use jackfield_plugin::{State, Value, value};
    /// # use jackfield_plugin::{Integration, NoOptions, Pipeline, Provider};
    /// # struct Acme;
    /// # impl Provider for Acme {
    /// #     type Options = NoOptions;
    /// #     const ID: &'static str = "acme";
    /// #     const NAME: &'static str = "Acme";
    /// #     fn new(_: NoOptions) -> Self { Acme }
    /// #     fn pipeline(&self) -> Pipeline { Pipeline::new() }
    /// #   async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { panic!() }
    ///
    /// async fn refresh(&self, grant: Grant, metadata: State, host: Host) -> Result<Refreshed> {
    ///     let account: String = value(&metadata, "account")?;
    ///     let url = format!("https://api.acme.example/{account}/tokens");
    ///     let response = host.send(HttpRequest::post(url)).await?;
    ///     if response.status == 404 {
    ///         return Ok(Refreshed::refused("the account is gone"));
    ///     }
    ///     let tokens: Value = response.json()?;
    ///     let renewed = Grant::from_token_response(grant.name, &tokens);
    ///     let failed = || Error::new(format!("Acme answered {}", response.status));
    ///     Ok(Refreshed::granted(renewed.ok_or_else(failed)?))
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// The service is down, or its response cannot be read. The host keeps the old token while it
    /// lives, and calls again after growing pauses.
    fn refresh(&self, grant: Grant, metadata: State, host: Host) -> impl Future<Output = Result<Refreshed>> + Send {
        drop((grant, metadata, host));
        async { Ok(Refreshed::Default) }
    }

    /// Revokes tokens: those of a removed integration, or tokens that newer ones have replaced. You
    /// do not need it if the service has a revocation endpoint (RFC 7009): set
    /// [`OAuth2::revocation_url`](crate::OAuth2::revocation_url). Write this method if the service
    /// has another way. The host calls it before it does anything by RFC 7009, and may call it
    /// again for tokens that are revoked already.
    ///
    /// With [`RevokeRequest::is_uninstall`] the account itself is removed. With
    /// [`RevokeRequest::is_still_connected`] it stays connected by other tokens, which must not
    /// end. The organization reads the message of [`Revoked::done`].
    ///
    /// ```
    /// use jackfield_plugin::{Error, Host, HttpRequest, Result, RevokeRequest, Revoked};
    /// # use jackfield_plugin::{Integration, NoOptions, Pipeline, Provider, State};
    /// # struct Acme;
    /// # impl Provider for Acme {
    /// #     type Options = NoOptions;
    /// #     const ID: &'static str = "acme";
    /// #     const NAME: &'static str = "Acme";
    /// #     fn new(_: NoOptions) -> Self { Acme }
    /// #     fn pipeline(&self) -> Pipeline { Pipeline::new() }
    /// #   async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { panic!() }
    ///
    /// async fn revoke(&self, request: RevokeRequest, host: Host) -> Result<Revoked> {
    ///     for grant in &request.grants {
    ///         let sign_out = HttpRequest::post("https://api.acme.example/sign-out");
    ///         let sign_out = sign_out.bearer_auth(grant.access_token.expose());
    ///         let response = host.send(sign_out).await?;
    ///         // 401: the token is revoked already.
    ///         if !response.is_success() && response.status != 401 {
    ///             return Err(Error::new(format!("Acme answered {}", response.status)));
    ///         }
    ///     }
    ///     Ok(Revoked::done("signed out"))
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// The tokens are not revoked. The host calls again for seven days, after growing pauses, and
    /// does the same after 60 seconds without an answer. Operator and organization read your
    /// message.
    fn revoke(&self, request: RevokeRequest, host: Host) -> impl Future<Output = Result<Revoked>> + Send {
        drop((request, host));
        async { Ok(Revoked::Default) }
    }
}

/// Options of a provider that has none.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct NoOptions {}
