//! A provider that lives in a plugin, as the host sees it.

use std::path::PathBuf;

use jackfield_plugin_abi::envelope::{CreateIn, CreateOut, NamedProvider, Question, Turn, op};

use super::{
    Answer, Dialog, Field, Integration, LibraryFile, PluginError, Request, State, Step, StepKind, conversation::Line,
};
use crate::outbound::Outbound;

/// The library a provider comes from.
#[derive(Clone, Debug)]
pub struct PluginInfo {
    /// Package name in its manifest.
    pub name: String,
    /// Package version in its manifest.
    pub version: String,
    /// Version of the interface it was built for.
    pub abi: String,
    /// Where it was loaded from.
    pub file: PathBuf,
    /// SHA-256 of the loaded bytes, lower-case hex.
    pub digest: String,
    /// Id of the trusted key it is signed by; `None` where no signature is demanded.
    pub signer: Option<String>,
}

/// A loaded provider with the operator's options.
pub struct Provider {
    id: String,
    name: String,
    plugin: PluginInfo,
    description: CreateOut,
    line: Line,
    outbound: Outbound,
}

/// What `plugin check` can tell of one provider without any options.
#[derive(Debug)]
pub struct Inspection {
    /// The provider's id.
    pub id: String,
    /// The provider's name.
    pub name: String,
    /// Its description, or why it has none.
    pub description: Result<CreateOut, PluginError>,
}

impl PluginInfo {
    pub(super) fn of(file: &LibraryFile) -> Self {
        Self {
            name: file.manifest.name(),
            version: file.manifest.version(),
            abi: format!("{}.{}", file.manifest.abi_major(), file.manifest.abi_minor()),
            file: file.path.clone(),
            digest: file.digest.clone(),
            signer: file.signer.clone(),
        }
    }
}

/// Makes an instance of a provider with the operator's options.
pub(super) async fn create(line: &Line, provider: &str, options: State) -> Result<CreateOut, PluginError> {
    let description: CreateOut = line.ask(op::CREATE, &CreateIn { provider: provider.to_owned(), options }).await?;
    for step in &description.steps {
        if step.kind == StepKind::Unknown {
            let message = format!("the step `{}` is of a kind that this host does not know", step.name);
            return Err(PluginError::Answer(message));
        }
    }
    Ok(description)
}

impl Provider {
    pub(super) fn new(
        named: NamedProvider,
        plugin: PluginInfo,
        description: CreateOut,
        line: Line,
        outbound: Outbound,
    ) -> Self {
        Self { id: named.id, name: named.name, plugin, description, line, outbound }
    }

    /// Stands in URLs, configuration and database.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What people read.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The library it comes from.
    #[must_use]
    pub const fn plugin(&self) -> &PluginInfo {
        &self.plugin
    }

    /// Whether it is offered to people.
    #[must_use]
    pub const fn is_configured(&self) -> bool {
        self.description.is_configured
    }

    /// Options that are not set and keep it from being configured, as far as the plugin can tell.
    #[must_use]
    pub fn missing_options(&self) -> &[String] {
        &self.description.missing
    }

    /// What an organization may configure of an installed integration.
    #[must_use]
    pub fn config(&self) -> &[Field] {
        &self.description.config
    }

    /// Size of the pop-up.
    #[must_use]
    pub const fn dialog(&self) -> Dialog {
        self.description.dialog
    }

    /// An SVG image, as the plugin gives it: to be served as an image only, where it can run nothing.
    #[must_use]
    pub fn icon(&self) -> Option<&str> {
        self.description.icon.as_deref()
    }

    /// The pipeline, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.description.steps
    }

    /// Runs one of the plugin's own steps.
    ///
    /// # Errors
    /// When the plugin gives no usable answer.
    pub async fn run_view(&self, view: &str, request: Request, state: State) -> Result<(Answer, State), PluginError> {
        let question = Question::View { view: view.to_owned(), request, state };
        match self.line.converse(&self.outbound, self.description.instance, question).await? {
            Turn::Answered { answer: Answer::Unknown, .. } => {
                Err(PluginError::Answer("an answer of a kind that this host does not know".to_owned()))
            }
            Turn::Answered { answer, state } => Ok((answer, state)),
            _ => Err(PluginError::Answer("a step was asked, something else answered".to_owned())),
        }
    }

    /// Builds the integration from the state of a finished pipeline.
    ///
    /// # Errors
    /// When the plugin gives no usable answer, or one without an external id.
    pub async fn build_integration(&self, state: State) -> Result<Integration, PluginError> {
        let question = Question::BuildIntegration { state };
        match self.line.converse(&self.outbound, self.description.instance, question).await? {
            Turn::Built { integration } if integration.external_id.is_empty() => {
                Err(PluginError::Answer("the integration has no external id".to_owned()))
            }
            Turn::Built { integration } => Ok(integration),
            _ => Err(PluginError::Answer("an integration was asked for, something else answered".to_owned())),
        }
    }
}
