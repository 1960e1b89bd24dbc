//! Clients and proxies that speak HTTP/2 to a host: curl, nghttp2's load generator, HAProxy.

use anyhow::{Context, Result};
use jackfield_test_support::{
    host::Host,
    http2_programs::{HaProxy, curl, h2load, has_curl, or_skipped},
};
use tempfile::TempDir;

use crate::app::{bare, owner_of_acme};

const HTTP2: &str = "--http2-prior-knowledge";
/// curl prints it behind the body.
const VERSION_AND_STATUS: &str = "\n%{http_version} %{http_code}";

/// Logs in as a browser does, and results in the page of an organization. One call of curl for
/// each request: Debian's has a fault where it uses a connection of this kind a second time.
async fn log_in_by_curl(host: &Host, how: &[&str]) -> Result<String> {
    owner_of_acme(host).await?;
    let cookies = TempDir::new()?;
    let jar = cookies.path().join("cookies").display().to_string();
    let kept = ["--cookie-jar", &jar, "--cookie", &jar, "--write-out", VERSION_AND_STATUS];
    let url = format!("{}/auth/login/", host.url);
    let origin = format!("origin: {}", host.url);
    let form = ["--header", &origin, "--data-urlencode", "email=owner@example.com", "--data-urlencode", &password()];
    let logged_in = curl(&[how, &kept, &form, &[&url]].concat())?;
    assert!(logged_in.ends_with(" 302"), "{logged_in}");
    curl(&[how, &kept, &[&format!("{}/organizations/acme/integrations/", host.url)]].concat())
}

fn password() -> String {
    format!("password={}", crate::app::PASSWORD)
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_logs_in_and_is_refused_over_http2() -> Result<()> {
    if or_skipped(has_curl()).is_none() {
        return Ok(());
    }
    let host = bare().start()?;
    let page = log_in_by_curl(&host, &[HTTP2]).await?;
    assert!(page.contains("Integrations of acme") && page.ends_with("\n2 200"), "{page}");
    let api = format!("{}/api/0/organizations/acme/integrations/", host.url);
    let refused = curl(&[HTTP2, "--write-out", VERSION_AND_STATUS, &api])?;
    assert!(refused.contains("\"unauthenticated\"") && refused.ends_with("\n2 401"), "{refused}");
    let both = curl(&["--http1.1", "--write-out", VERSION_AND_STATUS, &format!("{}/healthz", host.url)])?;
    assert_eq!(both, "ok\n1.1 200", "HTTP/1.1 is spoken as well");
    Ok(())
}

#[test]
fn a_thousand_requests_over_few_connections_of_http2_are_answered() -> Result<()> {
    let host = bare().start()?;
    let url = format!("{}/healthz", host.url);
    let Some(report) = or_skipped(h2load(&["-n", "2000", "-c", "4", "-m", "50", &url])) else { return Ok(()) };
    assert!(report.contains("2000 succeeded, 0 failed"), "{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_speaks_http2_to_the_host() -> Result<()> {
    let host = bare().system("trusted-proxies = [\"127.0.0.1\"]\n").start()?;
    let Some(haproxy) = or_skipped(HaProxy::before(host.url.strip_prefix("http://").context("a URL")?)) else {
        return Ok(());
    };
    let socket = haproxy.socket().display().to_string();
    let page = log_in_by_curl(&host, &["--unix-socket", &socket]).await?;
    assert!(page.contains("Integrations of acme") && page.ends_with("\n1.1 200"), "{page}");
    Ok(())
}
