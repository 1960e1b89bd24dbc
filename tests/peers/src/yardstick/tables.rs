//! The rows of a setup, in tables and indexes as the host has them.

use rusqlite::{Connection, Result, params};

/// The size of sealed setups, metadata, identities and tokens in the host's tables, in bytes.
const SEALED_SETUP: usize = 493;
const SEALED_METADATA: usize = 237;
const SEALED_IDENTITY: usize = 47;
const SEALED_TOKENS: usize = 309;

const NOW: i64 = 1_800_000_000_000;

const TABLES: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE setups (session_key BLOB NOT NULL, provider TEXT NOT NULL, sealed_data BLOB NOT NULL, claim BIGINT,
        expires_at BIGINT NOT NULL, PRIMARY KEY (session_key, provider));
    CREATE INDEX setups_by_expiry ON setups (expires_at);
    CREATE TABLE integrations (id INTEGER PRIMARY KEY AUTOINCREMENT, provider TEXT NOT NULL, external_id TEXT NOT NULL,
        name TEXT NOT NULL, sort_name TEXT NOT NULL, date_added BIGINT NOT NULL, date_updated BIGINT NOT NULL,
        sealed_metadata BLOB, UNIQUE (provider, external_id));
    CREATE INDEX integrations_by_name ON integrations (sort_name, id);
    CREATE TABLE organization_integrations (organization_id BIGINT NOT NULL, integration_id BIGINT NOT NULL,
        config TEXT NOT NULL, added_by BIGINT, date_added BIGINT NOT NULL, sealed_config BLOB, sealed_metadata BLOB,
        status TEXT NOT NULL, installed_at BIGINT NOT NULL, PRIMARY KEY (organization_id, integration_id));
    CREATE INDEX organizations_of_integration ON organization_integrations (integration_id);
    CREATE TABLE identities (id INTEGER PRIMARY KEY AUTOINCREMENT, identity_provider_id BIGINT NOT NULL,
        external_id TEXT NOT NULL, status TEXT NOT NULL, scopes TEXT NOT NULL, sealed_data BLOB NOT NULL,
        date_verified BIGINT NOT NULL, date_added BIGINT NOT NULL, UNIQUE (identity_provider_id, external_id));
    CREATE TABLE user_identities (user_id BIGINT NOT NULL, identity_id BIGINT NOT NULL, date_added BIGINT NOT NULL,
        PRIMARY KEY (user_id, identity_id));
    CREATE TABLE grants (id INTEGER PRIMARY KEY AUTOINCREMENT, integration_id BIGINT NOT NULL,
        organization_id BIGINT NOT NULL, name TEXT NOT NULL, subject TEXT NOT NULL, position INTEGER NOT NULL,
        sealed_tokens BLOB NOT NULL, scopes TEXT NOT NULL, obtained_at BIGINT NOT NULL, status TEXT NOT NULL,
        generation BIGINT NOT NULL, installed_at BIGINT NOT NULL,
        UNIQUE (integration_id, organization_id, name, subject));
    CREATE TABLE grant_shares (grant_id BIGINT NOT NULL, organization_id BIGINT NOT NULL,
        PRIMARY KEY (grant_id, organization_id));
    CREATE TABLE audit_log (id INTEGER PRIMARY KEY, date BIGINT NOT NULL, action TEXT NOT NULL, actor_kind TEXT NOT NULL,
        actor_id BIGINT, actor_name TEXT, organization_id BIGINT, organization TEXT, provider TEXT,
        integration_id BIGINT, external_id TEXT, plugin_digest TEXT, result TEXT NOT NULL, detail TEXT NOT NULL,
        count BIGINT NOT NULL, hash BLOB NOT NULL);
    CREATE INDEX audit_log_of_organization ON audit_log (organization_id, id);
    CREATE INDEX audit_log_of_integration ON audit_log (integration_id, id);
";

const SCOPES: &str = "chat:write,commands,team:read";

/// One change, which is durable before its request is answered.
pub(super) enum Change {
    /// A person starts.
    Start(Vec<u8>),
    /// A person is sent to Slack.
    Leave(Vec<u8>),
    /// A person comes back; nobody else can use the setup from now on.
    Claim(Vec<u8>),
    /// The integration.
    Install {
        /// Whose setup it is.
        person: Vec<u8>,
        /// The workspace.
        team: String,
    },
}

/// Opens a new database.
pub(super) fn open(file: &str) -> Result<Connection> {
    let database = Connection::open(file)?;
    database.execute_batch(TABLES)?;
    database.set_prepared_statement_cache_capacity(64);
    Ok(database)
}

impl Change {
    pub(super) fn apply(&self, database: &Connection) -> Result<()> {
        let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| database.prepare_cached(sql)?.execute(values);
        match self {
            Self::Start(person) => run(
                "INSERT INTO setups VALUES (?1, 'slack', ?2, NULL, ?3) ON CONFLICT DO UPDATE SET sealed_data = ?2",
                params![person, vec![7_u8; SEALED_SETUP], NOW],
            )?,
            Self::Leave(person) => {
                run("UPDATE setups SET sealed_data = ?2 WHERE session_key = ?1", params![person, [8_u8; SEALED_SETUP]])?
            }
            Self::Claim(person) => run("UPDATE setups SET claim = ?2 WHERE session_key = ?1", params![person, NOW])?,
            Self::Install { person, team } => return install(database, person, team),
        };
        Ok(())
    }
}

fn install(database: &Connection, person: &[u8], team: &str) -> Result<()> {
    let insert = |sql: &str, values: &[&dyn rusqlite::ToSql]| database.prepare_cached(sql)?.insert(values);
    let (name, user) = (format!("Analytical Engines {team}"), format!("U0{team}"));
    let integration =
        insert("INSERT INTO integrations VALUES (NULL, 'slack', ?1, ?2, ?2, ?3, ?3, NULL)", params![team, name, NOW])?;
    insert(
        "INSERT INTO organization_integrations VALUES (1, ?1, '{}', 1, ?2, NULL, ?3, 'active', ?2)",
        params![integration, NOW, [1_u8; SEALED_METADATA]],
    )?;
    let identity = insert(
        "INSERT INTO identities VALUES (NULL, 1, ?1, 'valid', '', ?2, ?3, ?3)",
        params![user, [2_u8; SEALED_IDENTITY], NOW],
    )?;
    insert("INSERT INTO user_identities VALUES (1, ?1, ?2)", params![identity, NOW])?;
    let grant = insert(
        "INSERT INTO grants VALUES (NULL, ?1, -1, 'bot', '', 0, ?2, ?3, ?4, 'active', 1, ?4)",
        params![integration, [3_u8; SEALED_TOKENS], SCOPES, NOW],
    )?;
    insert("INSERT INTO grant_shares VALUES (?1, 1)", params![grant])?;
    for action in ["install", "identity-link"] {
        insert(
            "INSERT INTO audit_log VALUES (NULL, ?1, ?2, 'user', 1, 'person-1@example.com', 1, 'acme', 'slack', ?3, ?4, \
             ?5, 'ok', '{\"identity\":\"1\",\"subject\":\"U1\"}', 1, ?6)",
            params![NOW, action, integration, team, "0123456789abcdef".repeat(4), [4_u8; 32]],
        )?;
    }
    database.prepare_cached("DELETE FROM setups WHERE session_key = ?1")?.execute(params![person])?;
    Ok(())
}
