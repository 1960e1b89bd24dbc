//! Mocked responses, and the requests that were sent. Knows neither how the provider runs nor what
//! its steps mean.

use std::sync::{Arc, Mutex, MutexGuard};

use jackfield_plugin::{HttpRequest, HttpResponse};
use jackfield_plugin_abi::envelope::Input;

use crate::diff::{diff, request_text};

/// What a request gets.
#[derive(Clone)]
pub(crate) enum MockReply {
    /// A response.
    Response(HttpResponse),
    /// No response, and why.
    Error(String),
}

impl MockReply {
    /// The input that a host hands to the plugin.
    pub(crate) fn into_input(self) -> Input {
        match self {
            Self::Response(response) => Input::Response { response },
            Self::Error(message) => Input::Failed { message },
        }
    }
}

struct Mock {
    url: String,
    reply: MockReply,
}

/// Mocks that wait for a request, and requests that were sent. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Mocks(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    unused: Vec<Mock>,
    sent: Vec<HttpRequest>,
    unmatched: Vec<HttpRequest>,
    /// The token endpoint's response to the host's own request.
    token_response: Option<HttpResponse>,
}

impl Mocks {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nothing panics under this lock")
    }

    pub(crate) fn add(&self, url: String, reply: MockReply) {
        self.inner().unused.push(Mock { url, reply });
    }

    pub(crate) fn set_token_response(&self, response: HttpResponse) {
        self.inner().token_response = Some(response);
    }

    /// The response to the host's own token request, once.
    pub(crate) fn take_token_response(&self) -> Option<HttpResponse> {
        self.inner().token_response.take()
    }

    /// The reply to a request of the provider. A request that no mock matches fails the test later.
    pub(crate) fn reply(&self, request: HttpRequest) -> MockReply {
        let mut inner = self.inner();
        let Some(index) = inner.unused.iter().position(|mock| is_match(&mock.url, &request.url)) else {
            let error = MockReply::Error(format!("no mock matches {} {}", request.method, request.url));
            inner.unmatched.push(request);
            return error;
        };
        inner.sent.push(request);
        inner.unused.remove(index).reply
    }

    pub(crate) fn sent(&self) -> Vec<HttpRequest> {
        self.inner().sent.clone()
    }

    /// Compares the sent requests with the expected ones, in order.
    ///
    /// # Errors
    /// The difference.
    pub(crate) fn check_sent(&self, expected: &[HttpRequest]) -> Result<(), String> {
        let text =
            |requests: &[HttpRequest]| requests.iter().map(request_text).collect::<Vec<_>>().join("\n--- and then\n");
        diff(&text(expected), &text(&self.inner().sent))
    }

    /// Requests that no mock matched, with the unused mocks. Reports them once.
    pub(crate) fn take_unmatched(&self) -> Option<String> {
        let mut inner = self.inner();
        let unmatched: Vec<String> = std::mem::take(&mut inner.unmatched).iter().map(request_text).collect();
        let unused = match inner.unused.as_slice() {
            [] => "there are no unused mocks".to_owned(),
            unused => format!("unused mocks: {}", urls(unused)),
        };
        (!unmatched.is_empty()).then(|| format!("no mock matches\n{}\n{unused}", unmatched.join("\n")))
    }

    /// URLs of the mocks that got no request.
    pub(crate) fn unused(&self) -> Option<String> {
        let inner = self.inner();
        (!inner.unused.is_empty()).then(|| urls(&inner.unused))
    }
}

fn urls(mocks: &[Mock]) -> String {
    mocks.iter().map(|mock| mock.url.as_str()).collect::<Vec<_>>().join(", ")
}

/// A mock without a query matches any query.
fn is_match(mock: &str, url: &str) -> bool {
    mock == url || (!mock.contains('?') && url.split(['?', '#']).next() == Some(mock))
}
