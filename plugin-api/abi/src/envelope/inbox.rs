//! How a service signs the calls that it sends of its own accord, and what stands in them.

use serde::{Deserialize, Serialize};

use super::Secret;

/// How the calls of a service are verified and read, so that the host can do both before a plugin
/// sees them.
///
/// The host verifies the bytes as they came, answers at once, keeps the call sealed, and delivers
/// it to the programs of each organization that has the account. Without a secret, it refuses
/// every call.
///
/// # Places
/// A place in a call is text: `header:x-acme-delivery` for a header, `query:token` for a parameter
/// of the query, `body:data.team.id` for a value of a JSON body, by names and positions with dots
/// between them. `body:*.team` stands for that of each element of a list. A header that is a list,
/// as `t=1,v1=ab`, has elements that begin with a prefix: `header:acme-signature:t=`.
///
/// ```
/// use jackfield_plugin_abi::envelope::{Inbox, SignatureEncoding};
/// let inbox = Inbox::hmac_sha256("x-acme-signature", "hush")
///     .prefix("v0=")
///     .template("v0:{timestamp}:{body}")
///     .timestamp("header:x-acme-timestamp")
///     .delivery_id("body:event_id")
///     .account("body:team.id");
/// assert_eq!((inbox.encoding, inbox.tolerance), (SignatureEncoding::Hex, 300));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Inbox {
    /// The header that has the signature. Empty if the service signs nothing: then the host only
    /// answers [challenges](Inbox::challenges), and the plugin handles every other call.
    pub header: String,
    /// What stands before the signature in the header: `sha256=`. A header can have several
    /// signatures with commas or spaces between them.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// How the signature is made.
    pub algorithm: SignatureAlgorithm,
    /// How it is written.
    pub encoding: SignatureEncoding,
    /// What is signed, with `{body}`, `{timestamp}`, `{method}`, `{url}` and `{header:NAME}` in
    /// place of what the call has. Empty means the body.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub template: String,
    /// Place of the time at which the call was sent: seconds or milliseconds since 1970-01-01 UTC,
    /// or RFC 3339.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub timestamp: String,
    /// Greatest difference of that time to now, either way, in seconds.
    pub tolerance: u64,
    /// What the service signs with. The host also takes a secret that belongs to one webhook.
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub secret: Secret,
    /// How the secret is written.
    pub secret_encoding: SecretEncoding,
    /// Place of the id of a delivery, by which a repeated one is known. Empty if there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub delivery_id: String,
    /// Where the external id of the account stands. The first that a call has counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountPlace>,
    /// Places of what the service wants back, to see that the URL is ours. See
    /// [`Inbox::challenge`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub challenges: Vec<String>,
    /// Headers that programs get, besides the content type and those of the places above. See
    /// [`Inbox::pass_header`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureAlgorithm {
    /// HMAC with SHA-256 (RFC 2104).
    #[default]
    HmacSha256,
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-512.
    HmacSha512,
    /// The secret itself stands in the header. It proves nothing of the body.
    Token,
    /// An algorithm of a later version. The host refuses every call.
    #[serde(other)]
    Unknown,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureEncoding {
    /// Hexadecimal digits, in either case.
    #[default]
    Hex,
    /// Base64 (RFC 4648 section 4).
    Base64,
    /// An encoding of a later version. The host refuses every call.
    #[serde(other)]
    Unknown,
}

/// How a secret is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretEncoding {
    /// Its characters are its bytes.
    #[default]
    Text,
    /// Base64, with or without `whsec_` in front, as Standard Webhooks write it.
    Base64,
    /// An encoding of a later version. The host refuses every call.
    #[serde(other)]
    Unknown,
}

/// Where an account stands in a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AccountPlace {
    /// The place of its external id.
    pub at: String,
    /// A place at which `true` must stand. Empty if it always counts.
    #[serde(rename = "if", skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// What must stand there, for an account that is named by something else than its external
    /// id: then the call is about every integration of the provider.
    #[serde(rename = "is", skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
}

impl Inbox {
    /// Seconds that a timestamp may differ from now, unless something else is said.
    pub const TOLERANCE: u64 = 300;

    /// Calls that are signed in this header by HMAC with SHA-256 of the body, in hexadecimal
    /// digits.
    pub fn hmac_sha256(header: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self { header: header.into(), secret: secret.into(), tolerance: Self::TOLERANCE, ..Self::default() }
    }

    /// Calls that the service does not sign. The host answers challenges, and nothing more.
    #[must_use]
    pub fn unsigned() -> Self {
        Self { tolerance: Self::TOLERANCE, ..Self::default() }
    }

    /// Sets what stands before the signature.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets how the signature is made.
    #[must_use]
    pub const fn algorithm(mut self, algorithm: SignatureAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Sets how the signature is written.
    #[must_use]
    pub const fn encoding(mut self, encoding: SignatureEncoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Sets what is signed.
    #[must_use]
    pub fn template(mut self, template: impl Into<String>) -> Self {
        self.template = template.into();
        self
    }

    /// Sets the place of the time at which the call was sent.
    #[must_use]
    pub fn timestamp(mut self, place: impl Into<String>) -> Self {
        self.timestamp = place.into();
        self
    }

    /// Sets the greatest difference of that time to now, in seconds.
    #[must_use]
    pub const fn tolerance(mut self, seconds: u64) -> Self {
        self.tolerance = seconds;
        self
    }

    /// Sets how the secret is written.
    #[must_use]
    pub const fn secret_encoding(mut self, encoding: SecretEncoding) -> Self {
        self.secret_encoding = encoding;
        self
    }

    /// Sets the place of the delivery's id.
    #[must_use]
    pub fn delivery_id(mut self, place: impl Into<String>) -> Self {
        self.delivery_id = place.into();
        self
    }

    /// Adds a place of the account's external id. Add them in the order of preference.
    #[must_use]
    pub fn account(mut self, place: impl Into<String>) -> Self {
        self.accounts.push(AccountPlace { at: place.into(), ..AccountPlace::default() });
        self
    }

    /// Adds a place that counts only if `true` stands at another.
    #[must_use]
    pub fn account_if(mut self, condition: impl Into<String>, place: impl Into<String>) -> Self {
        let condition = condition.into();
        self.accounts.push(AccountPlace { at: place.into(), condition, ..AccountPlace::default() });
        self
    }

    /// Adds a challenge: something that the host gives back, so that the service sees whose the
    /// URL is.
    ///
    /// `body:challenge` answers with the text that stands there, if the call is signed (Slack).
    /// `query:validationToken` answers with the text of the parameter (Microsoft).
    /// `header:x-hook-secret` answers with the same header, and keeps its value as the secret of
    /// that one webhook (Asana). `method:head` answers every `HEAD` (Trello).
    #[must_use]
    pub fn challenge(mut self, place: impl Into<String>) -> Self {
        self.challenges.push(place.into());
        self
    }

    /// Adds a header that programs get.
    #[must_use]
    pub fn pass_header(mut self, name: impl Into<String>) -> Self {
        self.headers.push(name.into());
        self
    }
}
