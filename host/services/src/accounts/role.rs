//! Roles and what they may do.

use std::{fmt, str::FromStr};

/// The role of a member in an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// May look.
    Member,
    /// May look, and may not install integrations.
    Admin,
    /// May install integrations.
    Manager,
    /// May install integrations.
    Owner,
}

/// One thing that somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// See the organization.
    OrgRead,
    /// Change the organization.
    OrgWrite,
    /// Install and remove integrations.
    OrgIntegrations,
    /// Administer the organization: make and revoke its tokens. For people only: no token has it,
    /// so that no token makes another.
    OrgAdmin,
    /// Call services with the integrations' tokens. For programs only: no role has it.
    IntegrationsProxy,
    /// Let somebody without an account connect one. For programs only: people who may install can
    /// do it as well.
    IntegrationsConnect,
    /// Read the events of the organization. For programs only: people who may look read them as
    /// well.
    IntegrationsEvents,
    /// Read the tokens of integrations. For programs only: no role has it.
    IntegrationsToken,
}

const ROLES: [(Role, &str); 4] =
    [(Role::Member, "member"), (Role::Admin, "admin"), (Role::Manager, "manager"), (Role::Owner, "owner")];

const SCOPES: [(Scope, &str); 8] = [
    (Scope::OrgRead, "org:read"),
    (Scope::OrgWrite, "org:write"),
    (Scope::OrgIntegrations, "org:integrations"),
    (Scope::OrgAdmin, "org:admin"),
    (Scope::IntegrationsConnect, "integrations:connect"),
    (Scope::IntegrationsEvents, "integrations:events"),
    (Scope::IntegrationsProxy, "integrations:proxy"),
    (Scope::IntegrationsToken, "integrations:token"),
];

impl Role {
    /// What the role may do.
    #[must_use]
    pub const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Member | Self::Admin => &[Scope::OrgRead],
            Self::Manager => &[Scope::OrgRead, Scope::OrgWrite, Scope::OrgIntegrations],
            Self::Owner => &[Scope::OrgRead, Scope::OrgWrite, Scope::OrgIntegrations, Scope::OrgAdmin],
        }
    }
}

impl Scope {
    /// Whether a token can have it.
    #[must_use]
    pub const fn is_for_tokens(self) -> bool {
        !matches!(self, Self::OrgAdmin)
    }

    /// Whether it concerns single integrations, so that a token that is limited to some can have
    /// it.
    #[must_use]
    pub const fn is_of_integrations(self) -> bool {
        matches!(self, Self::OrgRead | Self::OrgIntegrations | Self::IntegrationsProxy | Self::IntegrationsToken)
    }
}

fn named<T: Copy>(table: &[(T, &str)], text: &str) -> Result<T, String> {
    let found = table.iter().find(|(_, name)| *name == text).map(|(value, _)| *value);
    found.ok_or_else(|| {
        format!("it must be one of {}", table.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", "))
    })
}

fn name_of<T: PartialEq>(table: &[(T, &'static str)], value: &T) -> &'static str {
    table.iter().find(|(known, _)| known == value).map_or("", |(_, name)| name)
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(&ROLES, text)
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(&SCOPES, text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&ROLES, self))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&SCOPES, self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_managers_and_owners_may_install() {
        let may = |role: &str| role.parse::<Role>().expect("a role").scopes().contains(&Scope::OrgIntegrations);
        assert_eq!(["member", "admin", "manager", "owner"].map(may), [false, false, true, true]);
    }

    #[test]
    fn what_programs_do_is_no_right_of_people_and_the_other_way_round() {
        for (scope, name) in SCOPES {
            let roles = ROLES.iter().filter(|(role, _)| role.scopes().contains(&scope)).count();
            let is_for_programs = name.starts_with("integrations:");
            assert_eq!(roles == 0, is_for_programs, "{name}");
        }
        assert_eq!(SCOPES.iter().filter(|(scope, _)| !scope.is_for_tokens()).count(), 1, "org:admin");
        assert!(!Role::Manager.scopes().contains(&Scope::OrgAdmin), "a manager makes no tokens");
    }

    #[test]
    fn names_are_parsed_as_they_are_shown() {
        for (role, name) in ROLES {
            assert_eq!((name.parse(), role.to_string().as_str()), (Ok(role), name));
        }
        for (scope, name) in SCOPES {
            assert_eq!((name.parse(), scope.to_string().as_str()), (Ok(scope), name));
        }
        assert_eq!("boss".parse::<Role>(), Err("it must be one of member, admin, manager, owner".to_owned()));
    }
}
