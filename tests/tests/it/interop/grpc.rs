//! gRPC's own library for Node.js on both ends of a proxied call.

use anyhow::Result;
use jackfield_test_support::{certificate::Certificate, interop::interop};
use serde_json::json;

use crate::{app::bare, providers::declared::service_of, proxy::abuse::installed_on};

#[tokio::test(flavor = "multi_thread")]
async fn grpc_passes_through_the_proxy_in_both_directions_with_its_trailers() -> Result<()> {
    let Some(interop) = interop() else { return Ok(()) };
    let certificate = Certificate::new()?;
    let mut grpc = interop.grpc(&certificate)?;
    let trusting = bare().env("SSL_CERT_FILE", &certificate.file().display().to_string());
    let url = format!("https://127.0.0.1:{}/", grpc.port);
    let (_service, host, client) = installed_on(trusting, service_of("acme", |_| {})?, &url, &[grpc.port]).await?;
    let address = host.url.replace("http://", "");
    let path = format!("{}proxy/", client.path);
    let report = tokio::task::spawn_blocking(move || grpc.call(&address, &path, &client.token)).await??;

    let cost = |number: &str| json!({"x-cost": number});
    let unary = &report["unary"];
    assert_eq!((&unary["answer"], &unary["code"], &unary["trailers"]), (&json!("HELLO"), &json!(0), &cost("7")));
    // Such an answer is a head alone: what would be trailers stands in it.
    let failed = &report["failed"];
    assert_eq!((&failed["code"], &failed["details"]), (&json!(5), &json!("no such thing")), "{report}");
    assert_eq!(failed["trailers"]["x-cost"], "7");
    let many = &report["many"];
    assert_eq!((&many["pieces"], &many["code"], &many["trailers"]), (&json!(100), &json!(0), &cost("100")));
    assert!(many["length"].as_u64().is_some_and(|length| length > 1_000_000), "{many}");
    let heard: Vec<_> = (1..=3).map(|n| format!("heard sentence {n}")).collect();
    assert_eq!((&report["talk"]["heard"], &report["talk"]["code"]), (&json!(heard), &json!(0)));
    assert_eq!(report["together"], 150, "more at once than a service allows on one connection");
    assert_ne!(report["refused"], 0, "a path that leads up is refused as ever");
    let seen = &report["seen"];
    assert!(seen["authorization"].as_str().is_some_and(|it| it.starts_with("Bearer ")), "{seen}");
    assert_eq!(seen["x-own"], "kept");
    Ok(())
}
