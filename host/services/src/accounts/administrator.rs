//! Who makes and revokes what belongs to an organization: the operator, or an owner.

use crate::request_source::RequestSource;
use jackfield_store::{
    StoreResult, Tx, UserId,
    audit::{Action, Actor, Entry},
    users,
};

/// Who administers an organization.
#[derive(Clone, Debug)]
pub enum Administrator {
    /// The operator, on the command line.
    Operator,
    /// A person who is logged in, by a request.
    User(UserId, RequestSource),
}

impl Administrator {
    /// An entry of the audit log about something that they do.
    pub(crate) fn entry(&self, action: Action) -> Entry {
        match self {
            Self::Operator => Entry::new(action, Actor::operator()),
            Self::User(user, source) => source.note(Entry::new(action, Actor::user(*user))),
        }
    }

    /// What people read of them: `operator`, or an e-mail address as it is now.
    pub(super) fn name(&self, tx: &mut Tx<'_>) -> StoreResult<String> {
        Ok(match self {
            Self::Operator => "operator".to_owned(),
            Self::User(user, _) => users::by_id(tx, *user)?.map(|user| user.email).unwrap_or_default(),
        })
    }
}
