//! Lets a program call the API of an integration's service without seeing the credential.
//!
//! [`Proxy::call`] is the way through this folder. `target` builds the URL and refuses a path that
//! leads elsewhere. `headers` filters both heads and adds the credential, `location` rewrites the
//! links of the answer. `trailers` filters what follows a body. `request_body` buffers a small
//! body, so that `retry` can have it sent again where that is safe. `response` hands the answer
//! back. `access_log` logs each call once. Which hosts a provider may reach is checked by
//! `jackfield-outbound`.

mod access_log;
mod call;
mod error;
mod headers;
mod location;
mod request;
mod request_body;
mod response;
mod retry;
mod target;
mod trailers;

pub use call::Proxy;
pub use error::ProxyError;
pub use request::ProxyRequest;
pub use request_body::BodyFrames;
pub use response::ResponseBody;
