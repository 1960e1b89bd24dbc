//! How large a page of a plugin becomes once it is a tree.
//!
//! By HTML's rules, formatting elements that are left open are opened anew in each further
//! paragraph (section 13.2.4.3): some KB of `<b>` and `<p>` are millions of elements. So the tags
//! are counted first, by the tokenizer alone, whose time is that of the text.
//!
//! What is counted is never less than what a tree holds: an element counts as open until a tag of
//! its own closes it where HTML would find it.

use std::cell::RefCell;

use html5ever::{
    TokenizerResult,
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts, states::RawKind,
    },
};

use super::{
    out_of_bounds::{OutOfBounds, at_most},
    reply_limits::LARGEST_HTML,
};

/// Most tags of a page.
const MOST_TAGS: usize = 2000;
/// Most elements that are open at the same time.
const MOST_OPEN: usize = 32;
/// Largest page with all elements that are opened anew, in bytes of tags.
const LARGEST_EXPANDED: usize = 1 << 20;
/// What a tag or an attribute takes besides its text.
const OVERHEAD: usize = 16;

/// Elements that HTML opens anew where they are left open.
const FORMATTING: [&str; 14] =
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];
/// Elements whose end tag may be left out, and which cannot be open in themselves without another
/// element between.
const END_TAG_OPTIONAL: [&str; 13] =
    ["p", "li", "dt", "dd", "option", "optgroup", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup"];
const VOID: [&str; 16] = [
    "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input", "keygen", "link",
    "meta", "source", "wbr",
];
/// Elements through which an end tag does not reach.
const BARRIER: [&str; 8] = ["applet", "caption", "marquee", "object", "table", "td", "template", "th"];
/// Elements in which tags follow other rules.
const FOREIGN: [&str; 2] = ["svg", "math"];

/// Refuses a page that is too large, or would become too large.
///
/// # Errors
/// What there is too much of.
pub(crate) fn check_html(html: &str) -> Result<(), OutOfBounds> {
    at_most("the HTML of the page", html.len(), LARGEST_HTML, "bytes")?;
    at_most("the HTML of the page", tag_starts(html), MOST_TAGS, "tags")?;
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    while let TokenizerResult::Script(()) | TokenizerResult::EncodingIndicator(_) = tokenizer.feed(&input) {}
    tokenizer.end();
    let counted = tokenizer.sink.0.into_inner();
    at_most("the HTML of the page", counted.most_open, MOST_OPEN, "elements that are open at the same time")?;
    at_most("the HTML of the page", counted.expanded, LARGEST_EXPANDED, "bytes with what HTML opens anew")
}

/// Counts what may be a tag, wherever it stands. No tokenizer finds more.
fn tag_starts(html: &str) -> usize {
    let bytes = html.as_bytes();
    bytes.windows(2).filter(|pair| pair[0] == b'<' && (pair[1].is_ascii_alphabetic() || pair[1] == b'/')).count()
}

#[derive(Default)]
struct Sink(RefCell<Counted>);

#[derive(Default)]
struct Counted {
    open: Vec<Open>,
    /// Bytes of the formatting elements among them.
    formatting: usize,
    most_open: usize,
    expanded: usize,
    /// From here on, end tags may not close what they seem to.
    has_foreign: bool,
}

struct Open {
    name: String,
    /// Bytes of its tag, if HTML opens it anew.
    formatting: usize,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) => self.0.borrow_mut().count(&tag),
            _ => TokenSinkResult::Continue,
        }
    }
}

impl Counted {
    fn count(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        // Each tag may be followed by all that is left open.
        self.expanded = self.expanded.saturating_add(self.formatting + size(tag));
        let name = &*tag.name;
        match tag.kind {
            TagKind::StartTag => {
                self.has_foreign |= FOREIGN.contains(&name);
                self.open(name, size(tag));
                if self.has_foreign { TokenSinkResult::Continue } else { text_only(name) }
            }
            TagKind::EndTag => {
                if !self.has_foreign {
                    self.close(name);
                }
                TokenSinkResult::Continue
            }
        }
    }

    fn open(&mut self, name: &str, size: usize) {
        if VOID.contains(&name) || END_TAG_OPTIONAL.contains(&name) && !BARRIER.contains(&name) {
            return;
        }
        if BARRIER.contains(&name) && END_TAG_OPTIONAL.contains(&name) {
            // A cell ends the cell before it.
            self.close_cell();
        }
        let formatting = if FORMATTING.contains(&name) { size } else { 0 };
        self.formatting += formatting;
        self.open.push(Open { name: name.to_owned(), formatting });
        self.most_open = self.most_open.max(self.open.len());
    }

