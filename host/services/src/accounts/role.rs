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
    /// Read the tokens of integrations, and use them. For programs only: no role has it.
    IntegrationsToken,
}

const ROLES: [(Role, &str); 4] =
    [(Role::Member, "member"), (Role::Admin, "admin"), (Role::Manager, "manager"), (Role::Owner, "owner")];

const SCOPES: [(Scope, &str); 4] = [
    (Scope::OrgRead, "org:read"),
    (Scope::OrgWrite, "org:write"),
    (Scope::OrgIntegrations, "org:integrations"),
    (Scope::IntegrationsToken, "integrations:token"),
];

impl Role {
    /// What the role may do.
    #[must_use]
    pub const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Member | Self::Admin => &[Scope::OrgRead],
            Self::Manager | Self::Owner => &[Scope::OrgRead, Scope::OrgWrite, Scope::OrgIntegrations],
        }
    }
}

fn named<T: Copy>(table: &[(T, &str)], text: &str) -> Result<T, String> {
    let found = table.iter().find(|(_, name)| *name == text).map(|(value, _)| *value);
    found.ok_or_else(|| format!("one of {}", table.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ")))
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
    fn names_are_parsed_as_they_are_shown() {
        for (role, name) in ROLES {
            assert_eq!((name.parse(), role.to_string().as_str()), (Ok(role), name));
        }
        for (scope, name) in SCOPES {
            assert_eq!((name.parse(), scope.to_string().as_str()), (Ok(scope), name));
        }
        assert_eq!("boss".parse::<Role>(), Err("one of member, admin, manager, owner".to_owned()));
    }
}
