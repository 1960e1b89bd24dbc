//! Who somebody is: log-in, sessions, API tokens. What they may then do is tested where they do it.

mod login;
