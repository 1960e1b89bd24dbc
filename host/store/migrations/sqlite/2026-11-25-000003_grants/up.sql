-- Tokens that live on after a set-up. Of one integration each name and subject is one grant; `position` orders them.
CREATE TABLE grants (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    integration_id BIGINT NOT NULL REFERENCES integrations (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    position INTEGER NOT NULL,
    -- The tokens, the OAuth 2.0 step they came from, and what that step depends on.
    sealed_tokens BLOB NOT NULL,
    scopes TEXT NOT NULL,
    -- Milliseconds since 1970 UTC, like every time here; `due_at` is when it is refreshed although nobody asks for it.
    obtained_at BIGINT NOT NULL,
    expires_at BIGINT,
    due_at BIGINT,
    is_single_use BOOLEAN,
    status TEXT NOT NULL,
    reason TEXT,
    -- Grows with each set of tokens.
    generation BIGINT NOT NULL,
    date_added BIGINT NOT NULL,
    UNIQUE (integration_id, name, subject)
);
CREATE INDEX grants_by_due ON grants (due_at);

-- A refresh that is under way, or that failed and waits: who has the lease until when, since when a request may have been answered.
CREATE TABLE refreshes (
    grant_id BIGINT NOT NULL PRIMARY KEY REFERENCES grants (id) ON DELETE CASCADE,
    lease BIGINT,
    leased_until BIGINT,
    sent_at BIGINT,
    failures INTEGER NOT NULL,
    retry_at BIGINT
);
