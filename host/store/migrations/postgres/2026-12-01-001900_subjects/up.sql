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
    sort_name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (organization_id, integration_id, key),
    FOREIGN KEY (organization_id, integration_id) REFERENCES organization_integrations (organization_id, integration_id) ON DELETE CASCADE
);
CREATE INDEX integration_tags_by_value ON integration_tags (organization_id, key, value, sort_name, integration_id);
CREATE FUNCTION link_gets_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM integration_tags WHERE organization_id = NEW.organization_id AND integration_id = NEW.integration_id;
    END IF;
    INSERT INTO integration_tags (organization_id, integration_id, key, value, sort_name)
    SELECT NEW.organization_id, NEW.integration_id, tag.key, tag.value, NEW.sort_name
    FROM jsonb_each_text(NEW.tags::jsonb) AS tag (key, value);
    RETURN NULL;
END $$;
CREATE TRIGGER link_gets_tags AFTER INSERT ON organization_integrations
FOR EACH ROW WHEN (NEW.tags <> '{}') EXECUTE FUNCTION link_gets_tags();
CREATE TRIGGER link_changes_tags AFTER UPDATE OF tags ON organization_integrations
FOR EACH ROW WHEN (NEW.tags <> OLD.tags) EXECUTE FUNCTION link_gets_tags();
CREATE FUNCTION tags_follow_sort_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE integration_tags SET sort_name = NEW.sort_name
    WHERE organization_id = NEW.organization_id AND integration_id = NEW.integration_id;
    RETURN NULL;
END $$;
CREATE TRIGGER tags_follow_sort_name AFTER UPDATE OF sort_name ON organization_integrations
FOR EACH ROW WHEN (NEW.sort_name <> OLD.sort_name AND NEW.tags <> '{}') EXECUTE FUNCTION tags_follow_sort_name();

-- What an organization shows where other products embed its pages, and which origins may. No row: nothing is set.
CREATE TABLE organization_settings (
    organization_id BIGINT NOT NULL PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
    display_name TEXT,
    accent_color TEXT,
    allowed_origins TEXT NOT NULL DEFAULT '[]',
    same_account TEXT NOT NULL DEFAULT 'one',
    logo BYTEA,
    logo_type TEXT,
    logo_version TEXT,
    date_changed BIGINT NOT NULL
);
