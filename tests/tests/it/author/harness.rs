//! The harness that plugin authors test with: the same test gives the same result in process and
//! through a real host.

use std::time::Duration;

use insta::{allow_duplicates, assert_snapshot};
use jackfield_plugin::{Answer, HttpRequest, HttpResponse, Integration, json};
use jackfield_plugin_test::{Harness, NOW, OutcomeKind};
use rehearsed::Rehearsed;

use crate::app::{program, redacted};

type Rehearsal = Harness<Rehearsed>;

/// One harness in process, and one through a host.
fn both() -> [Rehearsal; 2] {
    let new = || Rehearsal::new(json!({}));
    [new(), new().with_real_host(program().path)]
}

fn ids() -> HttpRequest {
    HttpRequest::post("https://api.example.com/ids?new=1").bearer_auth("t0ken").json(&json!({"a": 1}))
}

#[test]
fn every_answer_is_the_same_through_a_host() {
    let [inside, through] = both().map(|mut harness| {
        let mut came = vec![harness.get().kind().clone()];
        for what in ["html", "redirect", "error", "fail"] {
            came.push(harness.post(&[("do", what)]).kind().clone());
        }
        came
    });
    assert_eq!(inside, through);
    assert!(
        matches!(&inside[0], OutcomeKind::Answer(Answer::Form { form }) if form.fields.len() == 5 && form.errors.len() == 1)
    );
}

#[test]
fn what_goes_wrong_is_the_same_through_a_host() {
    let [inside, through] = both().map(|harness| {
        let mut harness = harness.mock_error("https://api.example.com/down", "connection refused");
        ["down", "reach", "panic"].map(|what| harness.post(&[("do", what)]).expect_failure())
    });
    assert_eq!((&inside[0], &through[0]), (&"connection refused".to_owned(), &inside[0]));
    for (one, other) in inside.iter().zip(&through) {
        let beginning = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
        assert_eq!(beginning(one), beginning(other), "the advice may differ: {one} / {other}");
    }
}

#[test]
fn requests_log_and_integration_are_the_same_through_a_host() {
    for harness in both() {
        let mut harness = harness.mock("https://api.example.com/ids", HttpResponse::new(200, "R1"));
        harness.post(&[("do", "send")]).assert_oauth2();
        let expected = Integration::new("R1").metadata("data", json!({"access_token": "t"}));
        harness.authorize(json!({"access_token": "t"})).assert_integration(&expected);
        harness.assert_requests(&[ids()]);
        assert_eq!(harness.log(), ["asking", "answered 200"]);
        assert_eq!(harness.get().expect_form().fields[0].name, "do", "what has ended is used up: another begins");
    }
}

#[test]
fn a_person_who_declines_reads_so_through_a_host_too() {
    for harness in both() {
        let mut harness = harness.mock("https://api.example.com/ids", HttpResponse::new(200, "R1"));
        harness.post(&[("do", "send")]).assert_oauth2();
        assert_eq!(harness.deny().expect_error(), "access_denied");
    }
}

#[test]
fn the_clock_stands_still_and_is_moved_through_a_host_too() {
    for mut harness in both() {
        assert_eq!(harness.post(&[("do", "time")]).expect_html().trim(), NOW.to_string());
        harness.advance_time(Duration::from_secs(3600));
        assert_eq!(harness.post(&[("do", "time")]).expect_html().trim(), (NOW + 3600).to_string());
    }
}

/// The message of a failed test.
fn panic_message(fails: impl FnOnce() + Send + 'static) -> String {
    let panic = std::thread::spawn(fails).join().expect_err("it fails");
    panic.downcast_ref::<String>().cloned().expect("panics have words")
}

#[test]
fn a_request_that_no_mock_matches_fails_the_test_with_the_unused_mocks() {
    for harness in both() {
        let harness = harness.mock("https://api.example.com/other", HttpResponse::new(200, ""));
        let message = panic_message(move || {
            let mut harness = harness;
            harness.post(&[("do", "send")]).assert_oauth2();
        });
        allow_duplicates! {
            // A harness without a host knows the step as well.
            let message = message.replace(", step `act`", "");
            assert_snapshot!(redacted(&message), @r#"
            visit 1 (POST do=send): no mock matches
            POST https://api.example.com/ids?new=1
            authorization: Bearer t0ken
            content-type: application/json

            {
              "a": 1
            }
            unused mocks: https://api.example.com/other
            "#);
        }
    }
}

#[test]
fn a_test_that_fails_says_where_what_and_the_difference() {
    let answered = || Rehearsal::new(json!({})).mock("https://api.example.com/ids", HttpResponse::new(200, "R1"));
    let message = panic_message(move || drop(answered()));
    assert_eq!(message, "these mocks got no request: https://api.example.com/ids");
    let message = panic_message(move || drop(Rehearsal::new(json!({})).post(&[("do", "error")]).expect_integration()));
    assert_eq!(
        message,
        "visit 1 (POST do=error), step `act`: expected an integration, got an error for the person: No <such> account."
    );
    let message = panic_message(move || {
        let mut harness = answered();
        harness.post(&[("do", "send")]).assert_oauth2();
        harness
            .authorize(json!({"t": 1}))
            .assert_integration(&Integration::new("R2").metadata("data", json!({"t": 1})));
    });
    assert_snapshot!(redacted(&message), @r#"
    visit 2 (the person authorizes), step `oauth2`: another integration (- expected, + actual)
      {
    -   "external_id": "R2",
    +   "external_id": "R1",
        "metadata": {
          "data": {
            "t": 1
          }
        }
      }
    "#);
    let message = panic_message(move || {
        let mut harness = answered();
        harness.post(&[("do", "send")]).assert_oauth2();
        harness.assert_requests(&[HttpRequest::get("https://api.example.com/ids")]);
    });
    assert_snapshot!(redacted(&message), @r#"
    other requests were sent (- expected, + actual)
    - GET https://api.example.com/ids
    + POST https://api.example.com/ids?new=1
    + authorization: Bearer t0ken
    + content-type: application/json
    + 
    + {
    +   "a": 1
    + }
    "#);
}
