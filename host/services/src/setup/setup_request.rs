//! One request to a setup, from a person's browser.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{connect::Holder, session::SessionKey};
use jackfield_loader::Request;

/// A hidden field of the forms that the host draws: the step they were drawn for.
pub const STEP_FIELD: &str = "jackfield-step";

/// One request to the setup of a provider.
#[derive(Clone)]
pub struct SetupRequest {
    /// Key of the browser's session, or of the connect session.
    pub session: SessionKey,
    /// Who asks.
    pub by: Requester,
    /// Id of the provider.
    pub provider: String,
    /// The authorization server that the path names, if it names one: of a server that depends on
    /// the state it is the redirect URI.
    pub server: Option<String>,
    /// Who has sent the browser here.
    pub sender: Sender,
    /// What the browser sent. The URLs of the setup are filled in later.
    pub request: Request,
}

/// Who asks for something of a setup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Requester {
    /// The person of the browser's session.
    Person,
    /// The browser that holds the connect session.
    Holder(Holder),
    /// The program that has made the connect session, for its customer.
    Program,
}

/// Who has sent a browser to a page, as far as it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A page of ours, or the person: they go back, or load the page again.
    Ours,
    /// Another site, such as the provider's.
    Elsewhere,
    /// Nobody knows. Browsers say nothing over plain http.
    Unknown,
}

/// Where a setup is found: there is at most one for each session and provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SetupKey {
    pub(super) session: SessionKey,
    pub(super) provider: String,
}

impl SetupRequest {
    pub(super) fn key(&self) -> SetupKey {
        SetupKey { session: self.session.clone(), provider: self.provider.clone() }
    }

    /// The same for two requests that ask the same.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let request = serde_json::to_vec(&(&self.server, &self.request, self.by)).expect("a request is plain JSON");
        Sha256::digest(request).into()
    }

    /// The request as a step gets it. If its form was drawn for another step, as when somebody went
    /// back and sent it again, it answers no question of this step: the step is shown instead.
    pub(super) fn for_step(&self, step: usize) -> Request {
        let mut request = self.request.clone();
        let mut drawn_for = request.form.iter().filter(|(name, _)| name == STEP_FIELD);
        let is_stale = drawn_for.any(|(_, value)| *value != step.to_string());
        request.form.retain(|(name, _)| name != STEP_FIELD);
        if is_stale {
            request.form.clear();
            request.method = "GET".to_owned();
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_another_step_is_not_this_steps_answer() {
        let posted = |form: &[(&str, &str)]| {
            let mut request = Request::new("POST", "");
            request.form = form.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let session = SessionKey::fixed([0; 32]);
            let request = SetupRequest {
                session,
                by: Requester::Person,
                provider: String::new(),
                server: None,
                sender: Sender::Ours,
                request,
            }
            .for_step(1);
            (request.method, request.form.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
        };
        assert_eq!(posted(&[("name", "a"), (STEP_FIELD, "1")]), ("POST".into(), vec!["name".into()]));
        assert_eq!(posted(&[("name", "a")]), ("POST".into(), vec!["name".into()]), "a plugin's own HTML has no field");
        for step in ["0", "2", ""] {
            assert_eq!(posted(&[("name", "a"), (STEP_FIELD, step)]), ("GET".into(), vec![]), "{step:?}");
        }
        assert_eq!(posted(&[(STEP_FIELD, "1"), (STEP_FIELD, "0")]), ("GET".into(), vec![]));
    }
}
