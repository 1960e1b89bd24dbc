//! A service as an issuer, and the ways in which it can be wrong.

/// A service as an issuer. Its identifier is `https://{id}.example/issuer`.
#[derive(Clone, Debug, Default)]
pub struct Issuer {
    /// Where its metadata are.
    pub place: Place,
    /// Whether it announces that its responses have an `iss` (RFC 9207 section 3).
    pub announces_iss: bool,
    /// The `iss` of its responses.
    pub iss: Iss,
    /// What is wrong with its metadata.
    pub metadata: Metadata,
    /// What is wrong with its ID tokens.
    pub id_token: Option<WrongIdToken>,
    /// Whether its userinfo is of another user.
    pub other_userinfo: bool,
    /// How its userinfo comes.
    pub userinfo: Userinfo,
    /// Which of its documents (`metadata`, `keys`, `userinfo`) is a redirect, and where to.
    pub redirects: Option<(&'static str, String)>,
    /// The client authentication methods that it announces; when empty, it announces none.
    pub authentication: Vec<&'static str>,
}

/// Where the metadata are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// At the URL of RFC 8414 section 3.1.
    #[default]
    OAuth,
    /// At the URL of OpenID Connect Discovery 1.0 section 4.1, and not at the other.
    OpenId,
    /// At both. The first leaves out what only OpenID Connect has.
    Both,
    /// Nowhere.
    Nowhere,
}

/// The `iss` of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Iss {
    /// Nothing.
    #[default]
    Nothing,
    /// Its own identifier.
    Own,
    /// Another issuer's.
    Another,
}

/// What is wrong with metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metadata {
    /// Nothing.
    #[default]
    Right,
    /// They name another issuer.
    AnotherIssuer,
    /// The token endpoint is plain HTTP, at a host that is not allowed.
    PlainHttp,
    /// There is no token endpoint.
    NoTokenEndpoint,
    /// The keys are at a host inside a private network.
    PrivateKeys,
    /// There are no keys.
    NoKeys,
    /// Members that nobody needs are not of their type.
    WrongTypes,
    /// The token endpoint is a number.
    NumberForUrl,
}

/// How the userinfo comes (OpenID Connect Core 1.0 section 5.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Userinfo {
    /// As JSON.
    #[default]
    Json,
    /// Signed with the issuer's key.
    Signed,
    /// Signed with another key of the same id.
    SignedByAnother,
    /// Signed, for another client.
    OtherAudience,
    /// Encrypted.
    Encrypted,
}

/// What is wrong with an ID token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongIdToken {
    /// There is none.
    Missing,
    /// Signed with another key than the one of that id.
    OtherKey,
    /// Signed with a key of an unknown id.
    UnknownKey,
    /// `none` instead of a signature.
    Unsigned,
    /// HMAC with the client's secret.
    SharedSecret,
    /// HMAC with the issuer's public key as the secret.
    PublicKeyAsSecret,
    /// Claims changed after they were signed.
    Changed,
    /// Another issuer's.
    OtherIssuer,
    /// Another client's.
    OtherAudience,
    /// It has expired.
    Expired,
    /// The nonce of another setup.
    OtherNonce,
    /// No nonce.
    NoNonce,
    /// The hash of another access token.
    OtherAccessToken,
}
