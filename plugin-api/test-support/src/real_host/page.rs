//! Reads the host's pages back into what the provider answered.

use jackfield_plugin::Answer;
use serde_json::Value;

use super::{browser, form};

/// What a page of a set-up says.
pub(super) enum Page {
    /// The step answered and waits.
    Answer(Answer),
    /// Away to another site.
    Redirect(String),
    /// The set-up is over: the integration, or `{"detail": …}`.
    Ended(Value),
    /// Home: there is no such set-up, or it may not go on.
    Refused,
    /// Something else.
    Other,
}

const PLUGIN: &str = "<div class=\"plugin\">";
const LEAVING: &str = "<meta http-equiv=\"refresh\" content=\"0;url=";
const DIALOG: &str = "window.opener.postMessage(";

pub(super) fn read(answer: &browser::Answer) -> Page {
    match (answer.status, answer.location.as_deref()) {
        (302, Some(location)) if location.starts_with('/') => Page::Refused,
        (302, Some(location)) => Page::Redirect(location.to_owned()),
        (200, _) => shown(&answer.text).unwrap_or(Page::Other),
        _ => Page::Other,
    }
}

fn shown(page: &str) -> Option<Page> {
    if let Some((_, call)) = page.split_once(DIALOG) {
        let message = serde_json::Deserializer::from_str(call).into_iter::<Value>().next()?.ok()?;
        return Some(Page::Ended(message["data"].clone()));
    }
    if let Some((_, url)) = page.split_once(LEAVING) {
        let (url, _) = url.split_once('"')?;
        return Some(Page::Redirect(form::unescaped(url)));
    }
    let (step, _) = page.rsplit_once("<p class=\"cancel\">")?;
    let answer = match step.split_once(PLUGIN) {
        Some((_, html)) => Answer::html(without_ends(html)),
        None => Answer::form(form::read(step)?),
    };
    Some(Page::Answer(answer))
}

/// What is the plugin's, without the ends of what the host has put around it.
fn without_ends(html: &str) -> &str {
    let card = html.trim_end().strip_suffix("</div>").unwrap_or(html);
    card.trim_end().strip_suffix("</div>").unwrap_or(card)
}
