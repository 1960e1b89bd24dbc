//! What serde says of an option, in an operator's words. A plugin reads its options by serde and
//! hands on what that says, without values.

/// What is wrong, and what to write instead, as far as the words say it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// The words of serde, translated. Those of an author stay as they are.
pub(super) fn translated(message: &str) -> Translated {
    let expected = |kind: &str| message.strip_prefix(kind).and_then(|rest| rest.split_once(", expected "));
    if let Some((found, wanted)) = expected("invalid type: ") {
        let wanted = type_wanted(wanted);
        let message = format!("wrong type: found {}, wanted {wanted}", type_found(found));
        return Translated { message, help: Some(format!("write {wanted}")) };
    }
    if let Some((_, wanted)) = expected("invalid value").or_else(|| expected("invalid length")) {
        let wanted = type_wanted(wanted);
        return Translated {
            message: format!("not a value that fits: wanted {wanted}"),
            help: Some(format!("write {wanted}")),
        };
    }
    if let Some((_, words)) = expected("unknown variant") {
        let help = format!("write {}", words.trim_start_matches("one of ").replace('`', "\""));
        return Translated {
            message: format!("not a known word: wanted {words}"),
            help: Some(help.replace("\", \"", "\" or \"")),
        };
    }
    if let Some((field, words)) = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
        let known = words
            .strip_prefix(", expected ")
            .map(|words| format!("remove it; known here: {}", words.trim_start_matches("one of ")));
        return Translated { message: format!("unknown key `{field}`"), help: known };
    }
    let quoted = |kind: &str| message.strip_prefix(kind).and_then(|rest| rest.strip_suffix('`'));
    if let Some(field) = quoted("missing field `") {
        return Translated { message: "missing".to_owned(), help: Some(format!("write {field} = …")) };
    }
    if let Some(field) = quoted("duplicate field `") {
        return Translated {
            message: format!("`{field}` stands twice"),
            help: Some("remove one of the two".to_owned()),
        };
    }
    Translated { message: message.to_owned(), help: None }
}

fn type_found(serdes: &str) -> &str {
    let word = serdes.split([' ', '`', '"']).next().unwrap_or(serdes);
    match (word, serdes) {
        ("map", _) => "a table",
        ("sequence", _) => "a list",
        ("string" | "character", _) => "text",
        ("integer", _) => "a whole number",
        ("floating", _) => "a number",
        ("boolean", _) => "true or false",
        ("null" | "unit" | "Option", _) => "nothing",
        (_, other) => other,
    }
}

fn type_wanted(serdes: &str) -> &str {
    match serdes {
        "a string" | "string" | "str" | "a borrowed string" | "a character" => {
            "text, { env = \"NAME\" } or { file = \"PATH\" }"
        }
        "a sequence" | "sequence" => "a list, [\"…\", \"…\"]",
        "a boolean" | "bool" => "true or false",
        "a map" | "map" => "a table, { … }",
        "u8" | "u16" | "u32" | "u64" | "usize" | "u128" => "a whole number that is not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" | "i128" => "a whole number",
        "f32" | "f64" => "a number",
        struct_name if struct_name.starts_with("struct ") => "a table, { … }",
        other if other.starts_with("a nonzero ") => "a whole number that is not 0",
        other if other.starts_with("string or ") || other == "a string key" => "text",
        other if other.starts_with("tuple ") || other.starts_with("an array of length") => "a list, [\"…\", \"…\"]",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serdes_words_become_an_operators() {
        for (serdes, message, help) in [
            (
                "invalid type: map, expected a string",
                "wrong type: found a table, wanted text, { env = \"NAME\" } or { file = \"PATH\" }",
                "write text, { env = \"NAME\" } or { file = \"PATH\" }",
            ),
            (
                "invalid type: string, expected a sequence",
                "wrong type: found text, wanted a list, [\"…\", \"…\"]",
                "write a list, [\"…\", \"…\"]",
            ),
            (
                "invalid type: integer, expected a string",
                "wrong type: found a whole number, wanted text, { env = \"NAME\" } or { file = \"PATH\" }",
                "write text, { env = \"NAME\" } or { file = \"PATH\" }",
            ),
            (
                "invalid type: floating point, expected u16",
                "wrong type: found a number, wanted a whole number that is not negative",
                "write a whole number that is not negative",
            ),
            (
                "invalid type: string, expected a boolean",
                "wrong type: found text, wanted true or false",
                "write true or false",
            ),
            (
                "invalid type: boolean, expected struct Proxy",
                "wrong type: found true or false, wanted a table, { … }",
                "write a table, { … }",
            ),
            (
                "invalid value: integer, expected u16",
                "not a value that fits: wanted a whole number that is not negative",
                "write a whole number that is not negative",
            ),
            (
                "unknown variant, expected `v1` or `v2`",
                "not a known word: wanted `v1` or `v2`",
                "write \"v1\" or \"v2\"",
            ),
            (
                "unknown variant, expected one of `a`, `b`, `c`",
                "not a known word: wanted one of `a`, `b`, `c`",
                "write \"a\" or \"b\" or \"c\"",
            ),
            ("unknown field `x`, expected `url`", "unknown key `x`", "remove it; known here: `url`"),
            ("missing field `port`", "missing", "write port = …"),
            ("duplicate field `port`", "`port` stands twice", "remove one of the two"),
        ] {
            assert_eq!(
                translated(serdes),
                Translated { message: message.to_owned(), help: Some(help.to_owned()) },
                "{serdes}"
            );
        }
        let authors = "the domain has no dot";
        assert_eq!(translated(authors), Translated { message: authors.to_owned(), help: None });
    }
}
