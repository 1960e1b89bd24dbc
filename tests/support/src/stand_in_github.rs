//! A strict stand-in GitHub. It installs an app, logs a user in, and accepts only tokens that the
//! app's key has signed and that are valid now.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use axum::{
    Form, Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Redirect,
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    rsa::{KeyPair, PublicKeyComponents},
    signature::RSA_PKCS1_2048_8192_SHA256,
};
use rustls_pki_types::{PrivatePkcs1KeyDer, pem::PemObject};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const KEY: &str = include_str!("../../../plugins/github-app/src/test-key.pem");
const APP: &str = "42";
/// The installation that its user may see.
pub const THEIRS: u64 = 7;
/// An installation of the same app that its user may not see.
pub const ANOTHERS: u64 = 8;
/// An installation on an organization that its user does not own: they may read one repository.
pub const READABLE: u64 = 9;

/// A running stand-in, until the test ends.
pub struct StandInGitHub {
    /// Port it listens on.
    pub port: u16,
    setup_url: SetupUrl,
}

/// Where the app's registration leads users back to.
type SetupUrl = Arc<Mutex<String>>;
type Pairs = Query<std::collections::HashMap<String, String>>;

impl StandInGitHub {
    /// Starts on a free port.
    ///
    /// # Errors
    /// When loopback cannot be bound.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let setup_url = SetupUrl::default();
        let router = router(setup_url.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { port, setup_url })
    }

    /// Sets where the app's registration leads users back to. A host has an address only when it
    /// runs.
    pub fn leads_back_to(&self, url: String) {
        *self.setup_url.lock().unwrap_or_else(PoisonError::into_inner) = url;
    }

    /// The operator's options for this GitHub.
    #[must_use]
    pub fn options(&self) -> String {
        let port = self.port;
        format!(
            "[http]\nallow-private = [\"127.0.0.1:{port}\"]\n\n[github-app]\napp-id = \"{APP}\"\napp-slug = \"acme-app\"\n\
             client-id = \"Iv1.1\"\nclient-secret = \"s3cret\"\nprivate-key = '''\n{KEY}'''\nweb-url = \"http://127.0.0.1:{port}\"\n"
        )
    }
}

fn router(setup_url: SetupUrl) -> Router {
    Router::new()
        .route("/apps/acme-app/installations/new", get(install))
        .route("/login/oauth/authorize", get(authorize))
        .route("/login/oauth/access_token", post(user_token))
        .route("/api/v3/user/installations", get(installations))
        .route("/api/v3/user/memberships/orgs/{organization}", get(membership))
        .route("/api/v3/app/installations/{id}", get(installation))
        .route("/api/v3/app/installations/{id}/access_tokens", post(installation_token))
        .fallback(async || StatusCode::NOT_FOUND)
        .with_state(setup_url)
}

/// The user picks an account and installs at once.
async fn install(State(setup_url): State<SetupUrl>, Query(query): Pairs) -> Redirect {
    let setup_url = setup_url.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let state = query.get("state").cloned().unwrap_or_default();
    Redirect::to(&format!("{setup_url}?installation_id={THEIRS}&setup_action=install&state={state}"))
}

async fn authorize(Query(query): Pairs) -> Result<Redirect, StatusCode> {
    let of = |name: &str| query.get(name).cloned().ok_or(StatusCode::BAD_REQUEST);
    Ok(Redirect::to(&format!("{}?code=one-code&state={}", of("redirect_uri")?, of("state")?)))
}

async fn user_token(Form(form): Form<std::collections::HashMap<String, String>>) -> Json<Value> {
    let of = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let is_good = (of("code"), of("client_id"), of("client_secret")) == ("one-code", "Iv1.1", "s3cret");
    Json(if is_good {
        json!({"access_token": "ghu_ada", "token_type": "bearer"})
    } else {
        json!({"error": "bad_verification_code"})
    })
}

async fn installations(headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    check_user(&headers)?;
    let listed = [THEIRS, READABLE].map(|id| json!({"id": id, "account": account(id)}));
    Ok(Json(json!({"total_count": listed.len(), "installations": listed})))
}

