-- What grows is read by an index, in the order in which it is wanted, and never as a whole.

-- The name by which an organization's integrations are listed stands with each link. An index over names of all organizations
-- would be walked through for an organization with few, and the links of one with many would be sorted. Triggers keep it: an
-- earlier host, which runs beside this one for a while, does not know of it.
ALTER TABLE organization_integrations ADD COLUMN sort_name TEXT NOT NULL DEFAULT '';
UPDATE organization_integrations SET sort_name = (SELECT i.sort_name FROM integrations AS i WHERE i.id = integration_id);
CREATE INDEX links_by_name ON organization_integrations (organization_id, sort_name, integration_id);
DROP INDEX integrations_by_name;
-- A bulk revocation goes from one to the next.
CREATE INDEX integrations_of_provider ON integrations (provider, id);
CREATE TRIGGER link_gets_sort_name AFTER INSERT ON organization_integrations WHEN NEW.sort_name = ''
BEGIN
    UPDATE organization_integrations SET sort_name = (SELECT i.sort_name FROM integrations AS i WHERE i.id = NEW.integration_id)
    WHERE organization_id = NEW.organization_id AND integration_id = NEW.integration_id;
END;
CREATE TRIGGER links_follow_sort_name AFTER UPDATE OF sort_name ON integrations WHEN NEW.sort_name <> OLD.sort_name
BEGIN
    UPDATE organization_integrations SET sort_name = NEW.sort_name WHERE integration_id = NEW.id;
END;

-- Integrations that have lost an organization: perhaps none has them any more, or what was that organization's is left. A host
-- looks at each, and removes the row.
CREATE TABLE unlinked_integrations (
    id INTEGER PRIMARY KEY,
    integration_id BIGINT NOT NULL
);
CREATE TRIGGER unlinked_integration_is_noted AFTER DELETE ON organization_integrations
WHEN EXISTS (SELECT 1 FROM integrations AS i WHERE i.id = OLD.integration_id)
BEGIN
    INSERT INTO unlinked_integrations (integration_id) VALUES (OLD.integration_id);
END;
INSERT INTO unlinked_integrations (integration_id)
SELECT id FROM integrations AS i
WHERE NOT EXISTS (SELECT 1 FROM organization_integrations AS links WHERE links.integration_id = i.id)
UNION
SELECT g.integration_id FROM grants AS g
WHERE (g.organization_id = 0 AND NOT EXISTS (SELECT 1 FROM grant_shares AS s WHERE s.grant_id = g.id))
    OR (g.organization_id > 0 AND NOT EXISTS (
        SELECT 1 FROM organization_integrations AS links
        WHERE links.organization_id = g.organization_id AND links.integration_id = g.integration_id
    ));

-- What an earlier host has stored and no host has assigned or sealed since: nothing, once that is done.
CREATE INDEX grants_unassigned ON grants (integration_id) WHERE organization_id < 0;
CREATE INDEX integrations_with_metadata ON integrations (id) WHERE sealed_metadata IS NOT NULL;
CREATE INDEX links_in_plain ON organization_integrations (integration_id) WHERE config <> '{}';

-- Grants that are refreshed although nobody asks. After a failure `due_at` is when the refresh is tried again, so that those of a
-- service that is down do not stand before all others.
UPDATE grants SET due_at = (SELECT r.retry_at FROM refreshes AS r WHERE r.grant_id = grants.id)
WHERE id IN (SELECT r.grant_id FROM refreshes AS r JOIN grants AS g ON g.id = r.grant_id WHERE r.retry_at > g.due_at);
DROP INDEX grants_by_due;
CREATE INDEX grants_by_due ON grants (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX refreshes_unanswered ON refreshes (retry_at) WHERE sent_at IS NOT NULL;
CREATE INDEX refreshes_leased ON refreshes (leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX grants_of_subject ON grants (subject) WHERE subject <> '';

-- Those that are done stay for ninety days, and most are.
DROP INDEX revocations_by_provider;
DROP INDEX revocations_by_retry;
CREATE INDEX revocations_pending ON revocations (provider, retry_at) WHERE status = 'pending';
CREATE INDEX revocations_unrevoked_of_provider ON revocations (provider, date_added) WHERE status <> 'done';
CREATE INDEX revocations_unrevoked_of_organization ON revocations (organization_id, date_added) WHERE status <> 'done';
CREATE INDEX revocations_ended ON revocations (date_ended) WHERE date_ended IS NOT NULL;
CREATE INDEX revocations_leased ON revocations (leased_until) WHERE leased_until IS NOT NULL;

-- Until when a provider asks to be left alone: of its revocations none is due before, however many wait.
CREATE TABLE revocation_pauses (
    provider TEXT PRIMARY KEY NOT NULL,
    until BIGINT NOT NULL
);

-- For the removal of what these rows belong to.
CREATE INDEX user_identities_of_identity ON user_identities (identity_id);
CREATE INDEX links_added_by ON organization_integrations (added_by) WHERE added_by IS NOT NULL;
CREATE INDEX webhooks_of_organization ON webhooks (organization_id) WHERE organization_id IS NOT NULL;
CREATE INDEX identity_providers_of_plugin ON identity_providers (plugin);

-- The first that used a type. Each workspace, and each instance of a service, has an identity provider of its own.
CREATE INDEX identity_providers_owned ON identity_providers (type, id) WHERE plugin <> '';

-- A webhook belongs to a setup or to an integration: half of each entry was empty.
DROP INDEX webhooks_by_setup;
DROP INDEX webhooks_by_integration;
DROP INDEX webhooks_by_expiry;
CREATE INDEX webhooks_by_setup ON webhooks (session_key, provider) WHERE session_key IS NOT NULL;
CREATE INDEX webhooks_by_integration ON webhooks (integration_id) WHERE integration_id IS NOT NULL;
CREATE INDEX webhooks_by_expiry ON webhooks (expires_at) WHERE expires_at IS NOT NULL;
