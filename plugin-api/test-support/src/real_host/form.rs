//! Reads a form that the host has rendered back into a [`Form`].

use std::collections::BTreeMap;

use jackfield_plugin::{Field, FieldType, Form};

/// One piece of a page: a tag with its attributes, or text.
enum Piece<'a> {
    Tag { name: &'a str, attributes: BTreeMap<&'a str, String> },
    Text(String),
}

/// The form so far, and what comes next.
#[derive(Default)]
struct FormReader {
    form: Form,
    /// What the next text is.
    next: NextText,
    label: String,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum NextText {
    #[default]
    Nothing,
    Title,
    Label,
    Help,
    Error,
    Choice,
    Submit,
}

pub(super) fn read(page: &str) -> Option<Form> {
    let (before, form) = page.split_once("<form method=\"post\" class=\"stack\" novalidate>")?;
    let (form, _) = form.rsplit_once("</form>")?;
    let mut reader = FormReader::default();
    let title = before.rfind("<h2>").map_or("", |at| &before[at..]);
    pieces(title).into_iter().chain(pieces(form)).for_each(|piece| reader.take(&piece));
    Some(reader.form)
}

impl FormReader {
    fn take(&mut self, piece: &Piece<'_>) {
        match piece {
            Piece::Text(text) => self.take_text(text),
            Piece::Tag { name, attributes } => self.take_tag(name, attributes),
        }
    }

    fn take_tag(&mut self, name: &str, attributes: &BTreeMap<&str, String>) {
        let of = |name: &str| attributes.get(name).map_or("", String::as_str);
        match name {
            "h2" => self.next = NextText::Title,
            "label" => self.next = NextText::Label,
            "input" if of("type") == "hidden" => {}
            "input" | "select" => self.take_field(name, attributes),
            "option" if !of("value").is_empty() => self.take_choice(attributes),
            "p" if of("id").starts_with("help-") => self.next = NextText::Help,
            "p" if of("id").starts_with("error-") => self.next = NextText::Error,
            "button" => self.next = NextText::Submit,
            _ => self.next = NextText::Nothing,
        }
    }

    fn take_field(&mut self, tag: &str, attributes: &BTreeMap<&str, String>) {
        let of = |name: &str| attributes.get(name).map_or("", String::as_str);
        let field_type = match (tag, of("type")) {
            ("select", _) => FieldType::Select,
            (_, "checkbox") => FieldType::Checkbox,
            (_, "password") => FieldType::Password,
            (_, "number") => FieldType::Number,
            _ => FieldType::Text,
        };
        let mut field = Field::new(field_type, of("name"), std::mem::take(&mut self.label));
        if field_type != FieldType::Checkbox {
            field.required = attributes.contains_key("required");
        }
        let value = if attributes.contains_key("checked") { "on" } else { of("value") };
        if !value.is_empty() {
            self.form.values.insert(field.name.clone(), value.to_owned());
        }
        self.form.fields.push(field);
        // The label of a checkbox follows it. All others precede their field.
        self.next = if field_type == FieldType::Checkbox { NextText::Label } else { NextText::Nothing };
    }

    fn take_choice(&mut self, attributes: &BTreeMap<&str, String>) {
        let value = attributes.get("value").cloned().unwrap_or_default();
        let Some(field) = self.form.fields.pop() else { return };
        if attributes.contains_key("selected") {
            self.form.values.insert(field.name.clone(), value.clone());
        }
        self.form.fields.push(field.choice(value, ""));
        self.next = NextText::Choice;
    }

    fn take_text(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let text = text.to_owned();
        match (std::mem::take(&mut self.next), self.form.fields.last_mut()) {
            (NextText::Title, _) => self.form.title = text,
            (NextText::Submit, _) => self.form.submit = if text == "Continue" { String::new() } else { text },
            (NextText::Label, Some(field)) if field.field_type == FieldType::Checkbox && field.label.is_empty() => {
                field.label = text
            }
            (NextText::Label, _) => self.label = text,
            (NextText::Help, Some(field)) => field.help = Some(text),
            (NextText::Error, Some(field)) => {
                self.form.errors.insert(field.name.clone(), text);
            }
            (NextText::Choice, Some(field)) => {
                field.choices.last_mut().into_iter().for_each(|choice| choice.label.clone_from(&text))
            }
            _ => {}
        }
    }
}

/// Splits a page into tags and text. In the host's templates every attribute is bare or in double
/// quotes, and every other `<` and `"` is escaped.
fn pieces(html: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    for part in html.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or((part, ""));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        pieces.push(Piece::Tag { name, attributes: attributes_of(attributes) });
        pieces.push(Piece::Text(unescaped(text)));
    }
    pieces
}

fn attributes_of(text: &str) -> BTreeMap<&str, String> {
    let mut attributes = BTreeMap::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find([' ', '=']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let value = after.strip_prefix("=\"").and_then(|quoted| quoted.split_once('"'));
        let (value, after) = value.unwrap_or(("", after));
        attributes.insert(name, unescaped(value));
        rest = after.trim_start_matches('=').trim_start();
    }
    attributes
}

pub(super) fn unescaped(text: &str) -> String {
    let escapes = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
    ];
    let text = escapes.iter().fold(text.to_owned(), |text, (escape, c)| text.replace(escape, c));
    text.replace("&#38;", "&").replace("&amp;", "&")
}
