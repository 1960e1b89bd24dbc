//! How a service does OAuth 2.0, by its vendor's documentation: one file each in `tests/services/`.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::issuer::Issuer;
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
    /// The prefix of the URLs of an API that returns the request it got, to a token that lives.
    pub api: Option<String>,
    /// What happens to a used refresh token.
    #[serde(default)]
    pub rotation: Rotation,
    /// Lifetime of a refresh token in seconds; without it, it never expires. The lifetime of an
    /// access token is the token answer's `expires_in`.
    pub refresh_expires_in: Option<u64>,
    /// Method and URL of the account; `None` when it is in the token answer.
    pub account: Option<String>,
    /// Options that an operator has to set, beside client id and secret.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// The one accepted way of client authentication.
    pub authentication: Authentication,
    /// The one accepted body of a token request.
    pub body: Body,
    /// What happens to a PKCE challenge.
    pub pkce: Pkce,
    /// The separator between scopes.
    pub separator: String,
    /// Further parameters that the authorization endpoint wants.
    #[serde(default)]
    pub authorize_parameters: BTreeMap<String, String>,
    /// Further parameters that the token endpoint wants.
    #[serde(default)]
    pub token_parameters: BTreeMap<String, String>,
    /// Headers that the account's URL wants; `TOKEN` and `CLIENT` stand for the token and the
    /// client's id.
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
    /// Its properties as an issuer, if it is one.
    #[serde(skip)]
    pub issuer: Option<Issuer>,
}

/// What a setup installs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installs {
    /// External id.
    pub id: String,
    /// Name.
    pub name: String,
    /// External id of the identity, where there is one.
    pub identity: Option<String>,
}

/// A way of client authentication (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authentication {
    /// In the body, without a header.
    Post,
    /// HTTP Basic, with neither id nor secret in the body.
    Basic,
    /// An assertion in the body, without a secret anywhere (RFC 7523).
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

/// What happens to a PKCE challenge (RFC 7636).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pkce {
    /// There is no code without it, and it is verified.
    Required,
    /// Verified when it is sent.
    Verified,
    /// Unknown parameters are ignored, as RFC 6749 section 3.1 says.
    Ignored,
    /// Unknown parameters are an error.
    Refused,
}

/// The format of a token answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// JSON, as in RFC 6749 section 5.1.
    #[default]
    Json,
    /// Form-encoded, unless the client asks for JSON.
    FormUnlessAsked,
    /// Form-encoded, whatever the client asks for.
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
