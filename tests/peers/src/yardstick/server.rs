//! The yardstick's three requests.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Result, ensure};
use axum::{
    Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, sync::Mutex};

use super::{
    tables::{self, Change},
    writer::Writer,
};
use crate::{
    connection::Connection,
    service::{AUTHORIZE, CLIENT_ID, CLIENT_SECRET},
};

struct Yardstick {
    writer: Writer,
    /// Address of the service.
    service: String,
    /// Connections to it that nobody uses now.
    idle: Mutex<Vec<Connection>>,
    /// Its own address.
    address: String,
}

/// Serves until it is killed, on one thread beside the writer's.
pub(crate) fn serve(database: &str, service: &str) -> Result<()> {
    let writer = Writer::start(tables::open(database)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        println!("{address}");
        let service = service.to_owned();
        let yardstick = Arc::new(Yardstick { writer, service, idle: Mutex::default(), address });
        let router = Router::new()
            .route("/organizations/acme/integrations/slack/setup/", get(start))
            .route("/extensions/slack/setup/", get(visit))
            .with_state(yardstick);
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true)));
        Ok(axum::serve(listener, router).await?)
    })
}

async fn start(State(yardstick): State<Arc<Yardstick>>, headers: HeaderMap) -> Response {
    let done = yardstick.writer.write(Change::Start(person(&headers))).await;
    answered(done.map(|()| redirect("/extensions/slack/setup/".to_owned())))
}

async fn visit(
    State(yardstick): State<Arc<Yardstick>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let person = person(&headers);
    answered(match query.get("code") {
        Some(code) => yardstick.install(person, code).await,
        None => yardstick.leave(person).await,
    })
}

impl Yardstick {
    async fn leave(&self, person: Vec<u8>) -> Result<Response> {
        self.writer.write(Change::Leave(person)).await?;
        let address = &self.address;
        Ok(redirect(format!(
            "{AUTHORIZE}?client_id={CLIENT_ID}&scope=chat:write&state=0123456789abcdef0123456789abcdef\
             &redirect_uri=http%3A%2F%2F{address}%2Fextensions%2Fslack%2Fsetup%2F"
        )))
    }

    async fn install(&self, person: Vec<u8>, code: &str) -> Result<Response> {
        self.writer.write(Change::Claim(person.clone())).await?;
        let team = self.exchange(code).await?;
        self.writer.write(Change::Install { person, team }).await?;
        Ok(([(header::CONTENT_TYPE, "text/html")], r#"<script>opener({"success":true})</script>"#).into_response())
    }

    async fn exchange(&self, code: &str) -> Result<String> {
        let kept = self.idle.lock().await.pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => Connection::to(&self.service).await?,
        };
        let form =
            format!("grant_type=authorization_code&code={code}&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}");
        let (service, length) = (&self.service, form.len());
        let request = format!(
            "POST /api/oauth.v2.access HTTP/1.1\r\nhost: {service}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{form}"
        );
        let answer = connection.ask(request.as_bytes()).await?;
        ensure!(answer.status == 200, "the service answered {}", answer.status);
        let token: serde_json::Value = serde_json::from_slice(&answer.body)?;
        self.idle.lock().await.push(connection);
        Ok(token["team"]["id"].as_str().unwrap_or_default().to_owned())
    }
}

fn person(headers: &HeaderMap) -> Vec<u8> {
    headers.get(header::COOKIE).map(|cookie| cookie.as_bytes().to_vec()).unwrap_or_default()
}

fn redirect(to: String) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
}

fn answered(result: Result<Response>) -> Response {
    result.unwrap_or_else(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response())
}
