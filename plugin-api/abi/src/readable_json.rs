//! JSON as services send it, made into JSON that a strict reader takes without losing anything.
//!
//! Services put a byte order mark before it, write half of a surrogate pair, use another encoding
//! than UTF-8, or have ids with more digits than a number in memory holds. A strict reader refuses
//! the whole text for the first three, and rounds the fourth: two accounts become one.

use std::borrow::Cow;

use serde_json::Number;

/// Most digits of a whole number that is written out. A longer one keeps its exponent.
const MOST_DIGITS: i64 = 300;

/// JSON in UTF-8, without a byte order mark, that a strict reader takes. `content_type` is that of
/// the message, if it has one.
///
/// - A byte order mark goes. UTF-16 is read by its mark, by its first bytes (RFC 4627 section 3) or
///   by a declared `charset`; Latin-1 by its `charset` only.
/// - A half of a surrogate pair, or a byte that is no UTF-8, becomes U+FFFD. No host takes an id
///   that holds one, because another id may have become the same.
/// - A whole number that no number in memory holds exactly becomes text with all of its digits. A
///   fraction is read as the nearest there is.
///
/// What a strict reader takes already comes back as it was.
///
/// ```
/// use jackfield_plugin_abi::readable_json;
///
/// let sent = b"\xef\xbb\xbf{\"id\": 12345678901234567890123}";
/// assert_eq!(&*readable_json(sent, None), br#"{"id": "12345678901234567890123"}"#);
/// ```
#[must_use]
pub fn readable_json<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Cow<'a, [u8]> {
    match in_utf8(bytes, content_type) {
        Cow::Borrowed(text) => repaired(text).map_or(Cow::Borrowed(text.as_bytes()), Cow::Owned),
        Cow::Owned(text) => Cow::Owned(repaired(&text).unwrap_or_else(|| text.into_bytes())),
    }
}

/// A number as the text of an id: `1`, `1.0` and `1e0` are the same number, and have one text.
#[must_use]
pub fn number_text(number: &Number) -> String {
    let whole = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0);
    match whole {
        Some(0.0) => "0".to_owned(),
        // All digits, unlike the exponent of JSON.
        Some(float) => float.to_string(),
        None => number.to_string(),
    }
}

fn in_utf8<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Cow<'a, str> {
    let charset = content_type.and_then(charset).unwrap_or_default();
    match bytes {
        [0xef, 0xbb, 0xbf, text @ ..] => String::from_utf8_lossy(text),
        [0xff, 0xfe, text @ ..] => utf16(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => utf16(text, u16::from_be_bytes),
        [1..=0xff, 0, ..] => utf16(bytes, u16::from_le_bytes),
        [0, 1..=0xff, ..] => utf16(bytes, u16::from_be_bytes),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) if is_latin1(&charset) => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
            Err(_) => String::from_utf8_lossy(bytes),
        },
    }
}

/// The parameter `charset` of a content type, in lower case.
fn charset(content_type: &str) -> Option<String> {
    let parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, value) = parameters.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(value.trim().trim_matches('"').to_ascii_lowercase())
}

fn is_latin1(charset: &str) -> bool {
    matches!(charset, "iso-8859-1" | "latin1" | "iso8859-1" | "windows-1252" | "cp1252")
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Cow<'static, str> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    Cow::Owned(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

/// The text with its halves of surrogate pairs and its large numbers replaced; `None` if it has
/// neither.
fn repaired(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut repaired = None;
    let (mut at, mut is_text) = (0, false);
    while at < bytes.len() {
        let (length, by) = match bytes[at] {
            b'"' => {
                is_text = !is_text;
                (1, None)
            }
            b'\\' if is_text => escape(&bytes[at..]),
            b'-' | b'0'..=b'9' if !is_text => number(&text[at..]),
            _ => (1, None),
        };
        let read = &bytes[at..at + length];
        match (&mut repaired, by) {
            (None, None) => {}
            (None, Some(by)) => repaired = Some([&bytes[..at], by.as_bytes()].concat()),
            (Some(repaired), by) => repaired.extend_from_slice(by.as_deref().map_or(read, str::as_bytes)),
        }
        at += length;
    }
    repaired
}

/// How long an escape of a text is, and what takes its place.
fn escape(bytes: &[u8]) -> (usize, Option<Cow<'static, str>>) {
    match unit(bytes) {
        Some(0xd800..=0xdbff) if matches!(unit(&bytes[6..]), Some(0xdc00..=0xdfff)) => (12, None),
        Some(0xd800..=0xdfff) => (6, Some("\\ufffd".into())),
        Some(_) => (6, None),
        None => (bytes.len().min(2), None),
    }
}

/// The unit of UTF-16 in an escape such as `\ud83d`.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | u16::try_from(char::from(*digit).to_digit(16)?).ok()?))
}

