DROP INDEX integrations_of_account;
ALTER TABLE integrations DROP COLUMN account_id;
