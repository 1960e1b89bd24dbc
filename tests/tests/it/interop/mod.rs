//! Tests against software that others wrote. Tests with our own stand-ins belong with what they
//! test.

mod certified_server;
mod slack_client;
