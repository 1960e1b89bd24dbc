//! Reads and checks a declaration: the operator's table over the catalogue's entry.

use jackfield_oauth2::jose::SigningKey;
use jackfield_plugin_abi::envelope::{ClientAuthentication, OAuth2, OptionDiagnostic, Pairs, State, TokenRequest};
use url::Url;

use super::{
    catalogue::{nearest_entry, over_catalogue},
    declaration::{ACCESS_TOKEN, Account, AccountRequest, AccountSource, Declaration, IdentityPath},
    option_table::{Diagnostics, Table},
    placeholder,
};
use crate::json_path::JsonPath;

/// The keys that every provider has. Others fill placeholders.
const KEYS: [&str; 32] = [
    "name",
    "icon",
    "issuer",
    "authorize-url",
    "token-url",
    "revocation-url",
    "revokes-single-tokens",
    "scopes",
    "scope-separator",
    "client-id",
    "client-secret",
    "private-key",
    "key-id",
    "client-authentication",
    "token-request",
    "token-path",
    "token-owner",
    "refresh-tokens",
    "refresh-url",
    "refresh-parameters",
    "refresh-refused",
    "pkce",
    "authorize-parameters",
    "token-parameters",
    "account",
    "identity",
    "api-url",
    "api-location",
    "api-headers",
    "api-hosts",
    "inbox",
    "signing-secret",
];

/// Reads and checks a declaration. The error is all that is wrong with it.
pub(super) fn read_declaration(id: &str, options: &State) -> Result<Declaration, Vec<OptionDiagnostic>> {
    let table = over_catalogue(id, options);
    let diagnostics = Diagnostics::default();
    let mut reader = Reader { table: Table::new(&diagnostics, &table), options: &table, missing: Vec::new() };
    reader.check_complete(id);
    let declaration = reader.declaration(id);
    // The entry's own `tenant` is left over where the operator's URLs do without it.
    reader.table.finish_with(|key| options.contains_key(key));
    let diagnostics = diagnostics.into_list();
    if diagnostics.is_empty() { Ok(declaration) } else { Err(diagnostics) }
}

/// Whether a text is an SVG image. Comments and declarations may stand before it.
fn is_svg(text: &str) -> bool {
    let mut rest = text.trim_start();
    while let Some((_, after)) = ["<?", "<!--", "<!"]
        .iter()
        .zip(["?>", "-->", ">"])
        .find_map(|(start, end)| rest.strip_prefix(start).map(|inside| inside.split_once(end).unwrap_or((inside, ""))))
    {
        rest = after.trim_start();
    }
    rest.strip_prefix("<svg").is_some_and(|rest| rest.starts_with([' ', '>', '\n', '\t', '\r', '/']))
        || rest.starts_with("<svg:svg")
}

/// What reads one declaration, key by key.
pub(super) struct Reader<'a> {
    pub(super) table: Table<'a>,
    options: &'a State,
    missing: Vec<String>,
}

