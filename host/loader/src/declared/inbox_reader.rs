//! Reads and checks the keys of a declaration that say how the service signs its calls.

use jackfield_plugin_abi::envelope::{
    AccountPlace, Inbox, SecretEncoding, SignatureAlgorithm, SignatureEncoding, State,
};
use serde_json::Value;

use super::{declaration_reader::Reader, option_table::Table};
use crate::inbound::InboxRules;

/// The option that has the secret, unless the declaration names another.
const SIGNING_SECRET: &str = "signing-secret";

const PLACE_HELP: &str = "write like \"body:team.id\", or { at = \"body:team.id\", if = \"body:is_team\" }, or a list";

impl Reader<'_> {
    /// How the service signs its calls, if it is declared.
    pub(super) fn inbox(&mut self, options: &State) -> Option<Inbox> {
        let mut table = self.table.table("inbox")?;
        let signed_with = table.text("signed-with").unwrap_or_else(|| SIGNING_SECRET.to_owned());
        let mut inbox = signing(&mut table);
        inbox.delivery_id = table.text("delivery-id").unwrap_or_default();
        inbox.accounts = accounts(&mut table);
        inbox.challenges = table.text_or_texts("challenge").unwrap_or_default();
        inbox.headers = table.texts("headers").unwrap_or_default();
        table.finish();
        for account in &mut inbox.accounts {
            account.expected = account.expected.take().map(|expected| self.filled("inbox.account", &expected));
        }
        inbox.secret = self.secret(&signed_with, options).into();
        if let Err(mistakes) = InboxRules::read(&inbox) {
            for mistake in mistakes {
                self.table.note(&format!("inbox.{}", mistake.key), mistake.message, mistake.help);
            }
        }
        Some(inbox)
    }

    /// The secret in an option of that name. The client's secret is known already.
    fn secret(&mut self, option: &str, options: &State) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match option {
            SIGNING_SECRET => self.table.text(SIGNING_SECRET).unwrap_or_default(),
            "client-secret" => options.get(option).map(text).unwrap_or_default(),
            _ => {
                let help = "write \"signing-secret\" or \"client-secret\"";
                self.table.note("inbox.signed-with", "not an option that holds a secret", help);
                String::new()
            }
        }
    }
}

fn signing(table: &mut Table<'_>) -> Inbox {
    let algorithms = [
        ("hmac-sha256", SignatureAlgorithm::HmacSha256),
        ("hmac-sha1", SignatureAlgorithm::HmacSha1),
        ("hmac-sha512", SignatureAlgorithm::HmacSha512),
        ("token", SignatureAlgorithm::Token),
    ];
    let encodings = [("hex", SignatureEncoding::Hex), ("base64", SignatureEncoding::Base64)];
    let decodings = [("text", SecretEncoding::Text), ("base64", SecretEncoding::Base64)];
    let mut inbox = Inbox::hmac_sha256(table.text("header").unwrap_or_default(), "");
    inbox.prefix = table.text("prefix").unwrap_or_default();
    inbox.algorithm = table.choice("algorithm", &algorithms).unwrap_or_default();
    inbox.encoding = table.choice("encoding", &encodings).unwrap_or_default();
    inbox.template = table.text("template").unwrap_or_default();
    inbox.timestamp = table.text("timestamp").unwrap_or_default();
    inbox.tolerance = tolerance(table).unwrap_or(Inbox::TOLERANCE);
    // A name with `secret` or `key` in it would hide the word wherever it stands in the log.
    inbox.secret_encoding = table.choice("decode", &decodings).unwrap_or_default();
    inbox
}

/// Longest time that a call may be under way, in seconds: a day.
const LONGEST_TOLERANCE: u64 = 86_400;

fn tolerance(table: &mut Table<'_>) -> Option<u64> {
    let value = table.take("tolerance")?;
    let seconds = value.as_u64().filter(|seconds| (1..=LONGEST_TOLERANCE).contains(seconds));
    if seconds.is_none() {
        let help = format!("write a number of seconds from 1 to {LONGEST_TOLERANCE}");
        table.note("tolerance", "not a number of seconds", help);
    }
    seconds
}

/// One place, or several in the order of preference.
fn accounts(table: &mut Table<'_>) -> Vec<AccountPlace> {
    let Some(value) = table.take("account") else { return Vec::new() };
    let places: Option<Vec<AccountPlace>> = match value {
        Value::Array(list) => list.iter().map(account).collect(),
        other => account(other).map(|place| vec![place]),
    };
    if places.is_none() {
        table.note("account", "not a place of the account", PLACE_HELP);
    }
    places.unwrap_or_default()
}

fn account(value: &Value) -> Option<AccountPlace> {
    let mut place = AccountPlace::default();
    match value {
        Value::String(at) => place.at.clone_from(at),
        Value::Object(table) if table.keys().all(|key| matches!(&**key, "at" | "if" | "is")) => {
            place.at = table.get("at")?.as_str()?.to_owned();
            place.condition = table.get("if").map_or(Some(""), Value::as_str)?.to_owned();
            place.expected = table.get("is").map(|is| is.as_str().map(str::to_owned).ok_or(())).transpose().ok()?;
        }
        _ => return None,
    }
    Some(place)
}
