//! What operators write, and the diagnostics they get.

use std::{fs, path::PathBuf, time::Duration};

use super::*;
use crate::{Isolation, OnFailure, SandboxPolicy};

fn mistakes_in(text: &str) -> String {
    let (_, diagnostics) = parse(Path::new("jackfield.toml"), text);
    assert!(!diagnostics.is_empty(), "it has mistakes");
    Diagnostics::from(diagnostics).to_string()
}

fn settings_of(text: &str) -> Settings {
    let (settings, diagnostics) = parse(Path::new("jackfield.toml"), text);
    assert!(diagnostics.is_empty(), "{}", Diagnostics::from(diagnostics));
    settings
}

#[test]
fn an_empty_file_is_all_defaults() {
    let settings = settings_of("");
    assert_eq!(settings.default_integrations, []);
    assert_eq!(settings.system.url_prefix.to_string(), "http://127.0.0.1:8000");
    assert_eq!(settings.system.listen, "127.0.0.1:8000");
    assert_eq!((settings.system.idle_timeout, settings.system.max_connections), (Duration::from_secs(75), None));
    assert_eq!(settings.database.url.as_str(), "sqlite://data/jackfield.db");
    assert_eq!(settings.plugins.path, [PathBuf::from("plugins")]);
    assert_eq!(settings.plugins.on_failure, OnFailure::Stop);
    assert_eq!(settings.plugins.sandbox, SandboxPolicy::BestEffort);
    let plugin = settings.plugins.settings_for("example");
    assert_eq!((plugin.isolation, plugin.deadline, plugin.memory), (Isolation::Process, Duration::from_secs(10), 512));
    assert_eq!(plugin.hosts, None);
    assert_eq!(settings.plugins.trusted_keys.required(), None);
    assert!(settings.features.is_on("organizations:integrations-v3", "acme"));
    assert_eq!((settings.proxy.max_request_bytes, settings.proxy.idle_timeout), (1 << 30, Duration::from_secs(60)));
    assert_eq!(settings.proxy.max_calls, 256);
    assert_eq!((settings.http.timeout, settings.http.max_response_bytes), (Duration::from_secs(10), 1 << 20));
}

#[test]
fn the_manual_has_the_defaults() {
    let manual = settings_of(include_str!("../../../config/jackfield.toml"));
    let defaults = settings_of("");
    assert_eq!(manual.system.url_prefix, defaults.system.url_prefix);
    assert_eq!(manual.system.listen, defaults.system.listen);
    assert_eq!(manual.system.control, defaults.system.control);
    assert_eq!(manual.system.trusted_proxies, defaults.system.trusted_proxies);
    assert_eq!(manual.system.idle_timeout, defaults.system.idle_timeout);
    assert_eq!(manual.system.max_connections, defaults.system.max_connections);
    assert_eq!(manual.system.max_requests, defaults.system.max_requests);
    assert_eq!(manual.database.url, defaults.database.url);
    assert_eq!(manual.database.pool_size, defaults.database.pool_size);
    assert_eq!(manual.database.statement_timeout, defaults.database.statement_timeout);
    assert_eq!(manual.database.application_name, defaults.database.application_name);
    assert_eq!(manual.plugins, defaults.plugins);
    assert_eq!(manual.http.timeout, defaults.http.timeout);
    assert_eq!(manual.http.max_response_bytes, defaults.http.max_response_bytes);
    assert_eq!(manual.http.allow_private, defaults.http.allow_private);
    assert_eq!(manual.http.stand_in, defaults.http.stand_in);
    assert_eq!(manual.proxy, defaults.proxy);
}

