//! A change of settings: what is asked for, checked, and what comes of it.

use super::{
    accent_color::checked_color,
    clean_logo::clean_logo,
    origins::{MOST_ORIGINS, checked_origin},
    settings_error::{Field, InvalidField},
};
use jackfield_config::text::is_plain;
use jackfield_store::organization_settings::{Logo, OrganizationSettings, SameAccount};

/// Most characters of a display name.
const LONGEST_NAME: usize = 100;

/// What is to be changed. What is `None` stays; what is `Some(None)`, or empty, is removed.
#[derive(Clone, Debug, Default)]
pub struct SettingsChange {
    /// The name on embedded pages.
    pub display_name: Option<Option<String>>,
    /// The color of buttons, `#rrggbb` or `#rgb`.
    pub accent_color: Option<Option<String>>,
    /// All origins that may embed pages.
    pub allowed_origins: Option<Vec<String>>,
    /// Origins to add to those that there are then.
    pub added_origins: Vec<String>,
    /// Origins to remove from them.
    pub removed_origins: Vec<String>,
    /// `one` or `two`.
    pub same_account: Option<String>,
    /// The bytes of a PNG or SVG.
    pub logo: Option<Option<Vec<u8>>>,
}

/// A change that can be made.
pub(super) struct CheckedChange {
    display_name: Option<Option<String>>,
    accent_color: Option<Option<String>>,
    allowed_origins: Option<Vec<String>>,
    added_origins: Vec<String>,
    removed_origins: Vec<String>,
    same_account: Option<SameAccount>,
    pub(super) logo: Option<Option<Logo>>,
}

impl SettingsChange {
    /// The change, if all of it is valid.
    pub(super) fn checked(self) -> Result<CheckedChange, Vec<InvalidField>> {
        let mut invalid = Vec::new();
        let checked = CheckedChange {
            display_name: self.display_name.map(|name| optional(name, &mut invalid, display_name)),
            accent_color: self.accent_color.map(|color| optional(color, &mut invalid, accent_color)),
            allowed_origins: self.allowed_origins.map(|all| origins(all, &mut invalid)),
            added_origins: origins(self.added_origins, &mut invalid),
            removed_origins: self.removed_origins,
            same_account: self.same_account.and_then(|word| kept(same_account(&word), &mut invalid)),
            logo: self.logo.map(|bytes| bytes.and_then(|bytes| kept(logo(&bytes), &mut invalid))),
        };
        if invalid.is_empty() { Ok(checked) } else { Err(invalid) }
    }
}

impl CheckedChange {
    /// The settings with the change, without the logo.
    pub(super) fn over(&self, before: &OrganizationSettings) -> Result<OrganizationSettings, InvalidField> {
        let mut origins = self.allowed_origins.clone().unwrap_or_else(|| before.allowed_origins.clone());
        origins.extend(self.added_origins.iter().filter(|added| !before.allowed_origins.contains(added)).cloned());
        origins.retain(|origin| !self.removed_origins.contains(origin));
        if origins.len() > MOST_ORIGINS {
            let message = format!("There are more than {MOST_ORIGINS} origins.");
            return Err(InvalidField::new(Field::AllowedOrigins, message));
        }
        Ok(OrganizationSettings {
            display_name: self.display_name.clone().unwrap_or_else(|| before.display_name.clone()),
            accent_color: self.accent_color.clone().unwrap_or_else(|| before.accent_color.clone()),
            allowed_origins: origins,
            same_account: self.same_account.unwrap_or(before.same_account),
            logo_version: match &self.logo {
                Some(logo) => logo.as_ref().map(|logo| logo.version.clone()),
                None => before.logo_version.clone(),
            },
        })
    }
}

/// Names of the settings that differ.
pub(super) fn changed(before: &OrganizationSettings, after: &OrganizationSettings) -> Vec<&'static str> {
    let all = [
        (Field::DisplayName, before.display_name != after.display_name),
        (Field::AccentColor, before.accent_color != after.accent_color),
        (Field::AllowedOrigins, before.allowed_origins != after.allowed_origins),
        (Field::SameAccount, before.same_account != after.same_account),
        (Field::Logo, before.logo_version != after.logo_version),
    ];
    all.into_iter().filter(|(_, is_other)| *is_other).map(|(field, _)| field.as_str()).collect()
}

