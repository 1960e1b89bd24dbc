//! The names of an entry: they can change, or be gone later, so they are in it as they are now.

use diesel::prelude::*;

use super::entry::{ActorKind, Entry};
use crate::{
    database::{
        functions::coalesce,
        schema::{integrations, organizations, users},
    },
    error::StoreResult,
    tx::Tx,
};

/// An id that no row has.
const NONE: i64 = 0;

/// The ids whose names an entry lacks.
#[derive(Debug, PartialEq, Eq)]
struct Unnamed {
    user: i64,
    organization: i64,
    integration: i64,
}

impl Unnamed {
    fn of(entry: &Entry) -> Self {
        let is_unnamed = entry.actor.kind == ActorKind::User && entry.actor.name.is_none();
        let organization = entry.organization.as_ref().filter(|(_, slug)| slug.is_none());
        let integration = entry.integration.filter(|_| entry.external_id.is_none());
        Self {
            user: entry.actor.id.filter(|_| is_unnamed).unwrap_or(NONE),
            organization: organization.map_or(NONE, |(id, _)| id.0),
            integration: integration.map_or(NONE, |id| id.0),
        }
    }

    const fn is_empty(&self) -> bool {
        self.user == NONE && self.organization == NONE && self.integration == NONE
    }
}

/// An entry with the names that it lacks, as they are now. Reads nothing if it has all, and all
/// that it lacks in one statement.
///
/// # Errors
/// When the database fails.
pub fn with_names(tx: &mut Tx<'_>, entry: &Entry) -> StoreResult<Entry> {
    let mut entry = entry.clone();
    let unnamed = Unnamed::of(&entry);
    if unnamed.is_empty() {
        return Ok(entry);
    }
    let (email, slug, provider, external_id) = read(tx, &unnamed)?;
    entry.actor.name = entry.actor.name.or(email);
    if let Some((_, known)) = &mut entry.organization {
        *known = known.take().or(slug);
    }
    if let (Some(provider), Some(external_id)) = (provider, external_id) {
        entry = entry.provider(provider).external_id(external_id);
    }
    Ok(entry)
}

/// The e-mail address, the slug, the provider and the external id.
type Names = (Option<String>, Option<String>, Option<String>, Option<String>);

fn read(tx: &mut Tx<'_>, unnamed: &Unnamed) -> StoreResult<Names> {
    let integration = || integrations::table.find(unnamed.integration);
    let names = (
        users::table.find(unnamed.user).select(users::email).single_value(),
        organizations::table.find(unnamed.organization).select(organizations::slug).single_value(),
        integration().select(integrations::provider).single_value(),
        integration().select(coalesce(integrations::account_id, integrations::external_id)).single_value(),
    );
    Ok(diesel::select(names).get_result(tx.connection)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{Action, Actor},
        tables::ids::{IntegrationId, OrganizationId, UserId},
    };

    #[test]
    fn only_what_an_entry_lacks_is_looked_up() {
        let bare = Entry::new(Action::Install, Actor::user(UserId(1)))
            .organization(OrganizationId(2))
            .integration_id(IntegrationId(3));
        assert_eq!(Unnamed::of(&bare), Unnamed { user: 1, organization: 2, integration: 3 });
        let named = Entry::new(Action::Install, Actor::user(UserId(1)).named("ada@example.com"))
            .organization_named(OrganizationId(2), "acme")
            .integration_id(IntegrationId(3))
            .external_id("T1");
        assert!(Unnamed::of(&named).is_empty());
        assert!(Unnamed::of(&Entry::new(Action::Install, Actor::token(7, "ci"))).is_empty());
    }
}