/// How long a number is, and what takes its place.
fn number(text: &str) -> (usize, Option<Cow<'static, str>>) {
    let is_part = |c: char| matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9');
    let literal = &text[..text.find(|c| !is_part(c)).unwrap_or(text.len())];
    // Nineteen digits and more may be too many.
    let is_short = literal.len() <= 18 && literal.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let by = if is_short { None } else { Decimal::parse(literal).and_then(|value| value.instead_of(literal)) };
    (literal.len(), by.map(Cow::Owned))
}

/// The exact value of a number: digits without zeros at either end, and a power of ten.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads what JSON takes for a number (RFC 8259 section 6).
    fn parse(literal: &str) -> Option<Self> {
        let (is_negative, rest) = literal.strip_prefix('-').map_or((false, literal), |rest| (true, rest));
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(whole, part)| (whole, Some(part)));
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_number =
            are_digits(whole) && fraction.is_none_or(are_digits) && (whole == "0" || !whole.starts_with('0'));
        let fraction = fraction.unwrap_or_default();
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_end_matches('0');
        let exponent = exponent - length(fraction) + length(&digits) - length(significant);
        let digits = significant.trim_start_matches('0').to_owned();
        let is_zero = digits.is_empty();
        let value = Self { is_negative: is_negative && !is_zero, digits, exponent: if is_zero { 0 } else { exponent } };
        is_number.then_some(value)
    }

    /// What is read instead of a literal of this value, unless a strict reader keeps its value.
    fn instead_of(&self, literal: &str) -> Option<String> {
        let float: f64 = literal.parse().ok()?;
        let is_fraction = self.exponent < 0;
        let is_integer = literal.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let is_kept = float.is_finite() && (is_fraction || Self::parse(&float.to_string()).as_ref() == Some(self));
        let has_64_bits =
            self.written_out().is_some_and(|text| text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok());
        match has_64_bits {
            true if is_integer || is_kept => None,
            true => self.written_out(),
            false if is_kept => None,
            false => Some(format!("\"{}\"", self.text())),
        }
    }

    fn text(&self) -> String {
        let sign = if self.is_negative { "-" } else { "" };
        self.written_out().unwrap_or_else(|| format!("{sign}{}e{}", self.digits, self.exponent))
    }

    /// A whole number with all its digits, unless there are too many.
    fn written_out(&self) -> Option<String> {
        if self.digits.is_empty() {
            return Some("0".to_owned());
        }
        let zeros = usize::try_from(self.exponent).ok().filter(|_| self.exponent <= MOST_DIGITS)?;
        let sign = if self.is_negative { "-" } else { "" };
        Some(format!("{sign}{}{}", self.digits, "0".repeat(zeros)))
    }
}

