//! Holds every entry of the catalogue to the same rules.

use jackfield_plugin_abi::envelope::State;

use super::{
    catalogue::{CatalogueEntry, catalogue, catalogue_entry},
    declaration_reader::read_declaration,
};

#[test]
fn every_entry_names_its_documentation_and_is_complete_but_for_the_operators_options() {
    for entry in catalogue() {
        assert!(entry.text.starts_with("# https://"), "{}: where is it documented?", entry.id);
        assert!(!entry.text.lines().any(|line| line.starts_with('[')), "{}: it is printed below a header", entry.id);
        let declaration = read_declaration(entry.id, &State::new()).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        assert!(declaration.missing.iter().take(2).eq(["client-id", "client-secret"]), "{}", entry.id);
        for missing in &declaration.missing[2..] {
            let is_explained = entry.text.contains(&format!("\n# {missing}: "));
            assert!(is_explained, "{}: what is {missing}?", entry.id);
        }
    }
}

#[test]
fn an_id_is_found_and_the_ids_are_sorted() {
    let ids: Vec<_> = catalogue().iter().map(|entry| entry.id).collect();
    assert!(ids.is_sorted() && ids.len() > 60, "{ids:?}");
    assert_eq!(catalogue_entry("github").map(CatalogueEntry::name).as_deref(), Some("GitHub"));
    assert!(catalogue_entry("nobody").is_none());
}

#[test]
fn an_entry_reaches_the_hosts_of_its_token_account_and_revocation_urls() {
    let hosts = |id, options: &serde_json::Value| {
        let options = options.as_object().cloned().unwrap_or_default();
        let mut hosts = read_declaration(id, &options).map(|declaration| declaration.hosts()).expect("it fits");
        hosts.sort();
        hosts.dedup();
        hosts
    };
    let nothing = serde_json::json!({});
    assert_eq!(hosts("github", &nothing), ["api.github.com:443", "github.com:443"]);
    assert_eq!(
        hosts("google", &nothing),
        ["*.googleapis.com", "oauth2.googleapis.com:443", "openidconnect.googleapis.com:443"]
    );
    assert_eq!(hosts("gitlab", &serde_json::json!({"domain": "git.example:8443"})), ["git.example:8443"]);
    assert!(hosts("zendesk", &nothing).is_empty(), "none before it is known");
    let further = serde_json::json!({"subdomain": "acme", "api-hosts": ["{subdomain}.zdusercontent.com"]});
    assert_eq!(hosts("zendesk", &further), ["acme.zdusercontent.com", "acme.zendesk.com:443"]);
    let waiting = serde_json::json!({"api-hosts": ["{subdomain}.zdusercontent.com"]});
    assert!(hosts("zendesk", &waiting).is_empty(), "nor further ones");
}

