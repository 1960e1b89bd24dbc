//! The account that this process runs under, in words.

use std::fmt;

use rustix::process::{getegid, geteuid};

/// An account of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// Its number.
    pub(super) user: u32,
    /// The number of its group.
    pub(super) group: u32,
    name: Option<String>,
}

impl Account {
    /// The one whose rights this process has.
    pub(super) fn of_this_process() -> Self {
        let user = geteuid().as_raw();
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self { user, group: getegid().as_raw(), name: name_of(user, &passwd) }
    }

    /// Whether it is root, whom no mode of a file stops.
    pub(super) const fn is_root(&self) -> bool {
        self.user == 0
    }

    /// What `chown` takes.
    pub(super) fn word(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.user.to_string())
    }
}

#[cfg(test)]
impl Account {
    pub(super) const fn root() -> Self {
        Self::numbered(0)
    }

    pub(super) const fn numbered(user: u32) -> Self {
        Self { user, group: user, name: None }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "the account {name} ({})", self.user),
            None => write!(f, "the account {}", self.user),
        }
    }
}

/// The name of a user in the text of `/etc/passwd`. Containers often have none.
fn name_of(user: u32, passwd: &str) -> Option<String> {
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        (fields.nth(1)?.parse() == Ok(user)).then_some(name)
    };
    passwd.lines().find_map(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_shown_with_its_name_where_it_has_one() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n";
        let account = |user| Account { user, group: 7, name: name_of(user, passwd) }.to_string();
        assert_eq!(account(65534), "the account nobody (65534)");
        assert_eq!(account(1001), "the account 1001");
    }
}
