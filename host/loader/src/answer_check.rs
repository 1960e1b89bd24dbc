//! Answers of a plugin as the host takes them: bounded, and with words that can be shown and
//! logged.

use jackfield_plugin_abi::envelope::{
    Answer, CreateOut, Form, NamedProvider, Refreshed, Revoked, State, TaskResult, WebhookResponse,
};

use crate::{
    border::{
        check_html, checked_description, checked_grant, checked_integration, checked_providers, checked_state, clean,
        escaped_words, shown_message,
    },
    runtime::PluginError,
};

/// The answer of a step.
///
/// # Errors
/// When its page is too large, or would become too large.
pub(crate) async fn checked_answer(answer: Answer) -> Result<Answer, PluginError> {
    match answer {
        Answer::Html { html } => Ok(Answer::Html { html: checked_html(html).await? }),
        Answer::Wait { html } => Ok(Answer::Wait { html: checked_html(html).await? }),
        Answer::Form { form } => Ok(Answer::Form { form: with_clean_words(form) }),
        Answer::Error { message } => Ok(Answer::Error { message: shown_message(&message) }),
        other => Ok(other),
    }
}

/// A form without characters that act, in what people read of it.
fn with_clean_words(mut form: Form) -> Form {
    form.title = clean(&form.title);
    form.submit = clean(&form.submit);
    form.errors.values_mut().for_each(|error| *error = shown_message(error));
    for field in &mut form.fields {
        field.label = clean(&field.label);
        field.help = field.help.take().map(|help| shown_message(&help));
        field.choices.iter_mut().for_each(|choice| choice.label = clean(&choice.label));
    }
    form
}

/// The exported providers as the host takes them: with clean names.
///
/// # Errors
/// When there are too many.
pub fn clean_providers(providers: Vec<NamedProvider>) -> Result<Vec<NamedProvider>, PluginError> {
    Ok(checked_providers(providers)?)
}

/// A name as people read it: without characters that act, and cut.
#[must_use]
pub fn shown_name(name: &str) -> String {
    clean(name)
}

/// The description of a provider as the host takes it: with clean words.
///
/// # Errors
/// When there is too much of something, or the name of a step cannot be one.
pub fn clean_description(description: CreateOut) -> Result<CreateOut, PluginError> {
    Ok(checked_description(description)?)
}

/// Judges what a task has come to, as the host does before it uses it. For tools that ask a plugin
/// by hand.
///
/// # Errors
/// When there is too much of something, or an id has a character that it cannot have.
pub async fn check_result(result: TaskResult) -> Result<(), PluginError> {
    match result {
        TaskResult::Answered { answer, .. } => checked_answer(answer).await.map(drop),
        TaskResult::Built { integration } => Ok(checked_integration(integration).map(drop)?),
        TaskResult::Refreshed { refreshed } => checked_refresh(refreshed).map(drop),
        TaskResult::WebhookHandled { response: WebhookResponse { bind, .. } } => check_state(&bind),
        _ => Ok(()),
    }
}

/// Counting takes longer than a request should hold up others, so it has a thread.
async fn checked_html(html: String) -> Result<String, PluginError> {
    let checked = tokio::task::spawn_blocking(move || check_html(&html).map(|()| html));
    Ok(checked.await.expect("counting tags does not panic")?)
}

/// Checks the state of a setup after a webhook has bound values into it. A step cannot bind more
/// either.
///
/// # Errors
/// When it is too large.
pub fn check_state(state: &State) -> Result<(), PluginError> {
    Ok(checked_state(state)?)
}

/// What a refresh has brought.
///
/// # Errors
/// When the grant is too large.
pub(crate) fn checked_refresh(refreshed: Refreshed) -> Result<Refreshed, PluginError> {
    Ok(match refreshed {
        Refreshed::Granted { grant } => Refreshed::Granted { grant: checked_grant(grant)? },
        Refreshed::Refused { reason } => Refreshed::Refused { reason: escaped_words(&reason) },
        other => other,
    })
}

/// What a revocation has come to. Its words are stored for the operator.
pub(crate) fn with_escaped_words(revoked: Revoked) -> Revoked {
    match revoked {
        Revoked::Done { message } => Revoked::Done { message: escaped_words(&message) },
        Revoked::RetryAfter { message, seconds } => Revoked::RetryAfter { message: escaped_words(&message), seconds },
        other => other,
    }
}
