//! Against software that others wrote. What we play ourselves belongs with what it is played for.

mod certified_server;
mod slack_client;
