//! Answers whose head is odd, or is none.

use anyhow::Result;
use jackfield_test_support::raw_http::RawHttpServer;
use reqwest::Method;

use super::abuse::installed;
use crate::app::refusal;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_an_odd_head_is_handed_on_and_stays_one_answer() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, _host, client) = installed(&api, "").await?;
    let many: String = (0..900).map(|n| format!("x-debug-{n}: 1\r\n")).collect();
    let heads = [
        format!("HTTP/1.1 200 OK\r\n{many}x-y: z\r\n"),
        "HTTP/1.1 200 OK\r\nx-y:\r\n z\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nno header at all\r\nx y: 1\r\nx-y :z  \r\n".to_owned(),
        "HTTP/1.0 200\nx-y: z\n".to_owned(),
        "HTTP/1.1 200 OK\r\nx-y: z\r\nx-folded: a\r\n set-cookie: evil=1\r\n\tHTTP/1.1 200 OK\r\n".to_owned(),
    ];
    for head in heads {
        let answer = format!("{head}content-length: 2\r\nconnection: close\r\n\r\nok");
        let (response, _) = tokio::try_join!(client.proxy_get("thing"), api.answer(&answer))?;
        assert_eq!((response.status, response.header("x-y"), &*response.text), (200, "z", "ok"), "{head}");
        assert!(response.headers.get("set-cookie").is_none(), "{head}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_has_compressed_is_handed_on_as_it_is() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, _host, client) = installed(&api, "").await?;
    let answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00";
    let call = client.proxy_request(Method::GET, "thing").send();
    let (response, _) = tokio::join!(call, api.answer(answer));
    let response = response?;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(&*response.bytes().await?, b"\x1f\x8b\x08\x00");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_never_sent_again_once_an_answer_has_begun() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, _host, client) = installed(&api, "").await?;
    let too_many: String = (0..1001).map(|n| format!("x-{n}: 1\r\n")).collect();
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-le".to_owned(),
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".to_owned(),
        "HTTP/1.1 2x0 OK\r\ncontent-length: 2\r\n\r\nok".to_owned(),
        format!("HTTP/1.1 200 OK\r\n{too_many}content-length: 2\r\n\r\nok"),
    ] {
        let (response, _) = tokio::try_join!(client.proxy_get("thing"), api.answer(&answer))?;
        assert_eq!(refusal(&response)?, (502, "unreachable".to_owned()), "{answer}");
        assert!(response.header("proxy-status").contains("http_protocol_error"), "{:?}", response.headers);
        assert!(api.is_untouched().await, "{answer}");
    }
    Ok(())
}