impl Reader<'_> {
    /// A provider that is not in the catalogue must have what an entry has.
    fn check_complete(&self, id: &str) {
        let wanted = ["authorize-url", "token-url", "account"];
        let wanted = if self.table.has("issuer") { &wanted[2..] } else { &wanted[..] };
        let absent: Vec<_> = wanted.iter().copied().filter(|key| !self.table.has(key)).collect();
        if !absent.is_empty() {
            let message = format!("not in the catalogue, and without {}", absent.join(", "));
            let help = match nearest_entry(id) {
                Some(near) => format!("did you mean [providers.{near}]?"),
                None => "add what is missing, or take a name that `jackfield provider list` shows".to_owned(),
            };
            self.table.note("", message, help);
        }
    }

    fn declaration(&mut self, id: &str) -> Declaration {
        self.table.text("name");
        let mut oauth2 = self.oauth2();
        let token_path = JsonPath::new(self.table.text("token-path").unwrap_or_default());
        oauth2.token_pointer = token_path.pointer();
        let owners = [("organization", false), ("account", true)];
        let is_of_account = self.table.choice("token-owner", &owners).unwrap_or_default();
        let account = self.account(&oauth2);
        oauth2.userinfo = matches!(account.source, AccountSource::Userinfo);
        let identity = self.identity(&oauth2);
        let (api, account_api_path) = self.api(&account);
        let api_hosts = self.api_hosts();
        let inbox = self.inbox(self.options);
        let mut missing: Vec<String> = oauth2.missing().into_iter().map(str::to_owned).collect();
        missing.append(&mut self.missing);
        Declaration {
            id: id.to_owned(),
            icon: self.icon(),
            oauth2,
            missing,
            token_path,
            is_of_account,
            account,
            api,
            account_api_path,
            api_hosts,
            identity,
            inbox,
        }
    }

    fn icon(&mut self) -> Option<String> {
        let icon = self.table.text("icon")?;
        if !is_svg(&icon) {
            let help = "write { file = \"PATH\" } of an SVG image, or its text, which begins with <svg";
            self.table.note("icon", "not an SVG image", help);
        }
        Some(icon)
    }

    fn oauth2(&mut self) -> OAuth2 {
        let mut oauth2 = OAuth2::new(self.url("authorize-url"), self.url("token-url"));
        oauth2.revocation_url = Some(self.url("revocation-url")).filter(|url| !url.is_empty());
        oauth2.issuer = self.issuer();
        oauth2.scopes = self.table.texts("scopes").unwrap_or_default();
        oauth2.scope_separator = self.table.text("scope-separator").unwrap_or(oauth2.scope_separator);
        oauth2.pkce = self.table.flag("pkce").unwrap_or(oauth2.pkce);
        self.client(&mut oauth2);
        let bodies = [("form", TokenRequest::Form), ("json", TokenRequest::Json)];
        oauth2.token_request = self.table.choice("token-request", &bodies).unwrap_or_default();
        oauth2.authorize_parameters = self.table.pairs("authorize-parameters");
        oauth2.token_parameters = self.table.pairs("token-parameters");
        self.refresh(&mut oauth2);
        oauth2
    }

    fn refresh(&mut self, oauth2: &mut OAuth2) {
        let uses = [("single-use", true), ("reusable", false)];
        oauth2.single_use_refresh_tokens = self.table.choice("refresh-tokens", &uses);
        oauth2.refresh_url = Some(self.url("refresh-url")).filter(|url| !url.is_empty());
        oauth2.refresh_parameters =
            self.table.has("refresh-parameters").then(|| self.table.pairs("refresh-parameters"));
        oauth2.refresh_refused = self.table.texts("refresh-refused").unwrap_or_default();
        if oauth2.refresh_refused.iter().any(|words| words.trim().is_empty()) {
            let help =
                "write the service's code or message, like \"BAD_TOKEN\" or \"invalid_request: token was invalid\"";
            self.table.note("refresh-refused", "an empty text fits no answer", help);
        }
    }

    /// RFC 8414 section 2: neither query nor fragment.
    fn issuer(&mut self) -> Option<String> {
        let issuer = Some(self.url("issuer")).filter(|issuer| !issuer.is_empty())?;
        if let Some((own, _)) = issuer.split_once("/.well-known/") {
            let help = format!("write the issuer alone: {own}");
            self.table.note("issuer", "the URL of the metadata, not the issuer", help);
        } else if issuer.contains(['?', '#']) {
            let help = "write it as the service's metadata have it, under `issuer`";
            self.table.note("issuer", "an issuer has neither query nor fragment", help);
        }
        Some(issuer)
    }

    fn client(&mut self, oauth2: &mut OAuth2) {
        oauth2.revokes_single_tokens = self.table.flag("revokes-single-tokens").unwrap_or_default();
        oauth2.client_id = self.table.text("client-id").unwrap_or_default();
        oauth2.client_secret = self.table.text("client-secret").unwrap_or_default().into();
        oauth2.private_key = self.private_key().unwrap_or_default().into();
        oauth2.key_id = self.table.text("key-id");
        let ways = [
            ("post", ClientAuthentication::Post),
            ("basic", ClientAuthentication::Basic),
            ("private-key-jwt", ClientAuthentication::PrivateKeyJwt),
        ];
        let default = match (&oauth2.issuer, oauth2.private_key.is_empty()) {
            (Some(_), _) => ClientAuthentication::Discovered,
            (None, false) => ClientAuthentication::PrivateKeyJwt,
            (None, true) => ClientAuthentication::Post,
        };
        let chosen = self.table.choice("client-authentication", &ways);
        if chosen.is_none() && !oauth2.private_key.is_empty() && !oauth2.client_secret.expose().is_empty() {
            let help = "remove the one that the service does not know, or say which it is by client-authentication";
            self.table.note("private-key", "beside a client-secret: the host can authenticate by one of them", help);
        }
        oauth2.client_authentication = chosen.unwrap_or(default);
    }

    fn private_key(&mut self) -> Option<String> {
        let pem = self.table.text("private-key").filter(|pem| !pem.is_empty())?;
        if let Err(wrong) = SigningKey::from_pem(&pem) {
            self.table.note(
                "private-key",
                wrong.to_string(),
                "set all of the key's file, like { file = \"acme.pem\" }",
            );
        }
        Some(pem)
    }

    fn account(&mut self, oauth2: &OAuth2) -> Account {
        let Some(mut table) = self.table.table("account") else {
            return Account { source: AccountSource::Token, id: JsonPath::new(""), names: Vec::new() };
        };
        let from = table.text("from").unwrap_or_else(|| "token".to_owned());
        let headers = table.pairs("headers");
        let body = table.text("body");
        let id = table.required_text("id", "write the path of the account's id in the answer, like `data.id`");
        let names = table.text_or_texts("name").unwrap_or_default().into_iter().map(JsonPath::new).collect();
        table.finish();
        let source = match from.as_str() {
            "token" => AccountSource::Token,
            "id-token" => {
                self.check_openid(oauth2);
                AccountSource::IdToken
            }
            "userinfo" => {
                self.check_openid(oauth2);
                AccountSource::Userinfo
            }
            from => self.account_request(from, headers, body).map_or(AccountSource::Token, AccountSource::Request),
        };
        Account { source, id: JsonPath::new(id), names }
    }

    /// Only an issuer says who logged in, and only with the scope `openid` (OpenID Connect Core 1.0
    /// section 3.1.2.1).
    fn check_openid(&self, oauth2: &OAuth2) {
        if oauth2.issuer.is_none() {
            self.table.note("account.from", "an issuer tells this, and none is set", "set `issuer` beside it");
        }
        if !oauth2.scopes.iter().any(|scope| scope == "openid") {
            let help = "add it: scopes = [\"openid\", …]";
            self.table.note("scopes", "without `openid`, which account.from needs", help);
        }
    }

    fn account_request(&mut self, from: &str, headers: Pairs, body: Option<String>) -> Option<AccountRequest> {
        let asked = from.split_once(' ').filter(|(method, _)| matches!(*method, "GET" | "POST"));
        let Some((method, url)) = asked else {
            let help = "write \"token\", \"id-token\", \"userinfo\", or a method and a URL like \"GET https://api.acme.example/me\"";
            self.table.note("account.from", "neither a known word nor a GET or POST of a URL", help);
            return None;
        };
        let url = self.filled("account.from", url);
        self.check_url("account.from", &url);
        let headers = headers.into_iter().map(|(name, value)| (name, self.filled("account.headers", &value))).collect();
        Some(AccountRequest { method: method.to_owned(), url, headers, body })
    }

    fn identity(&mut self, oauth2: &OAuth2) -> Option<IdentityPath> {
        let mut table = self.table.table("identity")?;
        let id = table.required_text("id", "write the path of the person's id in the answer, like `user.id`");
        let url = Some(oauth2.authorize_url.as_str()).filter(|url| !url.is_empty()).or(oauth2.issuer.as_deref());
        let host = url.and_then(|url| Url::parse(url).ok()).and_then(|url| url.host_str().map(str::to_owned));
        let instance = table.text("instance").or(host).unwrap_or_default();
        table.finish();
        Some(IdentityPath { id: JsonPath::new(id), instance })
    }

    /// A URL with its placeholders filled; empty if there is none.
    pub(super) fn url(&mut self, key: &str) -> String {
        let Some(text) = self.table.text(key) else { return String::new() };
        let url = self.filled(key, &text);
        self.check_url(key, &url);
        url
    }

    fn check_url(&self, key: &str, url: &str) {
        let is_waiting = placeholder::words(url).next().is_some();
        let is_web = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !is_waiting && !is_web {
            self.table.note(key, "not an absolute https URL", "write all of it, like https://acme.example/oauth");
        }
        // It would stand in logs, and in the address that a browser is sent to.
        let has_user = |url: Url| !url.username().is_empty() || url.password().is_some();
        if Url::parse(url).is_ok_and(has_user) {
            self.table.note(key, "has a user name or password", "the host logs in with client-id and client-secret");
        }
    }

    /// A text with its placeholders filled from further options. An option that is not set is
    /// missing.
    pub(super) fn filled(&mut self, key: &str, text: &str) -> String {
        let words: Vec<String> = placeholder::words(text).map(str::to_owned).collect();
        words.iter().fold(text.to_owned(), |text, word| match self.value(key, word) {
            Some(value) => placeholder::filled(&text, word, &value),
            None => text,
        })
    }

    fn value(&mut self, key: &str, word: &str) -> Option<String> {
        match word {
            // Filled when there is one.
            ACCESS_TOKEN if matches!(key, "account.headers" | "api-headers") => None,
            "client-id" => self.options.get(word)?.as_str().map(str::to_owned),
            _ if KEYS.contains(&word) || word == ACCESS_TOKEN => {
                let help = "name an option of your own, like {subdomain}, and set it beside";
                self.table.note(key, format!("{{{word}}} cannot be used here"), help);
                None
            }
            _ => self.own_option(word),
        }
    }

    fn own_option(&mut self, word: &str) -> Option<String> {
        match self.table.text(word).filter(|value| !value.is_empty()) {
            Some(value) if placeholder::is_plain(&value) => return Some(value),
            Some(_) => {
                let help = "write the part of the URL, like `acme` or `acme.example`";
                self.table.note(word, "neither a host nor a plain word", help);
            }
            None if self.missing.iter().any(|missing| missing == word) => {}
            None => self.missing.push(word.to_owned()),
        }
        None
    }
}