#[test]
fn all_mistakes_are_reported_together_with_line_key_and_help() {
    let text = r#"
default-integrations = ["example", "example", 3]
default-integration = []
[system]
url-prefix = "jackfield.example"
lissten = "127.0.0.1:8000"
listen = "8000"
[database]
url = { env = "JACKFIELD_TEST_UNSET" }
[plugins]
on-failure = "ignore"
path = "plugins"
isolation = "thread"
deadline = 0
[plugins.slack]
memory = 1
hosts = ["https://slack.com"]
deadlin = 3
[features]
"organizations:integrations-v2" = true
[http]
allow-private = ["10.0.0.0/99"]
timeout = 0
[sytem]
listen = "x"
[slack]
client-secret = { file = "/nowhere/secret" }
"#;
    insta::assert_snapshot!(mistakes_in(text), @r#"
    19 mistakes in the configuration
    jackfield.toml:2: default-integrations[2]: wrong type: found a whole number, wanted text, { env = "NAME" } or { file = "PATH" }
      help: write text, { env = "NAME" } or { file = "PATH" }
    jackfield.toml:2: default-integrations[1]: `example` is listed twice
      help: remove one of them
    jackfield.toml:3: default-integration: unknown key
      help: did you mean `default-integrations`?
    jackfield.toml:5: system.url-prefix: not an absolute URL
      help: write what people type into the browser, like https://jackfield.example.com
    jackfield.toml:6: system.lissten: unknown key
      help: did you mean `listen`?
    jackfield.toml:7: system.listen: not an address with a port
      help: write like 127.0.0.1:8000 or [::]:8000
    jackfield.toml:9: database.url: the environment variable JACKFIELD_TEST_UNSET is not set
      help: set JACKFIELD_TEST_UNSET where the host is started, or write the value otherwise
    jackfield.toml:11: plugins.on-failure: neither `stop` nor `skip`
      help: write "stop" or "skip"
    jackfield.toml:12: plugins.path: wrong type: found text, wanted a list, [ … ]
      help: write a list, [ … ]
    jackfield.toml:13: plugins.isolation: neither `process` nor `in-process`
      help: write "process" or "in-process"
    jackfield.toml:14: plugins.deadline: out of range
      help: write a number from 1 to 60
    jackfield.toml:16: plugins.slack.memory: out of range
      help: write a number from 64 to 1048576
    jackfield.toml:17: plugins.slack.hosts[0]: not a host
      help: write like api.example.com, *.example.com or *, each with or without a port, and without https://
    jackfield.toml:18: plugins.slack.deadlin: unknown key
      help: did you mean `deadline`?
    jackfield.toml:20: features.organizations:integrations-v2: unknown key
      help: did you mean `organizations:integrations-v3`?
    jackfield.toml:22: http.allow-private[0]: neither an address, a network nor a host name
      help: write like 10.1.2.3, 10.0.0.0/8, slack.internal or slack.internal:8443
    jackfield.toml:23: http.timeout: out of range
      help: write a number from 1 to 300
    jackfield.toml:24: sytem: unknown key
      help: did you mean `system`?
    jackfield.toml:27: slack.client-secret: /nowhere/secret: there is no such file, nor its folder /nowhere
      help: correct the path, or put the file there
    "#);
}

#[test]
fn trusted_keys_are_read_from_the_text_and_from_files() {
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("operator.pub");
    fs::write(&file, format!("untrusted comment: ours\n{key}\n")).expect("writable");
    let settings = settings_of(&format!("[plugins]\ntrusted-keys = [\"{key}\", {{ file = {file:?} }}]\n"));
    let keys = settings.plugins.trusted_keys.required().expect("signatures are required");
    assert_eq!(keys.iter().map(|key| key.id.to_string()).collect::<Vec<_>>(), ["E7620F1842B4E81F"; 2]);
    assert_eq!(settings_of("[plugins]\ntrusted-keys = []\n").plugins.trusted_keys.required(), None);
}

#[test]
fn a_mistake_in_a_trusted_key_leaves_signatures_required() {
    for keys in ["[\"RWQ\"]", "\"RWQ\"", "[{ file = \"/nowhere.pub\" }]"] {
        let (settings, diagnostics) =
            parse(Path::new("jackfield.toml"), &format!("[plugins]\ntrusted-keys = {keys}\n"));
        assert_eq!((diagnostics.len(), settings.plugins.trusted_keys.required()), (1, Some([].as_slice())), "{keys}");
    }
    insta::assert_snapshot!(mistakes_in("[plugins]\ntrusted-keys = [\"RWQ\"]\n"), @r#"
    1 mistake in the configuration
    jackfield.toml:2: plugins.trusted-keys[0]: not a public key of minisign's
      help: write the line that begins with RW of a .pub file, or { file = "PATH" } of that file
    "#);
}

#[test]
fn trial_settings_are_refused_with_an_https_address() {
    let text = "[http]\nstand-in = \"http://127.0.0.1:9000\"\n[plugins]\nclock = 1700000000\n";
    let settings = settings_of(text);
    assert_eq!(settings.plugins.clock, Some(1_700_000_000));
    assert!(settings.http.stand_in.is_some());
    let report = mistakes_in(&format!("[system]\nurl-prefix = \"https://jackfield.example\"\n{text}"));
    insta::assert_snapshot!(report, @r"
    2 mistakes in the configuration
    jackfield.toml:4: http.stand-in: not with an https url-prefix: it is for trying plugins out
      help: remove it
    jackfield.toml:6: plugins.clock: not with an https url-prefix: it is for trying plugins out
      help: remove it
    ");
}

#[test]
fn text_that_is_not_toml_is_reported_with_its_lines() {
    let report = mistakes_in("[system]\nlisten = \n\n[http]\ntimeout 3\n");
    assert!(report.contains("jackfield.toml:2") && report.contains("jackfield.toml:5"), "{report}");
}

#[test]
fn a_missing_file_is_reported() {
    let report = load(Path::new("/nowhere/jackfield.toml")).expect_err("it is not there").to_string();
    insta::assert_snapshot!(report, @r"
    1 mistake in the configuration
    /nowhere/jackfield.toml: there is no such file, nor its folder /nowhere
      help: name the configuration file with --config FILE
    ");
}

#[test]
fn a_feature_can_be_on_for_some_organizations() {
    let settings = settings_of("[features]\n\"organizations:integrations-v3\" = [\"acme\"]\n");
    let is_on = |slug| settings.features.is_on("organizations:integrations-v3", slug);
    assert!(is_on("acme") && !is_on("other"));
    let settings = settings_of("[features]\n\"organizations:integrations-v3\" = false\n");
    assert!(!settings.features.is_on("organizations:integrations-v3", "acme"));
}

#[test]
fn options_follow_references_and_know_their_lines_and_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    fs::write(&file, "from-file\n").expect("writable");
    let text = format!(
        "[slack]\nclient-id = \"plain-id\"\nclient-secret = {{ file = {file:?} }}\n\n[slack.proxy]\nurl = \"u\"\nport = 3\ntoken = \"t-in-file\"\nlist = [\"a\", \"b\"]\n"
    );
    let options = settings_of(&text).options["slack"].clone();
    let table = serde_json::to_value(&options.table).expect("JSON");
    assert_eq!(
        table,
        serde_json::json!({"client-id": "plain-id", "client-secret": "from-file",
            "proxy": {"url": "u", "port": 3, "token": "t-in-file", "list": ["a", "b"]}})
    );
    assert_eq!(options.secrets(), ["from-file", "t-in-file"]);
    assert_eq!((options.line_of("client-secret"), options.line_of("proxy.port"), options.line_of("other")), (3, 7, 1));
    assert!(!format!("{options:?}").contains("from-file"));
}

/// What is told of a file, mistakes first, and then what the host starts with.
fn told(text: &str) -> String {
    let (settings, diagnostics) = parse(Path::new("f"), text);
    let diagnostics = Diagnostics::from(diagnostics);
    let mistakes = diagnostics.list().iter().map(ToString::to_string);
    let warnings = settings.warnings.iter().map(|warning| format!("warning: {warning}"));
    mistakes.chain(warnings).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_mistake_is_told_with_its_place_and_help() {
    let long = "s".repeat(120);
    for (text, expected) in [
        (
            "[system]\ndefault-integrations = []",
            "f:2: system.default-integrations: unknown key\n  help: it belongs above the first table of the file",
        ),
        ("url-prefix = \"https://a.example\"", "f:1: url-prefix: unknown key\n  help: it belongs into [system]"),
        (
            "[plugins.slack]\nclient-id = \"1\"",
            "f:2: plugins.slack.client-id: unknown key\n  help: it is an option of the provider and belongs into its own table, [slack]",
        ),
        (
            "[[slack]]\nclient-id = \"1\"",
            "f:1: slack: wrong type: found a list of tables, wanted one table\n  help: write [slack], with single brackets",
        ),
        (
            "[slack]\nclient-secret = { evn = \"A\" }",
            "f:2: slack.client-secret: unknown key `evn` in a reference\n  help: did you mean { env = \"NAME\" }?",
        ),
        (
            "[slack]\nclient-secret = { env = \"A\", file = \"b\" }",
            "f:2: slack.client-secret: both `env` and `file`: a value comes from one place\n  help: write { env = \"NAME\" } or { file = \"PATH\" }",
        ),
        (
            "[slack]\nclient-secret = { env = \"\" }",
            "f:2: slack.client-secret: `env` names no variable\n  help: write { env = \"NAME\" }",
        ),
        (
            "[slack]\nclient-secret = { file = \"\" }",
            "f:2: slack.client-secret: `file` names no file\n  help: write { file = \"PATH\" }",
        ),
        (
            "[slack]\nclient-secret = { env = \"$A\" }",
            "f:2: slack.client-secret: `$A` is not the name of a variable\n  help: write the name alone, like { env = \"SLACK_CLIENT_SECRET\" }",
        ),
        (
            "[system]\nsecret-key = { env = 3 }",
            "f:2: system.secret-key: wrong type of `env`: found a whole number, wanted the name of a variable in quotes\n  help: write { env = \"NAME\" } or { file = \"PATH\" }",
        ),
        (
            "[system]\nsecret-key = { env = \"\" }",
            "f:2: system.secret-key: `env` names no variable\n  help: write { env = \"NAME\" }",
        ),
        (
            "[database]\nurl = { evn = \"A\" }",
            "f:2: database.url: unknown key `evn` in a reference\n  help: did you mean { env = \"NAME\" }?",
        ),
        (
            "[database]\nurl = { env = \"A\", default = \"b\" }",
            "f:2: database.url: unknown key `default` in a reference\n  help: write { env = \"NAME\" } or { file = \"PATH\" }",
        ),
        (
            "[database]\nurl = 2026-01-01",
            "f:2: database.url: wrong type: found a date, wanted text, { env = \"NAME\" } or { file = \"PATH\" }\n  help: write text, { env = \"NAME\" } or { file = \"PATH\" }",
        ),
        (
            "[database]\nurl = \"sqlite://a.db?mode=ro\"",
            "f:2: database.url: a SQLite URL has no parameters: `?` and `#` would be a part of the file's name\n  help: write sqlite://a.db",
        ),
        ("[system]\nlisten = 127.0.0.1:8000", "f:2: not TOML: a text without quotes\n  help: write listen = \"…\""),
        (
            "[slack]\na = 1\n[slack]\nb = 1",
            "f:3: not TOML: the table [slack] stands twice; the first is in line 1\n  help: write all of its keys below one of them",
        ),
        (
            "[slack]\nclient-secret = \"${SLACK_SECRET}\"",
            "f:2: slack.client-secret: the text is the placeholder of a variable, SLACK_SECRET, and nothing fills it in\n  help: write { env = \"SLACK_SECRET\" }",
        ),
        (
            "[slack]\nclient-secret = \"a\\u0000b\"",
            "f:2: slack.client-secret: a NUL character stands in it\n  help: write it without; a file that was saved as UTF-16 has many of them",
        ),
        (
            "[slack]\nclient-secret = \"<your-secret>\"",
            "warning: f:2: slack.client-secret: this is the placeholder of an example\n  help: write the secret that the service shows",
        ),
        (
            "[slack]\nclient-secret = \" s \"",
            "warning: f:2: slack.client-secret: it begins or ends with a blank, which is sent as a part of it\n  help: remove the blank, unless the service shows it so",
        ),
        (
            "[slack]\nid = 99999999999999999999",
            "f:2: slack.id: a number that is too large\n  help: write it in quotes if it is an id",
        ),
        (
            "[system]\nurl-prefix = \"http://0.0.0.0:8000\"",
            "f:2: system.url-prefix: 0.0.0.0 stands for all addresses of this machine, and nobody can type it\n  help: write the name or address that people type, like http://127.0.0.1:8000; `listen` may be 0.0.0.0",
        ),
        (
            "[system]\nurl-prefix = \"http://jackfield.example\"",
            "warning: f:2: system.url-prefix: plain http, and not on this machine alone: passwords and cookies go through the network unencrypted\n  help: put a proxy that ends TLS in front of the host, and write the https URL that people type",
        ),
        (
            &format!("[system]\ncontrol = \"{long}\""),
            "f:2: system.control: a path of 120 bytes, and a socket's has 107 at most\n  help: write a shorter one, or one from the folder that the host is started in",
        ),
        (
            "[http]\nallow-private = [\"10.1.2.3/8\"]",
            "f:2: http.allow-private[0]: 10.1.2.3/8 has bits beyond /8\n  help: write 10.0.0.0/8 for the whole network, or 10.1.2.3 for the one address",
        ),
        (
            "[http]\nallow-private = [\"0.0.0.0/0\"]",
            "warning: f:2: http.allow-private[0]: 0.0.0.0/0 is every address: plugins and services can lead the host to anything in your network\n  help: write the networks that are meant",
        ),
        (
            "[system]\ntrusted-proxies = [\"::/0\"]",
            "warning: f:2: system.trusted-proxies[0]: ::/0 is every address: each client says itself which address it has\n  help: write the networks that are meant",
        ),
        (
            "[plugins]\npath = \"plugins\"",
            "f:2: plugins.path: wrong type: found text, wanted a list, [ … ]\n  help: write a list, [ … ]",
        ),
        ("[slack]\nclient-secret = { default = \"x\" }\nport = 3", ""),
    ] {
        assert_eq!(told(text), expected, "{text}");
    }
}

#[test]
fn line_ends_and_a_byte_order_mark_are_no_part_of_a_value_from_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    for bytes in [&b"s3cret"[..], b"s3cret\n", b"s3cret\n\n", b"s3cret\r\n", b"\xef\xbb\xbfs3cret\n"] {
        fs::write(&file, bytes).expect("writable");
        let options = settings_of(&format!("[slack]\nclient-secret = {{ file = {file:?} }}")).options["slack"].clone();
        assert_eq!(options.table["client-secret"], "s3cret", "{bytes:?}");
    }
    fs::write(&file, "a\nb").expect("writable");
    let said = told(&format!("[slack]\nclient-secret = {{ file = {file:?} }}"));
    assert!(said.contains("a line end or another control character stands in it"), "{said}");
}

#[test]
fn the_audit_log_is_kept_for_a_time_or_for_ever() {
    let days = |days: u64| Some(std::time::Duration::from_secs(days * 24 * 60 * 60));
    for (text, expected) in
        [("", days(400)), ("keep = \"30d\"", days(30)), ("keep = \"52w\"", days(364)), ("keep = \"forever\"", None)]
    {
        assert_eq!(settings_of(&format!("[audit]\n{text}")).audit.keep, expected, "{text}");
    }
    for (text, told) in [
        ("\"29d\"", "too short: what happened must still be known when somebody asks"),
        ("\"12h\"", "too short"),
        ("\"400\"", "not a time"),
        ("\"never\"", "not a time"),
        ("400", "wrong type"),
    ] {
        let said = mistakes_in(&format!("[audit]\nkeep = {text}"));
        assert!(said.contains(told) && said.contains("audit.keep"), "{text}: {said}");
    }
}