/// Of an organization that the user is no member of, GitHub says nothing.
async fn membership(Path(organization): Path<String>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    check_user(&headers)?;
    let account = account(THEIRS);
    (account["login"] == organization).then_some(()).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({"state": "active", "role": "admin", "organization": account, "user": {"id": 5, "login": "ada"}})))
}

fn account(installation: u64) -> Value {
    match installation {
        READABLE => json!({"id": 10, "login": "others-on-github", "type": "Organization"}),
        _ => json!({"id": 9, "login": "acme-on-github", "type": "Organization"}),
    }
}

fn check_user(headers: &HeaderMap) -> Result<(), StatusCode> {
    (bearer(headers) == "ghu_ada").then_some(()).ok_or(StatusCode::UNAUTHORIZED)
}

async fn installation(Path(id): Path<u64>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    check_app(&headers)?;
    Ok(Json(json!({"id": id, "account": account(id)})))
}

async fn installation_token(Path(id): Path<u64>, headers: HeaderMap) -> Result<(StatusCode, Json<Value>), StatusCode> {
    check_app(&headers)?;
    let token = json!({
        "token": format!("ghs_{id}"), "expires_at": "2026-01-01T00:00:00Z", "permissions": {"contents": "read"},
    });
    Ok((StatusCode::CREATED, Json(token)))
}

fn bearer(headers: &HeaderMap) -> &str {
    let value = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.strip_prefix("Bearer ").unwrap_or_default()
}

fn check_app(headers: &HeaderMap) -> Result<(), StatusCode> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    verify(bearer(headers), now).map_err(|error| {
        eprintln!("the stand-in refuses the app's token: {error:#}");
        StatusCode::UNAUTHORIZED
    })
}

/// Checks an app's token as GitHub does:
/// <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app>
fn verify(token: &str, now: Duration) -> Result<()> {
    let (signed, signature) = token.rsplit_once('.').context("three parts")?;
    let (header, claims) = signed.split_once('.').context("three parts")?;
    let key = PrivatePkcs1KeyDer::from_pem_slice(KEY.as_bytes())?;
    let key = KeyPair::from_der(key.secret_pkcs1_der()).ok().context("a key")?;
    let public: PublicKeyComponents<Vec<u8>> = key.public().into();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature)?;
    let outcome = public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature);
    ensure!(outcome.is_ok(), "the signature is another's");
    let [header, claims] = [header, claims]
        .map(|part| -> Result<Value> { Ok(serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part)?)?) });
    let (claims, now) = (claims?, now.as_secs());
    let of = |name: &str| claims[name].as_u64().context("a time in seconds");
    ensure!(header?["alg"] == "RS256" && claims["iss"] == APP, "another algorithm or app");
    ensure!(of("iat")? <= now, "issued in the future");
    ensure!((now + 1..=now + 600).contains(&of("exp")?), "it lives too long, or no more");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stand_in_takes_no_token_but_a_good_one() {
        let now = 1_700_000_000;
        let token = |app: &str, issued: u64, expires: u64| {
            let parts = [json!({"alg": "RS256"}), json!({"iss": app, "iat": issued, "exp": expires})];
            let signed = parts.map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
            let key = PrivatePkcs1KeyDer::from_pem_slice(KEY.as_bytes()).expect("a key in PEM");
            let key = KeyPair::from_der(key.secret_pkcs1_der()).expect("an RSA key");
            let mut signature = vec![0; key.public().modulus_len()];
            let random = ring::rand::SystemRandom::new();
            key.sign(&ring::signature::RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).expect("it signs");
            format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
        };
        let is_taken = |token: &str| verify(token, Duration::from_secs(now)).is_ok();
        let good = token(APP, now - 60, now + 540);
        assert!(is_taken(&good));
        for wrong in [
            token("43", now - 60, now + 540),
            token(APP, now + 1, now + 540),
            token(APP, now, now + 601),
            token(APP, now - 60, now),
        ] {
            assert!(!is_taken(&wrong));
        }
        assert!(!is_taken(&good.replacen("eyJ", "eyK", 1)), "a signature of something else");
    }
}
