//! From an author's types to the exported statics.

use std::sync::Arc;

use jackfield_plugin_abi::envelope::{Fault, Question, State, TaskResult};

use crate::{
    Api, Dialog, Error, Field, Host, Inbox, Pipeline, Provider, known_options::known_options, options::read_options,
    pipeline::BoxFuture,
};

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
/// #     async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { panic!() }
/// # }
/// jackfield_plugin::export_providers!(Acme);
/// # fn main() {}
/// ```
///
/// One library may export several: `export_providers!(Acme, AcmeSandbox)`. Call it once per crate,
/// and build with the default `panic = "unwind"`: then a panic in a step becomes an error, and the
/// host keeps running.
#[macro_export]
macro_rules! export_providers {
    ($($provider:ty),+ $(,)?) => {
        const _: () = {
            #[cfg(not(panic = "unwind"))]
            compile_error!("build a Jackfield plugin with panic = \"unwind\": with `abort` one panic would end the host");

            static __JACKFIELD_REGISTRY: $crate::__private::Registry = $crate::__private::Registry::new(|| {
                ::std::vec![$($crate::__private::ProviderType::of::<$provider>()),+]
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

            const __JACKFIELD_IDS: &[&str] = &[$(<$provider as $crate::Provider>::ID),+];

            #[allow(unsafe_code, reason = "a symbol has to be exported by its name")]
            #[unsafe(no_mangle)]
            pub static JACKFIELD_PLUGIN_PROVIDERS: [u8; $crate::__private::provider_ids_length(__JACKFIELD_IDS)] =
                $crate::__private::provider_ids(__JACKFIELD_IDS);

            #[allow(unsafe_code, non_upper_case_globals, reason = "the name that a host looks for")]
            #[unsafe(no_mangle)]
            pub static _1as_0lib_1header_0root_bmodule_bloader: $crate::__private::LibHeader =
                $crate::__private::header::<__JackfieldExported>();
        };
    };
}

/// An exported [`Provider`] type.
#[derive(Clone, Copy)]
pub struct ProviderType {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) options: fn() -> Option<&'static [&'static str]>,
    pub(crate) build: fn(&State) -> Result<BuiltProvider, Fault>,
}

impl ProviderType {
    /// The entry of an author's type.
    #[must_use]
    pub fn of<P: Provider>() -> Self {
        Self { id: P::ID, name: P::NAME, options: known_options::<P::Options>, build: build::<P> }
    }
}

/// A provider of any type, with its description.
pub(crate) struct BuiltProvider {
    pub(crate) provider: Arc<dyn AnyProvider>,
    pub(crate) is_configured: bool,
    pub(crate) config: Vec<Field>,
    pub(crate) dialog: Dialog,
    pub(crate) icon: Option<&'static str>,
    pub(crate) hosts: Vec<String>,
    pub(crate) allows_user_supplied_hosts: bool,
    pub(crate) api: Option<Api>,
    pub(crate) handles_events: bool,
    pub(crate) inbox: Option<Inbox>,
    pub(crate) pipeline: Pipeline,
}

fn build<P: Provider>(options: &State) -> Result<BuiltProvider, Fault> {
    let provider = P::new(read_options(options)?);
    Ok(BuiltProvider {
        is_configured: provider.is_configured(),
        config: provider.config(),
        dialog: provider.dialog(),
        icon: provider.icon(),
        hosts: provider.hosts(),
        allows_user_supplied_hosts: provider.allows_user_supplied_hosts(),
        api: provider.api(),
        handles_events: provider.handles_events(),
        inbox: provider.inbox(),
        pipeline: provider.pipeline(),
        provider: Arc::new(provider),
    })
}

/// A [`Provider`] of any type.
pub(crate) trait AnyProvider: Send + Sync {
    /// Answers a question to the provider itself, and not to one of its steps.
    fn answer(self: Arc<Self>, question: Question, host: Host) -> BoxFuture<TaskResult>;
}

impl<P: Provider> AnyProvider for P {
    fn answer(self: Arc<Self>, question: Question, host: Host) -> BoxFuture<TaskResult> {
        Box::pin(async move {
            match question {
                Question::BuildIntegration { state } => {
                    self.build_integration(state, host).await.map(|integration| TaskResult::Built { integration })
                }
                Question::Webhook { request, state } => {
                    let response = self.handle_webhook(request, state, host).await;
                    response.map(|response| TaskResult::WebhookHandled { response })
                }
                Question::Refresh { grant, metadata } => {
                    self.refresh(*grant, metadata, host).await.map(|refreshed| TaskResult::Refreshed { refreshed })
                }
                Question::Revoke { request } => {
                    self.revoke(request, host).await.map(|revoked| TaskResult::Revoked { revoked })
                }
                Question::Event { request } => {
                    self.handle_event(request, host).await.map(|response| TaskResult::EventHandled { response })
                }
                Question::View { .. } | Question::OAuth2 { .. } | Question::Unknown => {
                    Err(Error::new("this question is not for the provider itself"))
                }
            }
        })
    }
}
