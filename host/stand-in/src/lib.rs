//! The parts of an authorization server (OAuth 2.0) and issuer (OpenID Connect), for servers that
//! stand in for a real service: the one of `plugin dev` and those of the tests. No production host
//! links it.
//!
//! These parts know neither HTTP nor a policy. What a service accepts, and what it answers, is for
//! the server around them: that of `plugin dev` accepts much, those of the tests refuse all that
//! the real service would refuse.
//!
//! | part | for |
//! |---|---|
//! | [`Parameters`] | the parameters of a request, each of which may come once |
//! | [`AuthorizationCodes`] | codes, each of which works once (RFC 6749 section 4.1) |
//! | [`s256`] | PKCE (RFC 7636) |
//! | [`TokenRegistry`] | tokens that expire, rotate and are revoked |
//! | [`Endpoints`] | the metadata of an issuer (RFC 8414) |
//! | [`IssuerKey`], [`id_token_claims`] | ID tokens and the keys that verify them |

mod authorization_codes;
mod clock;
mod id_token;
mod issuer_metadata;
mod parameters;
mod pkce;
mod random;
mod token_registry;

pub use authorization_codes::AuthorizationCodes;
pub use clock::Clock;
pub use id_token::{IssuerKey, access_token_hash, id_token_claims};
pub use issuer_metadata::{Endpoints, OAUTH_METADATA, OPENID_CONFIGURATION};
pub use parameters::{ParameterError, Parameters};
pub use pkce::s256;
pub use token_registry::{IssuedTokens, RefreshError, Rotation, Token, TokenPolicy, TokenRegistry, TokenState};
