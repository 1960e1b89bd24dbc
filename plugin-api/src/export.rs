//! From an author's types to the exported statics.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use jackfield_plugin_abi::envelope::State;
use serde_path_to_error::deserialize;

use crate::{
    Api, Dialog, Error, Field, Host, Pipeline, Provider,
    glue::{Instance, Task, option_fault},
    known_options::known_options,
    pipeline::Boxed,
};
use jackfield_plugin_abi::envelope::{Fault, OptionDiagnostic, Question, TaskResult};

/// Exports providers from a plugin library: the last line of every plugin.
///
/// ```
/// # use jackfield_plugin::*;
/// # struct Acme;
/// # impl Provider for Acme {
/// #     type Options = NoOptions;
/// #     const ID: &'static str = "acme";
/// #     const NAME: &'static str = "Acme";
/// #     fn new(_: NoOptions) -> Self { Acme }
/// #     fn pipeline(&self) -> Pipeline { Pipeline::new() }
/// #     async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { Ok(Integration::new("1")) }
/// # }
/// jackfield_plugin::export_providers!(Acme);
/// # fn main() {}
/// ```
///
/// One library may export several: `export_providers!(Acme, AcmeSandbox)`. Call it once in a crate, and build with the default
/// `panic = "unwind"`: a panic in a step becomes an error, and the host stays up.
#[macro_export]
macro_rules! export_providers {
    ($($provider:ty),+ $(,)?) => {
        const _: () = {
            #[cfg(not(panic = "unwind"))]
            compile_error!("build a Jackfield plugin with panic = \"unwind\": with `abort` one panic would end the host");

            static __JACKFIELD_REGISTRY: $crate::__private::Registry = $crate::__private::Registry::new(|| {
                ::std::vec![$($crate::__private::Exporter::of::<$provider>()),+]
            });

            struct __JackfieldExported;

            impl $crate::__private::Exported for __JackfieldExported {
                fn call(op: &str, body: &[u8]) -> ::std::vec::Vec<u8> {
                    $crate::__private::call(&__JACKFIELD_REGISTRY, op, body)
                }
            }

            #[allow(unsafe_code, reason = "a symbol has to be exported by its name")]
            #[unsafe(no_mangle)]
            pub static JACKFIELD_PLUGIN_MANIFEST: $crate::__private::Manifest =
                $crate::__private::Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));

            #[allow(unsafe_code, non_upper_case_globals, reason = "the name that a host looks for")]
            #[unsafe(no_mangle)]
            pub static _1as_0lib_1header_0root_bmodule_bloader: $crate::__private::LibHeader =
                $crate::__private::header::<__JackfieldExported>();
        };
    };
}

/// What a library exports, and the instances and tasks that live in it.
pub struct Registry {
    exporters: fn() -> Vec<Exporter>,
    pub(crate) instances: Mutex<Option<HashMap<u64, Arc<Instance>>>>,
    pub(crate) tasks: Mutex<Option<HashMap<u64, Task>>>,
    next: AtomicU64,
}

impl Registry {
    /// A registry of the exporters that the function lists.
    #[must_use]
    pub const fn new(exporters: fn() -> Vec<Exporter>) -> Self {
        Self { exporters, instances: Mutex::new(None), tasks: Mutex::new(None), next: AtomicU64::new(1) }
    }

    pub(crate) fn exporters(&self) -> Vec<Exporter> {
        (self.exporters)()
    }

    pub(crate) fn fresh_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// One exported provider type.
#[derive(Clone, Copy)]
pub struct Exporter {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) options: fn() -> Option<&'static [&'static str]>,
    pub(crate) make: fn(&State) -> Result<BuiltProvider, Fault>,
}

impl Exporter {
    /// Of a provider type.
    #[must_use]
    pub fn of<P: Provider>() -> Self {
        Self { id: P::ID, name: P::NAME, options: known_options::<P::Options>, make: make::<P> }
    }
}

/// A provider of any type, with what it says of itself.
pub(crate) struct BuiltProvider {
    pub(crate) provider: Arc<dyn AnyProvider>,
    pub(crate) is_configured: bool,
    pub(crate) config: Vec<Field>,
    pub(crate) dialog: Dialog,
    pub(crate) icon: Option<&'static str>,
    pub(crate) hosts: Vec<String>,
    pub(crate) hosts_from_forms: bool,
    pub(crate) api: Option<Api>,
    pub(crate) takes_events: bool,
    pub(crate) pipeline: Pipeline,
}

fn make<P: Provider>(options: &State) -> Result<BuiltProvider, Fault> {
    let provider = P::new(read_options(options)?);
    Ok(BuiltProvider {
        is_configured: provider.is_configured(),
        config: provider.config(),
        dialog: provider.dialog(),
        icon: provider.icon(),
        hosts: provider.hosts(),
        hosts_from_forms: provider.hosts_from_forms(),
        api: provider.api(),
        takes_events: provider.takes_events(),
        pipeline: provider.pipeline(),
        provider: Arc::new(provider),
    })
}

