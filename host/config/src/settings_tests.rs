//! What operators write, and the diagnostics they get.

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
    assert_eq!(manual.database.url, defaults.database.url);
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
    jackfield.toml:27: slack.client-secret: /nowhere/secret: No such file or directory (os error 2)
      help: check the path, relative to the working directory, and that the host's user may read it
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
    /nowhere/jackfield.toml: No such file or directory (os error 2)
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
