//! The accent color of an organization's buttons, and the color of the text on them.

/// Least contrast between a text and its ground (WCAG 2.2, success criterion 1.4.3).
const LEAST_CONTRAST: f64 = 4.5;

const WHITE: &str = "#ffffff";
const BLACK: &str = "#000000";

/// A color as it is stored, `#rrggbb` in lower case; `None` if the text is no such color, or if
/// neither white nor black text can be read on it.
pub(super) fn checked_color(text: &str) -> Option<String> {
    let digits = text.trim().strip_prefix('#')?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = match digits.len() {
        6 if is_hex => digits.to_ascii_lowercase(),
        3 if is_hex => digits.to_ascii_lowercase().chars().flat_map(|digit| [digit, digit]).collect(),
        _ => return None,
    };
    let color = format!("#{digits}");
    on_accent(&color).map(|_| color)
}

/// The color of the text on an accent color: white or black, whichever has more contrast. `None` if
/// the color is not `#rrggbb`.
#[must_use]
pub fn on_accent(color: &str) -> Option<&'static str> {
    let luminance = luminance(color)?;
    let (on_white, on_black) = (1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05);
    let (text, contrast) = if on_white >= on_black { (WHITE, on_white) } else { (BLACK, on_black) };
    (contrast >= LEAST_CONTRAST).then_some(text)
}

/// Relative luminance (WCAG 2.2).
fn luminance(color: &str) -> Option<f64> {
    let value = u32::from_str_radix(color.strip_prefix('#').filter(|digits| digits.len() == 6)?, 16).ok()?;
    let part = |shift: u32| {
        let part = f64::from((value >> shift) & 0xff) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    Some(0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_color_is_six_or_three_digits() {
        for (text, expected) in [
            ("#0050b3", Some("#0050b3")),
            (" #FFF ", Some("#ffffff")),
            ("0050b3", None),
            ("#0050b", None),
            ("#0050bg", None),
            ("#+050b3", None),
            ("red", None),
            ("#fff;background:url(x)", None),
            ("#ünix", None),
        ] {
            assert_eq!(checked_color(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn white_or_black_text_can_be_read_on_every_color() {
        for (color, text) in [("#0050b3", WHITE), ("#ffd400", BLACK), ("#757575", WHITE), ("#ff0000", BLACK)] {
            assert_eq!(on_accent(color), Some(text), "{color}");
        }
        for value in (0..=0xff_ffff).step_by(257) {
            assert!(on_accent(&format!("#{value:06x}")).is_some(), "{value:06x}");
        }
    }
}
