//! An entry of the audit log: who did what, and how it went. Knows nothing of the chain.

use std::{fmt, str::FromStr};

use serde_json::{Map, Value};

use super::builds::Builds;
use crate::tables::{
    ids::{IntegrationId, OrganizationId, UserId},
    integrations::Integration,
};

/// An entry of the audit log. It begins with who did what; methods add the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub(super) action: Action,
    pub(super) actor: Actor,
    pub(super) organization: Option<(OrganizationId, Option<String>)>,
    pub(super) provider: Option<String>,
    pub(super) integration: Option<IntegrationId>,
    pub(super) external_id: Option<String>,
    pub(super) plugin_digest: Option<String>,
    pub(super) outcome: Outcome,
    pub(super) detail: Map<String, Value>,
    pub(super) count: i64,
}

/// The actor. A name that is not given is looked up: later it can be another one, or gone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    pub(super) kind: ActorKind,
    pub(super) id: Option<i64>,
    pub(super) name: Option<String>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$of])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its word in the table and in the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let found = Self::ALL.iter().find(|known| known.as_str() == text).copied();
                found.ok_or_else(|| format!("one of {}", [$($word),*].join(", ")))
            }
        }
    };
}

words!(
    /// What was done.
    Action {
        /// An account was installed that no organization had.
        Install = "install",
        /// An account was installed again where it was installed: its tokens are new.
        Reinstall = "re-install",
        /// An account that another organization has was linked to this one.
        Link = "link",
        /// An integration was unlinked from an organization; with the last one it is removed.
        Unlink = "unlink",
        /// A user proved an identity.
        IdentityLink = "identity-link",
        /// A user unlinked an identity.
        IdentityUnlink = "identity-unlink",
        /// A token could not be refreshed.
        RefreshFailure = "refresh-failure",
        /// A token was read. Counted.
        TokenRead = "token-read",
        /// A request was made with a token. Counted.
        ProxyUse = "proxy-use",
        /// Credentials were revoked at the provider, or should have been.
        Revoke = "revoke",
        /// Secrets were resealed under another key.
        KeyRotation = "key-rotation",
        /// The chain was not as a host had left it: its key could not be opened, its head was
        /// changed, or it was erased.
        AuditKey = "audit-key",
        /// The oldest rows of the log were removed, since they were older than they are kept.
        AuditCut = "audit-cut",
        /// A plugin was loaded, or refused.
        PluginLoad = "plugin-load",
        /// A provider, with the stored tokens of its integrations, was given to another plugin.
        ProviderAdoption = "provider-adoption",
        /// The host loaded another configuration, or refused it; or an organization's own
        /// configuration of an integration was changed.
        ConfigurationChange = "configuration-change",
        /// A user was created.
        UserCreation = "user-creation",
        /// An organization was created.
        OrganizationCreation = "organization-creation",
        /// A user became a member, or got another role.
        MemberChange = "member-change",
        /// An API token was created.
        TokenCreation = "token-creation",
        /// An API token was revoked.
        TokenRevocation = "token-revocation",
        /// A connect session was made: somebody without an account may connect one.
        ConnectSessionCreation = "connect-session-creation",
        /// A connect session was ended before it was used.
        ConnectSessionEnd = "connect-session-end",
        /// An endpoint was made, which is told of events.
        EndpointCreation = "endpoint-creation",
        /// An endpoint was changed, paused or enabled.
        EndpointChange = "endpoint-change",
        /// An endpoint was removed.
        EndpointRemoval = "endpoint-removal",
        /// An endpoint got new secrets.
        EndpointRotation = "endpoint-rotation",
        /// The host delivers no more to an endpoint.
        EndpointDisabling = "endpoint-disabling",
        /// Events were delivered to an endpoint once more.
        Redelivery = "redelivery",
        /// A member was removed from an organization.
        MemberRemoval = "member-removal",
        /// An organization got another name or slug.
        OrganizationChange = "organization-change",
        /// An organization was removed.
        OrganizationRemoval = "organization-removal",
        /// A user got another password, was disabled or enabled, or had their sessions ended.
        UserChange = "user-change",
        /// A user was removed.
        UserRemoval = "user-removal",
        /// Somebody logged in, or tried to. Refused ones are counted.
        LogIn = "log-in",
        /// A user logged out.
        LogOut = "log-out",
    }
);

words!(
    /// What kind of actor.
    ActorKind {
        /// A person who is logged in.
        User = "user",
        /// A machine with an API token.
        Token = "token",
        /// The operator, on the command line.
        Operator = "operator",
        /// The host by itself, in the background.
        Host = "host",
        /// The provider, by a webhook.
        Provider = "provider",
        /// Somebody who is not logged in.
        Visitor = "visitor",
    }
);

words!(
    /// How it went.
    Outcome {
        /// It was done.
        Ok = "ok",
        /// It was tried, and failed.
        Failed = "failed",
        /// It was not allowed.
        Refused = "refused",
    }
);

