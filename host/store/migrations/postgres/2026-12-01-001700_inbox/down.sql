DELETE FROM sealed_columns WHERE table_name = 'received_events' OR (table_name = 'webhooks' AND column_name = 'sealed_secret');
ALTER TABLE webhooks DROP COLUMN made_at;
ALTER TABLE webhooks DROP COLUMN sealed_secret;
DROP TABLE received_events;
