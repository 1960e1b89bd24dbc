//! Which answers are compressed: no secret stands in them beside what a stranger chose.

use std::io::Read;

use anyhow::Result;
use jackfield_test_support::http_client::HttpClient;
use reqwest::{Method, Response};

use crate::app::{bare, owner_of_acme};

const LIST: &str = "/organizations/acme/integrations/";

async fn get(client: &HttpClient, path: &str, more: &[(&str, &str)]) -> Result<Response> {
    let mut request = client.request(Method::GET, path).header("accept-encoding", "br, gzip;q=0.8");
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    Ok(request.send().await?)
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn is_compressed(response: &Response) -> bool {
    header(response, "content-encoding") == "gzip"
}

async fn unpacked(response: Response) -> Result<String> {
    let bytes = response.bytes().await?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text)?;
    Ok(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_lists_are_compressed_for_who_takes_that() -> Result<()> {
    let host = bare().start()?;
    let owner = owner_of_acme(&host).await?;
    let page = owner.visit(LIST).await?;
    let style = page.text.split('"').find(|text| text.starts_with("/static/") && text.ends_with(".css"));
    let style = style.unwrap_or_default().to_owned();
    for path in [&*style, LIST, "/api/errors/"] {
        let plain = owner.visit(path).await?;
        assert_eq!(plain.header("content-encoding"), "", "{path}: nobody asks for it");
        assert_eq!(plain.header("vary"), "accept-encoding", "{path}");
        let packed = get(&owner, path, &[]).await?;
        assert!(is_compressed(&packed) && header(&packed, "vary") == "accept-encoding", "{path}: {packed:?}");
        assert_eq!(header(&packed, "cache-control"), plain.header("cache-control"), "{path}");
        assert_eq!(unpacked(packed).await?, plain.text, "{path}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_may_have_a_part_in_is_not_compressed() -> Result<()> {
    let host = bare().start()?;
    let owner = owner_of_acme(&host).await?;
    for (path, headers) in [
        (LIST, &[("sec-fetch-site", "cross-site")][..]),
        (LIST, &[("sec-fetch-site", "same-site")]),
        (&format!("{LIST}?guess=hunter2"), &[]),
        ("/account/", &[]),
        ("/organizations/acme/audit/", &[]),
        ("/api/0/organizations/acme/audit/", &[]),
        ("/api/0/organizations/acme/tokens/", &[]),
        (&format!("/auth/login/?next={}", "x".repeat(2000)), &[]),
        (&format!("/extensions/{}/setup/", "x".repeat(2000)), &[]),
        (&format!("/api/0/{}", "x".repeat(2000)), &[]),
    ] {
        let answer = get(&owner, path, headers).await?;
        assert_eq!(header(&answer, "content-encoding"), "", "{path}");
    }
    for site in ["same-origin", "none"] {
        assert!(is_compressed(&get(&owner, LIST, &[("sec-fetch-site", site)]).await?), "{site}");
    }
    Ok(())
}
