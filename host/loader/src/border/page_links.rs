//! The links of a page, for tools that say where it leads.

use std::cell::RefCell;

use html5ever::{
    TokenizerResult,
    tendril::StrTendril,
    tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts},
};

use super::html_size::text_only;

#[derive(Default)]
struct Links(RefCell<Vec<String>>);

impl TokenSink for Links {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let Token::TagToken(Tag { kind: TagKind::StartTag, name, attrs, .. }) = token else {
            return TokenSinkResult::Continue;
        };
        if &*name == "a" {
            let links = attrs.iter().filter(|attribute| &*attribute.name.local == "href");
            self.0.borrow_mut().extend(links.map(|link| link.value.to_string()));
        }
        text_only(&name)
    }
}

/// What the links of a page name, as it stands there. The page is of the size that a host takes.
#[must_use]
pub fn links_in(html: &str) -> Vec<String> {
    let tokenizer = Tokenizer::new(Links::default(), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    while let TokenizerResult::Script(()) | TokenizerResult::EncodingIndicator(_) = tokenizer.feed(&input) {}
    tokenizer.end();
    tokenizer.sink.0.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_as_a_browser_reads_them() {
        let html = r#"<a href="https://a.example/?x=1&amp;y=2">A</a><A HREF='/b'>B</A><a name=c>C</a><link href="/d"><textarea><a href="/e"></textarea>"#;
        assert_eq!(links_in(html), ["https://a.example/?x=1&y=2", "/b"]);
    }
}
