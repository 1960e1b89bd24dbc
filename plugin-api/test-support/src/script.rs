//! What the internet answers in a test, and what was asked of it. Knows neither how the provider is run nor what its steps mean.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jackfield_plugin::{HttpRequest, HttpResponse};
use jackfield_plugin_abi::envelope::Input;

use crate::difference::{difference, request_in_words};

/// What a scripted request gets.
#[derive(Clone)]
pub(crate) enum Reply {
    /// An answer.
    Response(HttpResponse),
    /// No answer, and why.
    Failure(String),
}

impl Reply {
    /// As a host hands it to the plugin.
    pub(crate) fn into_input(self) -> Input {
        match self {
            Self::Response(response) => Input::Response { response },
            Self::Failure(message) => Input::Failed { message },
        }
    }
}

struct Scripted {
    url: String,
    reply: Reply,
}

/// Scripted answers that wait, and requests that came. Clones are handles on the same.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    waiting: Vec<Scripted>,
    sent: Vec<HttpRequest>,
    unexpected: Vec<HttpRequest>,
    /// What the token endpoint answers to the host's own request.
    token: Option<HttpResponse>,
}

impl Script {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn expect(&self, url: String, reply: Reply) {
        self.inner().waiting.push(Scripted { url, reply });
    }

    pub(crate) fn expect_token_request(&self, answer: HttpResponse) {
        self.inner().token = Some(answer);
    }

    /// The answer to the host's own token request, once.
    pub(crate) fn token(&self) -> Option<HttpResponse> {
        self.inner().token.take()
    }

    /// What a request of the provider's gets; one that nobody has scripted is kept and told.
    pub(crate) fn reply(&self, request: HttpRequest) -> Reply {
        let mut inner = self.inner();
        let at = inner.waiting.iter().position(|scripted| is_for(&scripted.url, &request.url));
        let Some(at) = at else {
            let failure = Reply::Failure(format!("no answer is scripted for {} {}", request.method, request.url));
            inner.unexpected.push(request);
            return failure;
        };
        inner.sent.push(request);
        inner.waiting.remove(at).reply
    }

    pub(crate) fn sent(&self) -> Vec<HttpRequest> {
        self.inner().sent.clone()
    }

    /// Whether these and no others were sent, in this order; else what is different.
    pub(crate) fn check_sent(&self, expected: &[HttpRequest]) -> Result<(), String> {
        let in_words = |requests: &[HttpRequest]| {
            requests.iter().map(request_in_words).collect::<Vec<_>>().join("\n--- and then\n")
        };
        difference(&in_words(expected), &in_words(&self.inner().sent))
    }

    /// Requests that nobody has scripted, with what was scripted; they are told once.
    pub(crate) fn take_unexpected(&self) -> Option<String> {
        let mut inner = self.inner();
        let unexpected = std::mem::take(&mut inner.unexpected);
        let asked: Vec<String> = unexpected.iter().map(request_in_words).collect();
        let scripted = match inner.waiting.as_slice() {
            [] => "nothing more is scripted".to_owned(),
            waiting => format!("scripted and waiting: {}", urls(waiting)),
        };
        (!asked.is_empty()).then(|| format!("no answer is scripted for\n{}\n{scripted}", asked.join("\n")))
    }

    /// Scripted answers that nobody has asked for.
    pub(crate) fn unanswered(&self) -> Option<String> {
        let inner = self.inner();
        (!inner.waiting.is_empty()).then(|| urls(&inner.waiting))
    }
}

fn urls(waiting: &[Scripted]) -> String {
    waiting.iter().map(|scripted| scripted.url.as_str()).collect::<Vec<_>>().join(", ")
}

/// A scripted URL without a query stands for any query.
fn is_for(scripted: &str, url: &str) -> bool {
    scripted == url || (!scripted.contains('?') && url.split(['?', '#']).next() == Some(scripted))
}
