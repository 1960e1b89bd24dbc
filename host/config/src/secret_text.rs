//! Looks at the text of a secret: what nobody means as one, and what a service would refuse.

/// What is conspicuous about a text: message and help.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// It cannot be what is meant.
    Wrong(String, String),
    /// It is likely not what is meant.
    Suspicious(String, String),
}

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the configuration itself.
    Literal,
    /// In a variable or a file.
    Elsewhere,
}

/// Words that stand in examples. Compared in lower case, with nothing but letters and digits.
const EXAMPLES: [&str; 11] = [
    "changeme",
    "changethis",
    "replaceme",
    "replacethis",
    "todo",
    "fixme",
    "placeholder",
    "yoursecret",
    "yourclientsecret",
    "secrethere",
    "tbd",
];

/// Looks at a text of the configuration.
pub(super) fn examine(text: &str, origin: Origin, is_secret: bool) -> Option<Finding> {
    if text.contains('\0') {
        let help = "write it without; a file that was saved as UTF-16 has many of them".to_owned();
        return Some(Finding::Wrong("a NUL character stands in it".to_owned(), help));
    }
    if let Some(name) = variable(text) {
        return Some(not_filled_in(name, origin));
    }
    if is_secret { examine_secret(text) } else { None }
}

/// The name in `${NAME}`, `$NAME`, `%NAME%` or `{{ NAME }}`, if it is all of the text.
pub(super) fn variable(text: &str) -> Option<&str> {
    let text = text.trim();
    let braced = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let double = || text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).map(str::trim);
    let percent = || text.strip_prefix('%').and_then(|rest| rest.strip_suffix('%'));
    let name = braced.or_else(double).or_else(percent);
    let is_name = |name: &&str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
        !name.is_empty() && name.bytes().all(is_part)
    };
    let is_upper = |name: &&str| {
        let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        name.len() > 1 && name.bytes().all(is_part) && name.as_bytes()[0].is_ascii_uppercase()
    };
    name.filter(is_name).or_else(|| text.strip_prefix('$').filter(is_upper))
}

fn not_filled_in(name: &str, origin: Origin) -> Finding {
    let name = name.rsplit('.').next().unwrap_or(name);
    match origin {
        Origin::Literal => {
            let message = format!("the text is the placeholder of a variable, {name}, and nothing fills it in");
            Finding::Wrong(message, format!("write {{ env = \"{name}\" }}"))
        }
        Origin::Elsewhere => {
            let message = format!("it leads to the placeholder of a variable, {name}, which nothing has filled in");
            Finding::Suspicious(message, "set it to the value itself".to_owned())
        }
    }
}

fn examine_secret(text: &str) -> Option<Finding> {
    let suspicion = |message: &str, help: &str| Some(Finding::Suspicious(message.to_owned(), help.to_owned()));
    let is_document = text.trim_start().starts_with(['{', '[']) || text.contains("-----BEGIN ");
    if is_example(text) {
        suspicion("this is the placeholder of an example", "write the secret that the service shows")
    } else if text.trim() != text {
        suspicion(
            "it begins or ends with a blank, which is sent as a part of it",
            "remove the blank, unless the service shows it so",
        )
    } else if !is_document && text.contains(char::is_control) {
        suspicion("a line end or another control character stands in it", "write the secret alone, on one line")
    } else {
        None
    }
}

fn is_example(text: &str) -> bool {
    let text = text.trim();
    let is_in_brackets =
        (text.starts_with('<') && text.ends_with('>')) || (text.starts_with('[') && text.ends_with(']'));
    let plain: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let is_filler = |c: char| matches!(c, 'x' | 'X' | '*' | '.' | '…' | '?' | '-');
    let is_filled = !text.is_empty() && text.chars().all(is_filler);
    let is_yours = plain.starts_with("your") && (plain.ends_with("here") || text.contains(['-', '_', ' ']));
    (is_in_brackets && text.len() > 2 && !text.contains(['"', '{']))
        || is_filled
        || is_yours
        || EXAMPLES.contains(&&*plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_means_as_a_secret_is_found() {
        let sort = |text: &str| match examine(text, Origin::Literal, true) {
            Some(Finding::Wrong(..)) => "mistake",
            Some(Finding::Suspicious(..)) => "suspicion",
            None => "good",
        };
        for text in ["${SECRET}", "$SLACK_SECRET", "%SECRET%", "{{ SECRET }}", "{{ .Values.secret }}", "a\0b"] {
            assert_eq!(sort(text), "mistake", "{text}");
        }
        for text in [
            "<your-secret>",
            "changeme",
            "CHANGE-ME",
            "your-client-secret",
            "YOUR_SECRET_HERE",
            "xxxxxxxx",
            "…",
            "TODO",
            " s ",
            "abc\n\ndef",
            "# a comment\nabc",
            "\tabc",
        ] {
            assert_eq!(sort(text), "suspicion", "{text}");
        }
        for text in [
            "",
            "hush",
            "secret",
            "s3cret",
            "$x",
            "$aB3",
            "p$ssw0rd",
            "${half",
            "{\"type\": \"service_account\"}",
            "yourstruly9",
            "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----",
            "xoxb-1-2",
            "a b",
        ] {
            assert_eq!(sort(text), "good", "{text}");
        }
    }

    #[test]
    fn other_texts_may_be_what_they_like_but_for_variables_and_nuls() {
        for (text, is_good) in
            [("changeme", true), (" s ", true), ("${HOST}", false), ("a\0", false), ("{subdomain}", true)]
        {
            assert_eq!(examine(text, Origin::Literal, false).is_none(), is_good, "{text}");
        }
        let help = match examine("${SLACK_SECRET}", Origin::Literal, true) {
            Some(Finding::Wrong(_, help)) => help,
            other => panic!("{other:?}"),
        };
        assert_eq!(help, "write { env = \"SLACK_SECRET\" }");
    }
}
