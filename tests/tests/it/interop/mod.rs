//! Tests against software that others wrote. Tests with our own stand-ins belong with what they
//! test.

mod certified_server;
mod grpc;
mod http2_clients;
mod slack_client;
