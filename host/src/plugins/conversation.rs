//! One question to a plugin, from `start` through as many `resume`s as it asks the host for requests.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jackfield_plugin_abi::envelope::{
    DropIn, Fault, FaultKind, HttpRequest, HttpResponse, Input, LogLevel, LogLine, Question, Reply, ResumeIn, StartIn,
    Turn, TurnOut, op,
};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use super::{
    port::{Port, PortError},
    redact::Redactor,
};
use crate::outbound::Outbound;

/// Why a plugin gave no usable answer. For the log; the person in the browser reads `an internal error occurred`.
#[derive(Debug, Error)]
pub enum PluginError {
    /// No answer came back.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The plugin answered a fault.
    #[error("{}{}", kind_in_words(.0.kind), .0.message)]
    Fault(Fault),
    /// The plugin answered something that is not an answer to the question.
    #[error("the plugin's answer cannot be used: {0}")]
    Answer(String),
    /// The plugin asked for more requests than one question may cost.
    #[error("the plugin asked for more than {MAX_REQUESTS} requests in one step")]
    TooManyRequests,
}

const fn kind_in_words(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Panicked => "the plugin panicked: ",
        FaultKind::Stalled => "the plugin awaits something that the host did not lend: ",
        FaultKind::Unsupported => "the plugin does not know this question: ",
        FaultKind::Malformed => "the plugin could not read the question: ",
        FaultKind::Options => "the options do not fit: ",
        FaultKind::Failed | FaultKind::Unknown => "",
    }
}

/// Bounds what one step can cost the network.
const MAX_REQUESTS: usize = 20;

/// Asks and logs on behalf of one plugin.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) port: std::sync::Arc<dyn Port>,
    pub(super) plugin: String,
    pub(super) redactor: Redactor,
}

impl Line {
    /// One op: encode, call, decode, log what the author logged.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        op: &'static str,
        question: &impl Serialize,
    ) -> Result<T, PluginError> {
        let body = serde_json::to_vec(question).map_err(|error| PluginError::Answer(error.to_string()))?;
        let bytes = self.port.call(op, body).await?;
        let reply: Reply<T> = serde_json::from_slice(&bytes).map_err(|error| {
            // Position only: the error's own text may quote what the plugin sent.
            PluginError::Answer(format!("`{op}`: not a reply at line {} column {}", error.line(), error.column()))
        })?;
        self.log(&reply.log);
        reply.into_result().map_err(|fault| PluginError::Fault(self.redacted(fault)))
    }

    fn redacted(&self, mut fault: Fault) -> Fault {
        fault.message = self.redactor.redact(&fault.message);
        for mistake in &mut fault.options {
            mistake.message = self.redactor.redact(&mistake.message);
        }
        fault
    }

    fn log(&self, lines: &[LogLine]) {
        let plugin = self.plugin.as_str();
        for line in lines {
            let message = self.redactor.redact(&line.message);
            match line.level {
                LogLevel::Debug => tracing::debug!(plugin.name = plugin, "{message}"),
                LogLevel::Info => tracing::info!(plugin.name = plugin, "{message}"),
                LogLevel::Warn => tracing::warn!(plugin.name = plugin, "{message}"),
            }
        }
    }

    /// Asks an instance and sends what it wants until it has answered.
    pub(super) async fn converse(
        &self,
        outbound: &Outbound,
        instance: u64,
        question: Question,
    ) -> Result<Turn, PluginError> {
        let mut out: TurnOut = self.ask(op::START, &StartIn { instance, question }).await?;
        for _ in 0..MAX_REQUESTS {
            let Turn::Wants { task, request } = out.turn else { return Ok(out.turn) };
            let input = self.send(outbound, request).await;
            out = self.ask(op::RESUME, &ResumeIn { task, input }).await?;
        }
        if let Turn::Wants { task, .. } = out.turn {
            let _: serde_json::Value = self.ask(op::DROP, &DropIn { task: Some(task), instance: None }).await?;
            return Err(PluginError::TooManyRequests);
        }
        Ok(out.turn)
    }

    async fn send(&self, outbound: &Outbound, request: HttpRequest) -> Input {
        tracing::debug!(plugin.name = self.plugin, http.request = ?request, "the plugin asks for a request");
        let sent = match checked(request) {
            Ok(request) => outbound.send(request).await.map_err(|error| error.to_string()),
            Err(message) => Err(message),
        };
        match sent {
            Ok(response) => Input::Response { response: received(response) },
            Err(message) => {
                tracing::warn!(plugin.name = self.plugin, error = message, "a plugin's request was not sent");
                Input::Failed { message }
            }
        }
    }
}

/// Headers that frame a message and are the client's own to set.
const FRAMING: [&str; 5] = ["connection", "content-length", "host", "transfer-encoding", "upgrade"];

fn checked(wanted: HttpRequest) -> Result<http::Request<Vec<u8>>, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &wanted.headers {
        let name: HeaderName = name.parse().map_err(|_| format!("`{}` is not a header name", name.escape_debug()))?;
        if FRAMING.contains(&name.as_str()) {
            return Err(format!("the header `{name}` is the host's to set"));
        }
        let value = HeaderValue::from_str(value).map_err(|_| format!("the value of `{name}` is not a header value"))?;
        headers.append(name, value);
    }
    let method: Method = wanted.method.parse().map_err(|_| "not an HTTP method".to_owned())?;
    let mut request = http::Request::new(wanted.body);
    *request.method_mut() = method;
    *request.uri_mut() = wanted.url.parse().map_err(|_| "not an absolute http or https URL".to_owned())?;
    *request.headers_mut() = headers;
    Ok(request)
}

fn received(response: http::Response<Vec<u8>>) -> HttpResponse {
    let (parts, body) = response.into_parts();
    parts.headers.iter().fold(HttpResponse::new(parts.status.as_u16(), body), |response, (name, value)| {
        response.with_header(name.as_str(), String::from_utf8_lossy(value.as_bytes()))
    })
}
