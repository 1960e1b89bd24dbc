//! Everything that a plugin of 1.0 can do, built against the API of 1.0.

mod account;
mod workshop;

jackfield_plugin::export_providers!(workshop::Workshop, account::Account);
