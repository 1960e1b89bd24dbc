DROP TABLE organization_settings;
DROP TRIGGER tags_follow_sort_name;
DROP TRIGGER link_changes_tags;
DROP TRIGGER link_gets_tags;
DROP TABLE integration_tags;
DROP INDEX links_of_subject;
ALTER TABLE organization_integrations DROP COLUMN tags;
ALTER TABLE organization_integrations DROP COLUMN subject_name;
ALTER TABLE organization_integrations DROP COLUMN subject_id;
