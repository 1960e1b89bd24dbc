//! Calls that the vendors' own libraries have signed, from npm. Slack's and Linear's only verify:
//! they say that what is sent here is signed as they want it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jackfield_test_support::interop::interop;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::inbox_app::{InboxApp, SECRET, base64, push, signing};
use crate::providers::service_app::{enabled, profile};

/// A vendor: the provider that it signs for, what its library signs, and the delivery that is kept.
struct Vendor {
    name: &'static str,
    provider: &'static str,
    body: String,
    delivery: &'static str,
    has_time: bool,
}

fn vendors(now: i64) -> Result<Vec<Vendor>> {
    let id = |provider: &str| profile(provider).map(|profile| profile.installs.id);
    let vendor = |name, provider, body: Value, delivery, has_time| Vendor {
        name,
        provider,
        body: body.to_string(),
        delivery,
        has_time,
    };
    let push: Value = serde_json::from_str(&push(1))?;
    Ok(vec![
        vendor("github", "github", push, "of-octokit", false),
        vendor("stripe", "stripe", json!({"id": "evt_1", "account": id("stripe")?}), "evt_1", true),
        vendor("shopify", "shopify", json!({"id": 820_982_911}), "of-shopify", false),
        vendor("slack", "slack", json!({"event_id": "Ev1", "team_id": id("slack")?}), "Ev1", true),
        vendor(
            "linear",
            "linear",
            json!({"organizationId": id("linear")?, "webhookTimestamp": now * 1000}),
            "of-linear",
            true,
        ),
        vendor("standard", "dropbox", json!({"account": id("dropbox")?}), "of-standard", true),
    ])
}

/// A service that signs as Standard Webhooks say.
fn standard() -> Result<String> {
    let inbox = "inbox = { header = \"webhook-signature\", prefix = \"v1,\", encoding = \"base64\", decode = \"base64\", \
                 template = \"{header:webhook-id}.{timestamp}.{body}\", timestamp = \"header:webhook-timestamp\", \
                 delivery-id = \"header:webhook-id\", account = \"body:account\" }\n";
    Ok(format!("{}{inbox}signing-secret = \"{}\"\n", enabled("dropbox")?, base64(SECRET.as_bytes())))
}

async fn app(vendors: &[Vendor]) -> Result<InboxApp> {
    let tables: Result<Vec<String>> = vendors
        .iter()
        .map(|vendor| if vendor.name == "standard" { standard() } else { signing(vendor.provider) })
        .collect();
    let providers: Vec<&str> = vendors.iter().map(|vendor| vendor.provider).collect();
    InboxApp::start(None, &tables?.join(""), &providers).await
}

fn signatures(secret: &str, now: i64, vendors: &[Vendor]) -> Result<Option<BTreeMap<String, Headers>>> {
    let Some(interop) = interop() else { return Ok(None) };
    let calls: Value = vendors.iter().map(|vendor| (vendor.name.to_owned(), json!(vendor.body))).collect();
    Ok(Some(serde_json::from_value(interop.vendor_signatures(secret, now, &calls)?)?))
}

type Headers = BTreeMap<String, String>;

fn sent(vendor: &Vendor, signed: &BTreeMap<String, Headers>) -> Result<Vec<(String, String)>> {
    let headers = signed.get(vendor.name).context("its headers")?.clone();
    let shop = ("x-shopify-shop-domain".to_owned(), format!("{}.myshopify.com", profile("shopify")?.options["shop"]));
    Ok(headers.into_iter().chain((vendor.name == "shopify").then_some(shop)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vendors_libraries_have_signed_is_accepted_and_nothing_that_was_changed() -> Result<()> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let vendors = vendors(now)?;
    let Some(signed) = signatures(SECRET, now, &vendors)? else { return Ok(()) };
    let Some(others) = signatures("another", now, &vendors)? else { return Ok(()) };
    let app = app(&vendors).await?;
    for vendor in &vendors {
        let (url, headers) = (app.events_url(vendor.provider), sent(vendor, &signed)?);
        let changed = format!("{} ", vendor.body);
        assert_eq!(app.call(&url, &headers, &changed).await?.status, 401, "{}: one byte more", vendor.name);
        assert_eq!(app.call(&url, &[], &vendor.body).await?.status, 401, "{}: no header", vendor.name);
        let other = sent(vendor, &others)?;
        assert_eq!(app.call(&url, &other, &vendor.body).await?.status, 401, "{}: another secret", vendor.name);
    }
    assert_eq!(app.received("acme").await?.len(), 0, "nothing of it is stored");
    for vendor in &vendors {
        let (url, headers) = (app.events_url(vendor.provider), sent(vendor, &signed)?);
        assert_eq!(app.call(&url, &headers, &vendor.body).await?.status, 200, "{}", vendor.name);
    }
    let expected: Vec<&str> = vendors.iter().map(|vendor| vendor.delivery).collect();
    assert_eq!(app.deliveries("acme").await?, expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vendors_libraries_have_signed_long_ago_is_refused() -> Result<()> {
    let long_ago = OffsetDateTime::now_utc().unix_timestamp() - 3600;
    // Linear's own library refuses an old time as well, so that it signs none.
    let vendors: Vec<Vendor> = vendors(long_ago)?
        .into_iter()
        .filter(|vendor| vendor.has_time && !matches!(vendor.name, "linear" | "slack"))
        .collect();
    let Some(signed) = signatures(SECRET, long_ago, &vendors)? else { return Ok(()) };
    let app = app(&vendors).await?;
    for vendor in &vendors {
        let (url, headers) = (app.events_url(vendor.provider), sent(vendor, &signed)?);
        assert_eq!(app.call(&url, &headers, &vendor.body).await?.status, 401, "{}", vendor.name);
    }
    assert_eq!(app.received("acme").await?.len(), 0);
    Ok(())
}
