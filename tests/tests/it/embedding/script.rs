//! The script for pages of programs: how the host serves it, and its own tests.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use jackfield_test_support::{http_client::HttpClient, interop::interop};
use reqwest::{Method, StatusCode};

use crate::app::bare;
use jackfield_tidy::root;

const SCRIPT: &str = "/connect/jackfield-connect.js";

/// What a page of another site may load.
const MOST_BYTES: usize = 4096;

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_any_origin_loads_the_script_and_it_is_small() -> Result<()> {
    let host = bare().start()?;
    let client = HttpClient::new(&host.url);
    for (path, file) in
        [(SCRIPT, "jackfield-connect.js"), ("/connect/jackfield-connect.d.ts", "jackfield-connect.d.ts")]
    {
        let asks = || client.request(Method::GET, path).header("origin", "https://app.example");
        let answer = client.send(asks().header("sec-fetch-site", "cross-site")).await?;
        let content = std::fs::read_to_string(root().join("packages/jackfield-connect").join(file))?;
        assert_eq!((answer.status, answer.text == content), (200, true), "{file}");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin");
        assert_eq!(answer.header("cache-control"), "public, max-age=600");
        assert_eq!(answer.header("set-cookie"), "");
        let again = client.send(asks().header("if-none-match", answer.header("etag"))).await?;
        assert_eq!((again.status, again.text.as_str()), (304, ""));
    }
    let compressed = client.request(Method::GET, SCRIPT).header("accept-encoding", "gzip");
    let compressed = compressed.header("sec-fetch-site", "cross-site").send().await?;
    assert_eq!(compressed.status(), StatusCode::OK);
    assert_eq!(compressed.headers()["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(compressed.headers()["content-encoding"], "gzip");
    let bytes = compressed.bytes().await?.len();
    assert!(bytes <= MOST_BYTES, "{bytes} bytes");
    Ok(())
}

#[test]
fn the_scripts_own_tests_pass() -> Result<()> {
    let Some(_node) = interop() else { return Ok(()) };
    let folder = root().join("packages/jackfield-connect");
    let run = Command::new("node").args(["--test", "test/"]).current_dir(folder).output().context("node")?;
    ensure!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    Ok(())
}

#[test]
fn the_package_has_what_it_names_and_nothing_else() -> Result<()> {
    let folder = root().join("packages/jackfield-connect");
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("package.json"))?)?;
    for file in manifest["files"].as_array().context("files")? {
        assert!(folder.join(file.as_str().context("a name")?).exists(), "{file}");
    }
    for kind in ["dependencies", "devDependencies", "peerDependencies"] {
        assert!(manifest.get(kind).is_none(), "{kind}");
    }
    Ok(())
}