/// An exponent. One of more digits than any number has is as good as its first ones.
fn exponent_of(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let exponent = digits.trim_start_matches('0');
    let exponent: i64 = if exponent.len() > 12 { i64::from(u32::MAX) } else { exponent.parse().unwrap_or(0) };
    Some(if is_negative { -exponent } else { exponent })
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn read(json: &str) -> String {
        String::from_utf8(readable_json(json.as_bytes(), None).into_owned()).expect("it is UTF-8")
    }

    #[test]
    fn what_a_strict_reader_takes_comes_back_as_it_was() {
        for json in [
            "",
            "{}",
            r#"{"id": 7, "big": 18446744073709551615, "low": -9223372036854775808, "pi": 3.14, "e": 1e3, "zero": -0}"#,
            r#"{"text": "12345678901234567890123 \\ud83d \" \n", "emoji": "\ud83d\ude00"}"#,
            r#"{"float": 0.1000000000000000055511151231257827, "whole": 1.0, "power": 1e30}"#,
            "not JSON: 12 é",
            r#"{"cut": "\u12"#,
            r#"{"cut": "\"#,
        ] {
            assert!(matches!(readable_json(json.as_bytes(), None), Cow::Borrowed(_)), "{json}");
            assert_eq!(read(json), json);
        }
    }

    #[test]
    fn a_byte_order_mark_goes_and_other_encodings_are_read() {
        let wanted = r#"{"name":"é"}"#;
        let utf16 = |unit: fn(u16) -> [u8; 2]| wanted.encode_utf16().flat_map(unit).collect::<Vec<_>>();
        let (little, big) = (utf16(u16::to_le_bytes), utf16(u16::to_be_bytes));
        let latin1 = b"{\"name\":\"\xe9\"}".to_vec();
        for (bytes, content_type) in [
            ([b"\xef\xbb\xbf", wanted.as_bytes()].concat(), None),
            ([b"\xff\xfe", &*little].concat(), None),
            ([b"\xfe\xff", &*big].concat(), None),
            (little, Some("application/json; charset=utf-16le")),
            (big, None),
            (latin1, Some("text/plain; Charset=\"ISO-8859-1\"")),
        ] {
            assert_eq!(&*readable_json(&bytes, content_type), wanted.as_bytes(), "{content_type:?}");
        }
        assert_eq!(&*readable_json(b"\"\xe9\"", None), "\"\u{fffd}\"".as_bytes());
    }

    #[test]
    fn half_of_a_surrogate_pair_does_not_cost_the_rest() {
        for (json, text) in [
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ude00""#, "\u{fffd}"),
            (r#""a\ud83dz""#, "a\u{fffd}z"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\uD83D\n""#, "\u{fffd}\n"),
            (r#""\\ud83d \ude00""#, "\\ud83d \u{fffd}"),
        ] {
            assert!(serde_json::from_str::<Value>(json).is_err(), "a strict reader refuses {json}");
            assert_eq!(serde_json::from_str::<Value>(&read(json)).expect(json), text, "{json}");
        }
    }

    #[test]
    fn a_whole_number_keeps_its_digits_or_becomes_text() {
        for (json, kept) in [
            ("18446744073709551616", "\"18446744073709551616\""),
            ("12345678901234567890123", "\"12345678901234567890123\""),
            ("-12345678901234567890123", "\"-12345678901234567890123\""),
            ("[12345678901234567890123,1]", "[\"12345678901234567890123\",1]"),
            ("12345678901234567890123.0", "\"12345678901234567890123\""),
            ("1.2345678901234567890123e22", "\"12345678901234567890123\""),
            ("9007199254740993.0", "9007199254740993"),
            ("1.8446744073709551615E19", "18446744073709551615"),
            ("1e400", "\"1e400\""),
            ("-12.5e400", "\"-125e399\""),
            ("1e99999999999999999999", "\"1e4294967295\""),
        ] {
            assert_eq!(read(json), kept);
        }
    }

    #[test]
    fn numbers_of_different_value_never_become_one_id_and_equal_ones_do() {
        let id = |json: &str| match serde_json::from_str(&read(json)).expect("JSON") {
            Value::Number(number) => number_text(&number),
            Value::String(text) => text,
            other => panic!("{other}"),
        };
        let different = [
            "9007199254740992",
            "9007199254740993",
            "9007199254740993.5",
            "18446744073709551615",
            "18446744073709551616",
            "18446744073709551617",
            "1e30",
            "1000000000000000000000000000001",
            "1000000000000000019884624838656",
            "1e400",
            "1e401",
            "0",
            "-1",
            "1.5",
        ];
        let ids: std::collections::BTreeSet<String> = different.map(id).into();
        assert_eq!(ids.len(), different.len(), "{ids:?}");
        for same in [
            &["1", "1.0", "1e0", "10e-1", "1.000"][..],
            &["0", "-0", "0.0", "-0.0", "0e9"],
            &["1e30", "1000000000000000000000000000000", "1E+30", "1000000000000000000000000000000.0"],
            &["9007199254740993", "9007199254740993.0", "9.007199254740993e15"],
        ] {
            let ids: Vec<String> = same.iter().copied().map(id).collect();
            assert!(ids.iter().all(|found| *found == ids[0]), "{ids:?}");
        }
    }
}