#[test]
fn what_cannot_be_a_call_of_an_api_is_reported() {
    let options = serde_json::json!({
        "api-url": "https://me@api.github.com/?x=1", "api-hosts": ["uploads.github.com", "https://raw.github.com"],
        "api-headers": {"x version": "2", "accept": "a\nb", "authorization": "token {access-token}"},
    });
    let diagnostics = read_declaration("github", options.as_object().expect("an object")).err().unwrap_or_default();
    let messages: Vec<_> = diagnostics.iter().map(|one| format!("{}: {}", one.key, one.message)).collect();
    insta::assert_snapshot!(messages.join("\n"), @"
    api-url: has a user name or password
    api-headers.accept: not a header's value
    api-headers.x version: not a header's name
    api-url: an API's URL has neither query nor fragment, and no user
    api-hosts: not a host
    ");
}

#[test]
fn a_key_of_an_entry_that_the_operators_urls_do_without_is_nobodys_mistake() {
    let wrong = |options: serde_json::Value| {
        let diagnostics = read_declaration("microsoft", options.as_object().expect("an object")).err();
        diagnostics.unwrap_or_default().into_iter().map(|one| one.key).collect::<Vec<_>>()
    };
    let urls = serde_json::json!({
        "authorize-url": "https://login.partner.microsoftonline.cn/acme/oauth2/v2.0/authorize",
        "token-url": "https://login.partner.microsoftonline.cn/acme/oauth2/v2.0/token",
    });
    assert_eq!(wrong(urls.clone()), Vec::<String>::new(), "the entry has `tenant`, and nobody else");
    let mut written = urls;
    written["tenant"] = "acme".into();
    assert_eq!(wrong(written), ["tenant"], "who writes it learns that nothing uses it");
}

#[test]
fn what_a_service_would_refuse_or_a_browser_not_show_is_reported() {
    let said = |options: serde_json::Value| {
        let diagnostics = read_declaration("github", options.as_object().expect("an object")).err();
        let lines = diagnostics.unwrap_or_default().into_iter();
        lines.map(|one| format!("{}: {}; {}", one.key, one.message, one.help)).collect::<Vec<_>>().join("\n")
    };
    let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END PRIVATE KEY-----\n";
    let both = serde_json::json!({"client-secret": "s", "private-key": key});
    assert!(said(both.clone()).starts_with("private-key: beside a client-secret: "), "{}", said(both.clone()));
    let mut chosen = both;
    chosen["client-authentication"] = "private-key-jwt".into();
    assert_eq!(said(chosen), "", "the operator has said which");
    let issuer = serde_json::json!({"issuer": "https://login.example/a/.well-known/openid-configuration"});
    assert_eq!(
        said(issuer),
        "issuer: the URL of the metadata, not the issuer; write the issuer alone: https://login.example/a"
    );
    for icon in ["icons/acme.svg", "<html></html>", "\u{89}PNG", "", "<svgx>"] {
        assert!(said(serde_json::json!({"icon": icon})).starts_with("icon: not an SVG image"), "{icon}");
    }
    for icon in [
        "<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
        " <?xml version=\"1.0\"?>\n<!-- a > b -->\n<!DOCTYPE svg>\n<svg\nwidth=\"1\"></svg>",
    ] {
        assert_eq!(said(serde_json::json!({"icon": icon})), "", "{icon}");
    }
}

#[test]
fn what_a_service_wants_at_a_refresh_and_says_of_an_accounts_api_is_read() {
    let read = |id| read_declaration(id, &State::new()).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let figma = read("figma");
    assert_eq!(figma.oauth2.refresh_url.as_deref(), Some("https://api.figma.com/v1/oauth/refresh"));
    let basecamp = read("basecamp").oauth2;
    let sent = |kind: &str| vec![("type".to_owned(), kind.to_owned())];
    assert_eq!((basecamp.token_parameters, basecamp.refresh_parameters), (sent("web_server"), Some(sent("refresh"))));
    assert_eq!(read("github").oauth2.refresh_parameters, None, "those of the token request");
    let account = |id, options: serde_json::Value| {
        let options = options.as_object().cloned().unwrap_or_default();
        let declaration = read_declaration(id, &options).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        declaration.api.and_then(|api| api.account).map(|account| (account.pointer, account.url))
    };
    let nothing = || serde_json::json!({});
    let salesforce = ("/instance_url".to_owned(), "{value}/services/data/".to_owned());
    assert_eq!(account("salesforce", nothing()), Some(salesforce));
    let mailchimp = account("mailchimp", nothing());
    assert_eq!(mailchimp, Some((String::new(), "{value}/3.0/".to_owned())), "the account's answer has it");
    let own = serde_json::json!({"api-url": "https://acme.my.salesforce.com/services/data/"});
    assert_eq!(account("salesforce", own), None, "the operator says where it is");
    let hosts = read_declaration("salesforce", &State::new()).map(|declaration| declaration.hosts()).expect("it fits");
    assert!(
        hosts.iter().all(|host| host == "login.salesforce.com:443"),
        "only the account's own is reached: {hosts:?}"
    );
}

#[test]
fn what_cannot_be_a_refresh_or_an_accounts_api_is_reported() {
    let options = serde_json::json!({
        "refresh-url": "oauth/refresh", "refresh-parameters": "type", "refresh-refused": [" "],
        "api-location": {"from": "userinfo", "hosts": ["*", "a.example:8443"], "url": "https://api.acme.example/", "at": "x"},
    });
    let diagnostics = read_declaration("github", options.as_object().expect("an object")).err().unwrap_or_default();
    let messages: Vec<_> = diagnostics.iter().map(|one| format!("{}: {}", one.key, one.message)).collect();
    insta::assert_snapshot!(messages.join("\n"), @r"
    refresh-url: not an absolute https URL
    refresh-parameters: wrong type: found text, wanted a table, { … }
    refresh-refused: an empty text fits no answer
    api-location.from: not a known word
    api-location.path: missing
    api-location.at: unknown key
    api-location.hosts: not a host, or one with a port, or any host
    api-location.url: without {value}, or not https
    ");
}
