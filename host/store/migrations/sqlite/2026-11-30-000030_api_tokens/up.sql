-- The first characters of a token, who made it, which integrations it is limited to (ids as JSON; NULL: all), when it ends and when it was
-- last used. Times are milliseconds since 1970 UTC. Of tokens from before, hint and maker are not known.
ALTER TABLE api_tokens ADD COLUMN hint TEXT;
ALTER TABLE api_tokens ADD COLUMN created_by TEXT;
ALTER TABLE api_tokens ADD COLUMN integrations TEXT;
ALTER TABLE api_tokens ADD COLUMN expires_at BIGINT;
ALTER TABLE api_tokens ADD COLUMN last_used_at BIGINT;
CREATE INDEX api_tokens_of_organization ON api_tokens (organization_id);