fn kept<T>(checked: Result<T, InvalidField>, invalid: &mut Vec<InvalidField>) -> Option<T> {
    checked.map_err(|field| invalid.push(field)).ok()
}

/// A text that can be removed by an empty one.
fn optional(
    text: Option<String>,
    invalid: &mut Vec<InvalidField>,
    check: fn(&str) -> Result<String, InvalidField>,
) -> Option<String> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())?;
    kept(check(&text), invalid)
}

fn display_name(name: &str) -> Result<String, InvalidField> {
    if name.chars().count() > LONGEST_NAME || !is_plain(name) {
        let message = format!("A name has at most {LONGEST_NAME} characters, and none that cannot be printed.");
        return Err(InvalidField::new(Field::DisplayName, message));
    }
    Ok(name.to_owned())
}

fn accent_color(color: &str) -> Result<String, InvalidField> {
    let message = "Write a color like #1d5c47: a # and six hexadecimal digits.";
    checked_color(color).ok_or_else(|| InvalidField::new(Field::AccentColor, message))
}

fn same_account(word: &str) -> Result<SameAccount, InvalidField> {
    match word {
        "one" => Ok(SameAccount::One),
        "two" => Ok(SameAccount::Two),
        _ => Err(InvalidField::new(Field::SameAccount, "It is `one` or `two`.")),
    }
}

fn logo(bytes: &[u8]) -> Result<Logo, InvalidField> {
    clean_logo(bytes).map_err(|message| InvalidField::new(Field::Logo, message))
}

/// Each once, in the order in which they were written.
fn origins(all: Vec<String>, invalid: &mut Vec<InvalidField>) -> Vec<String> {
    let mut checked = Vec::new();
    for text in all {
        let origin = checked_origin(&text).map_err(|message| InvalidField::new(Field::AllowedOrigins, message));
        if let Some(origin) = kept(origin, invalid).filter(|origin| !checked.contains(origin)) {
            checked.push(origin);
        }
    }
    checked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Option<Option<String>> {
        Some(Some(text.to_owned()))
    }

    #[test]
    fn all_invalid_are_reported_at_once_with_their_fields() {
        let change = SettingsChange {
            display_name: some(&"x".repeat(101)),
            accent_color: some("green"),
            allowed_origins: Some(vec!["https://a.example/".into(), "https://b.example".into(), "c".into()]),
            same_account: Some("three".into()),
            logo: Some(Some(b"no".to_vec())),
            ..SettingsChange::default()
        };
        let fields: Vec<&str> =
            change.checked().err().unwrap_or_default().iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["displayName", "accentColor", "allowedOrigins", "allowedOrigins", "sameAccount", "logo"]);
    }

    #[test]
    fn what_is_not_named_stays_and_what_is_empty_is_removed() {
        let before = OrganizationSettings {
            display_name: Some("Acme".into()),
            accent_color: Some("#000000".into()),
            allowed_origins: vec!["https://a.example".into(), "https://b.example".into()],
            same_account: SameAccount::Two,
            logo_version: Some("v".into()),
        };
        let after = |change: SettingsChange| {
            let checked = change.checked().unwrap_or_else(|wrong| panic!("{wrong:?}"));
            checked.over(&before).expect("settings")
        };
        assert_eq!(after(SettingsChange::default()), before);
        let emptied = after(SettingsChange {
            display_name: some("  "),
            accent_color: Some(None),
            added_origins: vec!["https://c.example".into(), "https://a.example".into()],
            removed_origins: vec!["https://b.example".into()],
            logo: Some(None),
            ..SettingsChange::default()
        });
        assert_eq!((&emptied.display_name, &emptied.accent_color, &emptied.logo_version), (&None, &None, &None));
        assert_eq!(emptied.allowed_origins, ["https://a.example", "https://c.example"]);
        assert_eq!(changed(&before, &emptied), ["displayName", "accentColor", "allowedOrigins", "logo"]);
        let many = (0..=MOST_ORIGINS).map(|number| format!("https://a{number}.example")).collect();
        let change = SettingsChange { allowed_origins: Some(many), ..SettingsChange::default() };
        assert!(change.checked().is_ok_and(|checked| checked.over(&before).is_err()));
    }
}
