//! Steps that the plugin runs itself: HTML, a form that the host renders, a redirect, a request
//! through the host, and how they fail.

use jackfield_plugin::{
    Answer, Dialog, Error, Field, FieldType, Form, Grant, Host, HttpRequest, Identity, Integration, Pipeline, Provider,
    Refreshed, Result, RevokeRequest, Revoked, Secret, State, Step, View, WebhookRequest, WebhookResponse, json, value,
};
use serde::Deserialize;

#[derive(Clone, Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Options {
    url: String,
    key: Secret,
    tags: Vec<String>,
}

pub(crate) struct Workshop(Options);

impl Provider for Workshop {
    type Options = Options;
    const ID: &'static str = "released-workshop";
    const NAME: &'static str = "Released workshop";

    fn new(options: Options) -> Self {
        Self(options)
    }

    fn is_configured(&self) -> bool {
        !self.0.url.is_empty()
    }

    fn config(&self) -> Vec<Field> {
        vec![Field::new(FieldType::Select, "region", "Region").choice("eu", "Europe").help("Where.").optional()]
    }

    fn dialog(&self) -> Dialog {
        Dialog { width: 640, height: 480 }
    }

    fn icon(&self) -> Option<&'static str> {
        Some(r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><circle cx="12" cy="12" r="9"/></svg>"#)
    }

    fn hosts(&self) -> Vec<String> {
        vec!["api.example.com".to_owned()]
    }

    fn pipeline(&self) -> Pipeline {
        Pipeline::new().view("page", page).view("form", form).view("away", away).view("call", Call(self.0.clone()))
    }

    async fn build_integration(&self, state: State, host: Host) -> Result<Integration> {
        host.debug("building");
        let name: String = value(&state, "name")?;
        if name == "unlucky" {
            return Err(Error::new("the build failed on purpose"));
        }
        let identity = Identity::new("released", "workshop", "U1").scopes(["read", "write"]).data("since", 1);
        Ok(Integration::new(format!("w-{name}"))
            .name(name)
            .metadata("called", value::<jackfield_plugin::Value>(&state, "called")?)
            .metadata("told-the-time", host.unix_time() > 0)
            .metadata("tags", json!(self.0.tags))
            .grant(Grant::new("own", "w0rkshop-1").expires_in(3600).scopes(["read"]))
            .identity(identity))
    }

    async fn refresh(&self, grant: Grant, metadata: State, _: Host) -> Result<Refreshed> {
        Ok(match metadata.get("called") {
            Some(_) => Refreshed::granted(Grant::new(grant.name, "w0rkshop-2").expires_in(3600)),
            None => Refreshed::refused("it was never called"),
        })
    }

    async fn revoke(&self, request: RevokeRequest, _: Host) -> Result<Revoked> {
        Ok(Revoked::done(format!("{} of {} revoked", request.grants.len(), request.external_id)))
    }

    async fn handle_webhook(&self, request: WebhookRequest, _: State, host: Host) -> Result<WebhookResponse> {
        let own = host.token(request.query("grant").unwrap_or_default()).await?;
        Ok(WebhookResponse::new(200).with_body("text/plain", own.scopes.join(" ")).bind("received", true))
    }
}

async fn page(mut step: Step) -> Result<Answer> {
    match step.form("name").map(str::to_owned).as_deref() {
        Some("error") => Ok(Answer::error("The plugin says no.")),
        Some("fail") => Err(Error::new("the step failed on purpose")),
        Some("panic") => panic!("the step panicked on purpose"),
        Some(name) => {
            step.host().warn(format!("somebody is called {name}"));
            step.bind("name", name);
            Ok(Answer::Next)
        }
        None => Ok(Answer::html(
            r#"<form method="POST"><label for="name">Who?</label><input id="name" name="name"><button>Go on</button></form>"#,
        )),
    }
}

async fn form(mut step: Step) -> Result<Answer> {
    if let Some(amount) = step.form("amount").map(str::parse::<u32>) {
        step.bind("amount", amount?);
        return Ok(Answer::Next);
    }
    let form = Form::new("How many?")
        .field(Field::new(FieldType::Number, "amount", "Amount").help("A whole number."))
        .field(Field::new(FieldType::Password, "secret", "Secret").optional())
        .field(Field::new(FieldType::Checkbox, "loud", "Loud").optional())
        .field(Field::text("note", "Note").optional())
        .value("amount", "7")
        .error("note", "Nothing is noted.");
    Ok(Answer::form(form))
}

async fn away(step: Step) -> Result<Answer> {
    Ok(match step.query("back") {
        Some("1") => Answer::Next,
        _ => Answer::redirect(format!("https://away.example/?to={}", step.setup_url())),
    })
}

struct Call(Options);

impl View for Call {
    async fn dispatch(&self, mut step: Step) -> Result<Answer> {
        let amount: u32 = step.value("amount")?;
        let request =
            HttpRequest::post(&self.0.url).bearer_auth(self.0.key.expose()).header("x-amount", amount.to_string());
        let response = step.send(request.json(&json!({"amount": amount}))).await?;
        let refused = step.send(HttpRequest::get("https://elsewhere.example/")).await;
        step.bind(
            "called",
            json!({"status": response.status, "good": response.is_success(), "refused": refused.is_err()}),
        );
        Ok(Answer::Next)
    }
}
