-- Times are milliseconds since 1970 UTC; lists and objects are JSON text; columns named sealed_… hold authenticated ciphertext.

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    is_superuser BOOLEAN NOT NULL,
    date_added BIGINT NOT NULL
);

CREATE TABLE organizations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    date_added BIGINT NOT NULL
);

CREATE TABLE members (
    organization_id BIGINT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX members_of_user ON members (user_id);

CREATE TABLE api_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id BIGINT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    date_added BIGINT NOT NULL
);

CREATE TABLE integrations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL,
    external_id TEXT NOT NULL,
    name TEXT NOT NULL,
    sort_name TEXT NOT NULL,
    sealed_metadata BLOB NOT NULL,
    status TEXT NOT NULL,
    date_added BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    UNIQUE (provider, external_id)
);
CREATE INDEX integrations_by_name ON integrations (sort_name, id);

CREATE TABLE organization_integrations (
    organization_id BIGINT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    integration_id BIGINT NOT NULL REFERENCES integrations (id) ON DELETE CASCADE,
    config TEXT NOT NULL,
    added_by BIGINT REFERENCES users (id) ON DELETE SET NULL,
    date_added BIGINT NOT NULL,
    PRIMARY KEY (organization_id, integration_id)
);
CREATE INDEX organizations_of_integration ON organization_integrations (integration_id);

CREATE TABLE identity_providers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type TEXT NOT NULL,
    instance TEXT NOT NULL,
    date_added BIGINT NOT NULL,
    UNIQUE (type, instance)
);

CREATE TABLE identities (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    identity_provider_id BIGINT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
    external_id TEXT NOT NULL,
    status TEXT NOT NULL,
    scopes TEXT NOT NULL,
    sealed_data BLOB NOT NULL,
    date_verified BIGINT NOT NULL,
    date_added BIGINT NOT NULL,
    UNIQUE (identity_provider_id, external_id)
);

CREATE TABLE user_identities (
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    identity_id BIGINT NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    date_added BIGINT NOT NULL,
    PRIMARY KEY (user_id, identity_id)
);

CREATE TABLE sessions (
    session_key BLOB NOT NULL PRIMARY KEY,
    sealed_data BLOB NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE setups (
    session_key BLOB NOT NULL,
    provider TEXT NOT NULL,
    sealed_data BLOB NOT NULL,
    claim BIGINT,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (session_key, provider)
);
CREATE INDEX setups_by_expiry ON setups (expires_at);
