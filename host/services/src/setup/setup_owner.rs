//! Whose a setup is: a person's, or a connect session's.

use serde::{Deserialize, Serialize};

use jackfield_store::{ConnectSessionId, UserId};

/// Whose a setup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetupOwner {
    /// A person who was logged in when they started it.
    User(UserId),
    /// A connect session, whose person has no account here.
    ConnectSession(ConnectSessionId),
}

impl SetupOwner {
    /// The person, if they have an account.
    #[must_use]
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::ConnectSession(_) => None,
        }
    }

    /// The connect session, if it is one's.
    #[must_use]
    pub const fn connect_session(self) -> Option<ConnectSessionId> {
        match self {
            Self::User(_) => None,
            Self::ConnectSession(session) => Some(session),
        }
    }

    /// What is signed of it. A user is a number alone, as in setups from before there were connect
    /// sessions, so that these go on after an upgrade.
    pub(super) fn signed(self) -> String {
        match self {
            Self::User(user) => user.to_string(),
            Self::ConnectSession(session) => format!("connect-session {session}"),
        }
    }

    /// Who has brought tokens, where the provider names no person.
    pub(super) fn as_person(self) -> String {
        match self {
            Self::User(user) => format!("user {user}"),
            Self::ConnectSession(session) => format!("connect-session {session}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn owners_of_two_kinds_with_one_number_are_told_apart() {
        let (user, session) = (SetupOwner::User("7".parse().expect("an id")), json!({"connect_session": 7}));
        let session: SetupOwner = serde_json::from_value(session).expect("an owner");
        assert_eq!(serde_json::to_value(user).expect("it is JSON"), json!({"user": 7}), "as before");
        assert_eq!((user.signed().as_str(), session.signed().as_str()), ("7", "connect-session 7"));
        assert_ne!(user.as_person(), session.as_person());
        assert_eq!((user.connect_session(), session.user()), (None, None));
    }
}