impl Actor {
    /// A person who is logged in. The name is looked up.
    #[must_use]
    pub fn user(id: UserId) -> Self {
        Self { kind: ActorKind::User, id: Some(id.0), name: None }
    }

    /// With this name, as it is now: that of a user need not be looked up then.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// A machine with an API token of this id and name.
    #[must_use]
    pub fn token(id: impl Into<i64>, name: impl Into<String>) -> Self {
        Self { kind: ActorKind::Token, id: Some(id.into()), name: Some(name.into()) }
    }

    /// The operator, on the command line.
    #[must_use]
    pub const fn operator() -> Self {
        Self { kind: ActorKind::Operator, id: None, name: None }
    }

    /// The host by itself.
    #[must_use]
    pub const fn host() -> Self {
        Self { kind: ActorKind::Host, id: None, name: None }
    }

    /// Somebody who is not logged in.
    #[must_use]
    pub const fn visitor() -> Self {
        Self { kind: ActorKind::Visitor, id: None, name: None }
    }

    /// The provider of this id.
    #[must_use]
    pub fn provider(id: impl Into<String>) -> Self {
        Self { kind: ActorKind::Provider, id: None, name: Some(id.into()) }
    }
}

impl Entry {
    /// Somebody did something, and it succeeded.
    #[must_use]
    pub fn new(action: Action, actor: Actor) -> Self {
        Self {
            action,
            actor,
            organization: None,
            provider: None,
            integration: None,
            external_id: None,
            plugin_digest: None,
            outcome: Outcome::Ok,
            detail: Map::new(),
            count: 1,
        }
    }

    /// What was done.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// Who did it.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// In which organization.
    #[must_use]
    pub fn organization_id(&self) -> Option<OrganizationId> {
        self.organization.as_ref().map(|(id, _)| *id)
    }

    /// To which integration.
    #[must_use]
    pub const fn integration_of(&self) -> Option<IntegrationId> {
        self.integration
    }

    /// How it went.
    #[must_use]
    pub const fn outcome_of(&self) -> Outcome {
        self.outcome
    }

    /// How often it was done.
    #[must_use]
    pub fn times(&self) -> u32 {
        u32::try_from(self.count).unwrap_or(u32::MAX)
    }

    /// One of the details, if it is a text.
    #[must_use]
    pub fn detail_of(&self, name: &str) -> Option<&str> {
        self.detail.get(name).and_then(Value::as_str)
    }

    /// In this organization. Its slug is looked up.
    #[must_use]
    pub fn organization(mut self, id: OrganizationId) -> Self {
        self.organization = Some((id, None));
        self
    }

    /// In this organization, with its slug as it is now.
    #[must_use]
    pub fn organization_named(mut self, id: OrganizationId, slug: impl Into<String>) -> Self {
        self.organization = Some((id, Some(slug.into())));
        self
    }

    /// Of this provider.
    #[must_use]
    pub fn provider(mut self, id: impl Into<String>) -> Self {
        self.provider = Some(id.into());
        self
    }

    /// To this integration, of its provider.
    #[must_use]
    pub fn integration(self, integration: &Integration) -> Self {
        self.provider(&integration.provider).integration_id(integration.id).external_id(&integration.external_id)
    }

    /// To the integration of this id. The provider and the external id are looked up unless they
    /// are given.
    #[must_use]
    pub fn integration_id(mut self, id: IntegrationId) -> Self {
        self.integration = Some(id);
        self
    }

    /// To the account of this id at the provider.
    #[must_use]
    pub fn external_id(mut self, id: impl Into<String>) -> Self {
        self.external_id = Some(id.into());
        self
    }

    /// By this build of a plugin: its digest in hexadecimal.
    #[must_use]
    pub fn plugin_digest(mut self, digest: impl Into<String>) -> Self {
        self.plugin_digest = Some(digest.into());
        self
    }

    /// By the build that serves its provider now, unless another is given.
    #[must_use]
    pub fn served_by(mut self, builds: &Builds) -> Self {
        if self.plugin_digest.is_none() {
            self.plugin_digest = self.provider.as_deref().and_then(|provider| builds.of(provider));
        }
        self
    }

    /// How it went, if not well.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// It failed, for this reason. Never a secret: everybody who may read the log reads it.
    #[must_use]
    pub fn failed(self, reason: impl Into<String>) -> Self {
        self.outcome(Outcome::Failed).detail("reason", reason.into())
    }

    /// With this grant of the integration: its name, and the identity if it acts for one.
    #[must_use]
    pub fn grant(self, name: &str, subject: &str) -> Self {
        let named = self.detail("grant", name);
        if subject.is_empty() { named } else { named.detail("subject", subject) }
    }

    /// With this detail. Never a secret.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }

    /// Done so often.
    #[must_use]
    pub fn count(mut self, count: u32) -> Self {
        self.count = count.into();
        self
    }
}
