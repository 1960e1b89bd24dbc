-- Whom a program has connected an integration for: a customer of its own, with tags. A person's setup has neither.
ALTER TABLE organization_integrations ADD COLUMN subject_id TEXT;
ALTER TABLE organization_integrations ADD COLUMN subject_name TEXT;
ALTER TABLE organization_integrations ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';
CREATE INDEX links_of_subject ON organization_integrations (organization_id, subject_id, sort_name, integration_id)
    WHERE subject_id IS NOT NULL;

-- The tags of a link, one row each, to find and list integrations by them. Triggers keep them as the link has them.
CREATE TABLE integration_tags (
    organization_id BIGINT NOT NULL,
    integration_id BIGINT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    sort_name TEXT NOT NULL,
    PRIMARY KEY (organization_id, integration_id, key),
    FOREIGN KEY (organization_id, integration_id) REFERENCES organization_integrations (organization_id, integration_id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX integration_tags_by_value ON integration_tags (organization_id, key, value, sort_name, integration_id);
CREATE TRIGGER link_gets_tags AFTER INSERT ON organization_integrations WHEN NEW.tags <> '{}'
BEGIN
    INSERT INTO integration_tags (organization_id, integration_id, key, value, sort_name)
    SELECT l.organization_id, l.integration_id, tag.key, tag.value, l.sort_name
    FROM organization_integrations AS l JOIN json_each(l.tags) AS tag
    WHERE l.organization_id = NEW.organization_id AND l.integration_id = NEW.integration_id;
END;
CREATE TRIGGER link_changes_tags AFTER UPDATE OF tags ON organization_integrations WHEN NEW.tags <> OLD.tags
BEGIN
    DELETE FROM integration_tags WHERE organization_id = NEW.organization_id AND integration_id = NEW.integration_id;
    INSERT INTO integration_tags (organization_id, integration_id, key, value, sort_name)
    SELECT NEW.organization_id, NEW.integration_id, tag.key, tag.value, NEW.sort_name FROM json_each(NEW.tags) AS tag;
END;
CREATE TRIGGER tags_follow_sort_name AFTER UPDATE OF sort_name ON organization_integrations
WHEN NEW.sort_name <> OLD.sort_name AND NEW.tags <> '{}'
BEGIN
    UPDATE integration_tags SET sort_name = NEW.sort_name
    WHERE organization_id = NEW.organization_id AND integration_id = NEW.integration_id;
END;

-- What an organization shows where other products embed its pages, and which origins may. No row: nothing is set.
CREATE TABLE organization_settings (
    organization_id BIGINT NOT NULL PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
    display_name TEXT,
    accent_color TEXT,
    allowed_origins TEXT NOT NULL DEFAULT '[]',
    same_account TEXT NOT NULL DEFAULT 'one',
    logo BLOB,
    logo_type TEXT,
    logo_version TEXT,
    date_changed BIGINT NOT NULL
);
