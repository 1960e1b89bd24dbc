//! `jackfield org settings`: what an organization shows where other products embed its pages.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use super::lines::{line, plain_json, word_or_none};
use jackfield_services::{
    Store,
    accounts::{AccountsError, Administrator},
    organization_settings::{MOST_BYTES, OrganizationSettings, OrganizationSettingsService, SettingsChange},
};

#[derive(Args)]
pub(super) struct OrgSettings {
    /// Its slug.
    slug: String,
    /// The name that its customers see; empty: the organization's own.
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// The color of buttons, like `#1d5c47`; empty: the host's own.
    #[arg(long, value_name = "COLOR")]
    accent_color: Option<String>,
    /// An origin that may embed its pages, like https://app.example. Can be repeated.
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// An origin that may not any more. Can be repeated.
    #[arg(long, value_name = "ORIGIN")]
    remove_origin: Vec<String>,
    /// What the same account is that is connected for two subjects: one integration, which belongs
    /// to the last, or two.
    #[arg(long, value_name = "one|two")]
    same_account: Option<String>,
    /// A PNG or SVG of at most 64 KiB.
    #[arg(long, value_name = "FILE", conflicts_with = "remove_logo")]
    logo: Option<PathBuf>,
    /// Remove the logo.
    #[arg(long)]
    remove_logo: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Changes what is named, and prints all settings.
pub(super) async fn run(asked: OrgSettings, store: Store) -> anyhow::Result<()> {
    let settings = OrganizationSettingsService::new(store);
    let slug = asked.slug.clone();
    let Some(organization) = settings.organization(&slug).await? else {
        return Err(AccountsError::NoOrganization(slug).into());
    };
    let is_json = asked.json;
    let found = match asked.change()? {
        None => settings.get(organization).await?,
        Some(change) => settings.change(organization, change, &Administrator::Operator).await?,
    };
    if is_json {
        line!("{}", plain_json(&json(&found).to_string()));
    } else {
        print(&found);
    }
    Ok(())
}

impl OrgSettings {
    /// What is to be changed; `None`: nothing.
    fn change(self) -> anyhow::Result<Option<SettingsChange>> {
        let is_asked = self.display_name.is_some()
            || self.accent_color.is_some()
            || self.same_account.is_some()
            || self.logo.is_some()
            || self.remove_logo
            || !self.allow_origin.is_empty()
            || !self.remove_origin.is_empty();
        if !is_asked {
            return Ok(None);
        }
        let logo = self.logo.map(|file| read(&file)).transpose()?;
        Ok(Some(SettingsChange {
            display_name: self.display_name.map(Some),
            accent_color: self.accent_color.map(Some),
            allowed_origins: None,
            added_origins: self.allow_origin,
            removed_origins: self.remove_origin,
            same_account: self.same_account,
            logo: logo.map(Some).or(self.remove_logo.then_some(None)),
        }))
    }
}

fn read(file: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    let length = std::fs::metadata(file).with_context(|| format!("{} cannot be read", file.display()))?.len();
    if length > MOST_BYTES as u64 {
        bail!("{} has {length} bytes\n  help: a logo has at most {MOST_BYTES}", file.display());
    }
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn print(settings: &OrganizationSettings) {
    line!("display name     {}", word_or_none(settings.display_name.as_deref()));
    line!("accent color     {}", word_or_none(settings.accent_color.as_deref()));
    line!("logo             {}", word_or_none(settings.logo_version.as_deref()));
    line!("same account     {}", settings.same_account.as_str());
    for origin in &settings.allowed_origins {
        line!("allowed origin   {origin}");
    }
}

fn json(settings: &OrganizationSettings) -> serde_json::Value {
    serde_json::json!({
        "displayName": settings.display_name,
        "accentColor": settings.accent_color,
        "logoVersion": settings.logo_version,
        "allowedOrigins": settings.allowed_origins,
        "sameAccount": settings.same_account.as_str(),
    })
}
