//! Reads the host's pages back into what the provider answered.

use jackfield_plugin::Answer;
use serde_json::Value;

use super::{browser, form};

/// What a page of a setup shows.
pub(super) enum Page {
    /// The step has answered and waits for the next request.
    Answer(Answer),
    /// A redirect to another site.
    Redirect(String),
    /// The setup has finished: the integration, or `{"detail": …}`.
    Finished(Value),
    /// A redirect home: the setup does not exist or may not go on.
    Home,
    /// Something else.
    Other,
}

const PLUGIN: &str = "<div class=\"plugin\">";
const REDIRECT: &str = "<meta http-equiv=\"refresh\" content=\"0;url=";
const DIALOG: &str = "window.opener.postMessage(";

pub(super) fn read(response: &browser::Response) -> Page {
    match (response.status, response.location.as_deref()) {
        (302, Some(location)) if location.starts_with('/') => Page::Home,
        (302, Some(location)) => Page::Redirect(location.to_owned()),
        (200, _) => page_of(&response.text, response.reloads).unwrap_or(Page::Other),
        _ => Page::Other,
    }
}

fn page_of(page: &str, reloads: bool) -> Option<Page> {
    if let Some((_, call)) = page.split_once(DIALOG) {
        let message = serde_json::Deserializer::from_str(call).into_iter::<Value>().next()?.ok()?;
        return Some(Page::Finished(message["data"].clone()));
    }
    if let Some((_, url)) = page.split_once(REDIRECT) {
        let (url, _) = url.split_once('"')?;
        return Some(Page::Redirect(form::unescaped(url)));
    }
    let (step, _) = page.rsplit_once("<p class=\"cancel\">")?;
    let answer = match step.split_once(PLUGIN) {
        Some((_, html)) if reloads => Answer::wait(plugin_html(html)),
        Some((_, html)) => Answer::html(plugin_html(html)),
        None => Answer::form(form::read(step)?),
    };
    Some(Page::Answer(answer))
}

/// The plugin's HTML, without the closing tags of the elements that the host has put around it.
fn plugin_html(html: &str) -> &str {
    let card = html.trim_end().strip_suffix("</div>").unwrap_or(html);
    card.trim_end().strip_suffix("</div>").unwrap_or(card)
}
