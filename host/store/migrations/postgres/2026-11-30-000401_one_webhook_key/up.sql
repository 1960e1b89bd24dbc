-- From now on an integration has one key for each organization: the setup that stores a new one removes the others. Here go
-- those that no call can use: nobody knows whose they are, or the organization does not have the integration any more. Which
-- of several keys of one organization the service has, nobody can tell; they go with the next setup of that account.
DELETE FROM webhooks WHERE integration_id IS NOT NULL AND (
    organization_id IS NULL
    OR NOT EXISTS (
        SELECT 1 FROM organization_integrations AS links
        WHERE links.integration_id = webhooks.integration_id AND links.organization_id = webhooks.organization_id
    )
);
