//! What a service is like, by its vendor's documentation: one file each in `tests/profiles/`.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::stand_in::Rotation;

/// One service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServiceProfile {
    /// Authorization endpoint.
    pub authorize: String,
    /// Token endpoint.
    pub token: String,
    /// Revocation endpoint (RFC 7009), where there is one.
    pub revocation: Option<String>,
    /// What the URLs of an API begin with that shows what it was request, to any method, for a token that lives.
    pub api: Option<String>,
    /// What becomes of a refresh token that is used.
    #[serde(default)]
    pub rotation: Rotation,
    /// How long a refresh token lives, in seconds; for ever without it. Access tokens live as long as the token answer's `expires_in` says.
    pub refresh_expires_in: Option<u64>,
    /// Method and URL of the account; `None` when it is in the token answer.
    pub account: Option<String>,
    /// What an operator has to say beside client id and secret.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// The one way of client authentication that is taken.
    pub authentication: Authentication,
    /// The one body of a token request that is taken.
    pub body: Body,
    /// What becomes of a proof key.
    pub pkce: Pkce,
    /// What stands between scopes.
    pub separator: String,
    /// Further parameters that the authorization endpoint wants.
    #[serde(default)]
    pub authorize_parameters: BTreeMap<String, String>,
    /// Further parameters that the token endpoint wants.
    #[serde(default)]
    pub token_parameters: BTreeMap<String, String>,
    /// Headers that the account's URL wants; `TOKEN` and `CLIENT` stand for the token and the client's id.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body that the account's URL wants.
    #[serde(default)]
    pub asks: String,
    /// How the token endpoint answers.
    #[serde(default)]
    pub answers: Answers,
    /// The token answer, JSON; `TOKEN`, `REFRESH` and `ID_TOKEN` stand for fresh tokens.
    pub token_answer: String,
    /// The account's answer, JSON.
    #[serde(default)]
    pub account_answer: String,
    /// What is installed.
    pub installs: Installs,
    /// What it is like as an issuer; `None`: it is none, or nobody knows.
    #[serde(skip)]
    pub issuer: Option<super::Issuer>,
}

/// What comes out of a set-up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installs {
    /// External id.
    pub id: String,
    /// What people read.
    pub name: String,
    /// External id of the identity, where there is one.
    pub identity: Option<String>,
}

/// A way of client authentication (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authentication {
    /// In the body, and no header.
    Post,
    /// HTTP Basic, and neither id nor secret in the body.
    Basic,
    /// An assertion in the body, and no secret anywhere (RFC 7523).
    PrivateKeyJwt,
}

/// The body of a token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// A form.
    Form,
    /// JSON.
    Json,
}

/// What becomes of a proof key (RFC 7636).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pkce {
    /// No code without it, and it is verified.
    Required,
    /// Verified when it is sent.
    Verified,
    /// Parameters that are not known are passed over, as RFC 6749 section 3.1 says.
    Ignored,
    /// Parameters that are not known are an error.
    Refused,
}

/// What a token answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// JSON, as RFC 6749 section 5.1 has it.
    #[default]
    Json,
    /// Form-encoded for who does not ask for JSON.
    FormUnlessAsked,
    /// Form-encoded, whatever is request for.
    Form,
}

impl ServiceProfile {
    /// Every service that is described, by id.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn all() -> Result<BTreeMap<String, Self>> {
        let mut profiles = BTreeMap::new();
        for entry in fs::read_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../services")))? {
            let path = entry?.path();
            let id = path.file_stem().and_then(|stem| stem.to_str()).context("a file has a name")?.to_owned();
            let profile = toml::from_str(&fs::read_to_string(&path)?).with_context(|| path.display().to_string())?;
            profiles.insert(id, profile);
        }
        Ok(profiles)
    }
}
