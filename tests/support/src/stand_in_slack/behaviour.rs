//! How the stand-in behaves.

use serde::{Deserialize, Serialize};

use crate::stand_in::Rotation;

/// All switches. In JSON, for `POST /behaviour`: `{"consent": "deny", "token": "server-error"}`.
/// What is left out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Behaviour {
    /// What the authorize page does.
    pub consent: Consent,
    /// What the token endpoints answer to a good request.
    pub token: TokenAnswer,
    /// What is installed where.
    pub install: Install,
    /// Name of the workspace, or of the enterprise.
    pub team_name: String,
    /// Id of the workspace.
    pub team_id: String,
    /// Workspaces that the user may choose instead.
    pub other_teams: Vec<Team>,
    /// Id of the user who installs.
    pub user_id: String,
    /// Whether its pages have `Cross-Origin-Opener-Policy: same-origin`, which cuts the opener off.
    pub coop: bool,
    /// Whether tokens rotate: <https://docs.slack.dev/authentication/using-token-rotation>.
    pub rotation: Rotation,
    /// Lifetime of a rotated token in seconds.
    pub expires_in: u64,
}

/// A workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// `T…`
    pub id: String,
    /// Its name.
    pub name: String,
}

/// What the authorize page does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consent {
    /// The user is asked.
    Ask,
    /// Back at once, with a code.
    Allow,
    /// Back at once, with `access_denied`.
    Deny,
}

/// What the token endpoints answer to a good request. They always refuse a bad one as Slack does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenAnswer {
    /// A token, as JSON.
    Token,
    /// A token, form-encoded.
    Form,
    /// `ok` false with an error and a description.
    DescribedError,
    /// `ok` false with an error and no description.
    Error,
    /// A page.
    NotJson,
    /// JSON without end.
    Huge,
    /// A token once the gate opens.
    Slow,
    /// The connection ends in the middle.
    Cut,
    /// Status 500.
    ServerError,
    /// A redirect.
    Redirect,
    /// JSON of another shape.
    OtherShape,
}

/// What is installed where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Install {
    /// The app, in a workspace.
    Workspace,
    /// The app, in one workspace of an Enterprise Grid: the response names both.
    GridWorkspace,
    /// The app, in a whole Enterprise Grid.
    Enterprise,
    /// Only a user's token.
    UserOnly,
}

impl Behaviour {
    /// Every workspace that the app can be installed in. The first is the default.
    pub(super) fn teams(&self) -> Vec<Team> {
        let first = Team { id: self.team_id.clone(), name: self.team_name.clone() };
        std::iter::once(first).chain(self.other_teams.iter().cloned()).collect()
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            consent: Consent::Ask,
            token: TokenAnswer::Token,
            install: Install::Workspace,
            team_name: "Analytical Engines".to_owned(),
            team_id: "T0STANDIN".to_owned(),
            other_teams: vec![Team { id: "T0DIFFERENCE".to_owned(), name: "Difference Engines".to_owned() }],
            user_id: "U0ADA".to_owned(),
            coop: false,
            rotation: Rotation::Off,
            expires_in: 43_200,
        }
    }
}