    fn close_cell(&mut self) {
        if self.open.last().is_some_and(|last| matches!(&*last.name, "td" | "th")) {
            self.open.pop();
        }
    }

    fn close(&mut self, name: &str) {
        if matches!(name, "table" | "tr" | "tbody" | "thead" | "tfoot") {
            self.close_cell();
        }
        for at in (0..self.open.len()).rev() {
            if self.open[at].name == name {
                self.formatting -= self.open.remove(at).formatting;
                return;
            }
            if BARRIER.contains(&&*self.open[at].name) {
                return;
            }
        }
    }
}

fn size(tag: &Tag) -> usize {
    let attributes = tag.attrs.iter().map(|attribute| attribute.name.local.len() + attribute.value.len() + OVERHEAD);
    tag.name.len() + OVERHEAD + attributes.sum::<usize>()
}

/// Elements in which HTML looks for no tags but their own end.
pub(super) fn text_only(name: &str) -> TokenSinkResult<()> {
    match name {
        "textarea" | "title" => TokenSinkResult::RawData(RawKind::Rcdata),
        "style" | "xmp" | "iframe" | "noembed" | "noframes" => TokenSinkResult::RawData(RawKind::Rawtext),
        "script" => TokenSinkResult::RawData(RawKind::ScriptData),
        "plaintext" => TokenSinkResult::Plaintext,
        _ => TokenSinkResult::Continue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(html: &str) -> String {
        check_html(html).err().map(|error| error.to_string()).unwrap_or_default()
    }

    fn repeated(count: usize, part: impl Fn(usize) -> String) -> String {
        (0..count).map(part).collect()
    }

    #[test]
    fn pages_as_people_write_them_are_taken() {
        let rows = repeated(60, |n| format!("<tr><td><b>{n}</b><td><a href=\"https://a.example/{n}\">{n}</a>"));
        for html in [
            r#"<form method="POST"><p><label for="n">Name</label> <input id="n" name="n"><br><button>Go</button></form>"#,
            &format!("<table>{rows}</table>"),
            &format!("<ul>{}</ul>", repeated(200, |n| format!("<li>{n}"))),
            &format!("<p>{}", repeated(400, |n| format!("{n}<p>"))),
            &format!("<select>{}</select>", repeated(300, |n| format!("<option value={n}>{n}"))),
            "<textarea><b><b><b></textarea><svg viewBox=\"0 0 1 1\"><path d=\"M0 0\"/></svg>",
        ] {
            assert_eq!(said(html), "", "{html}");
        }
    }

    #[test]
    fn formatting_that_is_opened_anew_in_each_paragraph_is_refused() {
        let bloom = |n: usize, m: usize| format!("<p>{}{}", repeated(n, |n| format!("<b id={n}>")), "x<p>".repeat(m));
        assert_eq!(said(&bloom(1000, 1000)), "the HTML of the page: found 2001 tags, at most 2000 are taken");
        let open = "the HTML of the page: found 900 elements that are open at the same time, at most 32 are taken";
        assert_eq!(said(&bloom(900, 900)), open);
        let large = format!("<p><b id=\"{}\">{}", "i".repeat(30_000), "x<p>".repeat(1000));
        assert!(
            said(&large).ends_with("bytes with what HTML opens anew, at most 1048576 are taken"),
            "{}",
            said(&large)
        );
    }

    #[test]
    fn what_hides_an_end_tag_or_a_start_tag_changes_nothing() {
        for hidden in [
            repeated(40, |n| format!("<p><b id={n}></p>")),
            repeated(40, |n| format!("<b id={n}><table><td></b></td></table>")),
            repeated(40, |n| format!("<b id={n}><textarea></b></textarea>")),
            repeated(40, |n| format!("<b id={n}><!--</b>-->")),
            format!("<svg><title>{}", repeated(40, |n| format!("<b id={n}>"))),
            format!("<svg><desc>{}</desc></svg>", repeated(40, |n| format!("<b id={n}></b>"))),
            format!("<math><mi>{}", repeated(40, |n| format!("<i id={n}><textarea></i></textarea>"))),
            repeated(40, |n| format!("<object><u id={n}></object>")),
        ] {
            assert!(said(&hidden).contains("open at the same time"), "{}: {hidden}", said(&hidden));
        }
    }
}