/// Every unknown key, and the first value that does not fit.
pub(crate) fn read_options<O: serde::de::DeserializeOwned>(options: &State) -> Result<O, Fault> {
    let mut diagnostics: Vec<OptionDiagnostic> = Vec::new();
    if let Some(known) = known_options::<O>() {
        let unknown = options.keys().filter(|key| !known.contains(&key.as_str()));
        diagnostics.extend(unknown.map(|key| OptionDiagnostic {
            key: key.clone(),
            message: "unknown option".to_owned(),
            known: known.iter().map(|known| (*known).to_owned()).collect(),
            ..OptionDiagnostic::default()
        }));
    }
    let read = deserialize(serde_json::Value::Object(options.clone()));
    match read {
        Ok(options) if diagnostics.is_empty() => Ok(options),
        Ok(_) => Err(option_fault(diagnostics)),
        Err(error) => {
            let message = without_values(&error.inner().to_string(), options);
            let key = key_of(&error.path().to_string(), &message);
            if !diagnostics.iter().any(|diagnostic| diagnostic.key == key) {
                diagnostics.push(OptionDiagnostic { key, message, ..OptionDiagnostic::default() });
            }
            Err(option_fault(diagnostics))
        }
    }
}

/// The key an operator has to look for: a missing field is told at the table it is missing from.
fn key_of(path: &str, message: &str) -> String {
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    match (path, missing) {
        (".", Some(field)) => field.to_owned(),
        (path, Some(field)) => format!("{path}.{field}"),
        (path, None) => path.to_owned(),
    }
}

/// Serde quotes the value it found, and the value may be a secret: `invalid type: string "…", expected u16`. An author's own
/// deserializer may put it anywhere.
fn without_values(message: &str, options: &State) -> String {
    let mut texts = Vec::new();
    options.values().for_each(|value| collect_texts(value, &mut texts));
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let hidden = texts.iter().fold(without_quoted(message), |message, text| message.replace(text, "…"));
    hidden.lines().next().unwrap_or_default().to_owned()
}

/// Every text of four characters or more: shorter ones would blank out ordinary words.
fn collect_texts<'a>(value: &'a serde_json::Value, texts: &mut Vec<&'a str>) {
    match value {
        serde_json::Value::String(text) if text.len() >= 4 => texts.push(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        serde_json::Value::Object(object) => object.values().for_each(|item| collect_texts(item, texts)),
        _ => {}
    }
}

fn without_quoted(message: &str) -> String {
    match (message.find(['"', '`']), message.rfind(", expected")) {
        (Some(quote), Some(expected)) if quote < expected => {
            format!("{}{}", message[..quote].trim_end(), &message[expected..])
        }
        _ => message.to_owned(),
    }
}

/// A [`Provider`] of any type.
pub(crate) trait AnyProvider: Send + Sync {
    /// Answers a question about the provider itself, and not about one of its steps.
    fn answer(self: Arc<Self>, question: Question, host: Host) -> Boxed<TaskResult>;
}

impl<P: Provider> AnyProvider for P {
    fn answer(self: Arc<Self>, question: Question, host: Host) -> Boxed<TaskResult> {
        Box::pin(async move {
            match question {
                Question::BuildIntegration { state } => {
                    self.build_integration(state, host).await.map(|integration| TaskResult::Built { integration })
                }
                Question::Webhook { call, state } => {
                    self.receive(call, state, host).await.map(|answer| TaskResult::Received { answer })
                }
                Question::Refresh { grant, metadata } => {
                    self.refresh(*grant, metadata, host).await.map(|refreshed| TaskResult::Refreshed { refreshed })
                }
                Question::Revoke { request: leaving } => {
                    self.revoke(leaving, host).await.map(|revoked| TaskResult::Revoked { revoked })
                }
                Question::Event { call } => {
                    self.handle_event(call, host).await.map(|told| TaskResult::EventHandled { response: told })
                }
                Question::View { .. } | Question::OAuth2 { .. } | Question::Unknown => {
                    Err(Error::new("this is not asked of the provider itself"))
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_out_of_serdes_words() {
        for (serdes, ours) in [
            ("invalid type: string \"xoxb-secret\", expected u16", "invalid type: string, expected u16"),
            ("invalid type: integer `3`, expected a string", "invalid type: integer, expected a string"),
            ("unknown variant `se\"cret`, expected `v1` or `v2`", "unknown variant, expected `v1` or `v2`"),
            ("missing field `token`", "missing field `token`"),
        ] {
            assert_eq!(without_values(serdes, &State::new()), ours);
        }
        let options = serde_json::json!({"a": {"b": ["hunter2"]}});
        let options = options.as_object().expect("an object");
        assert_eq!(without_values("an author says hunter2 is wrong", options), "an author says … is wrong");
    }
}
