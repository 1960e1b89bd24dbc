-- The service's id of the account where external_id is a key of the host's own: two subjects of one organization have connected the
-- same account, and each has an integration of its own.
ALTER TABLE integrations ADD COLUMN account_id TEXT;
CREATE INDEX integrations_of_account ON integrations (provider, account_id) WHERE account_id IS NOT NULL;
