DELETE FROM sealed_columns WHERE table_name = 'endpoints';
DROP TABLE delivery_attempts;
DROP TABLE deliveries;
DROP TABLE endpoints;
DROP TABLE outgoing_events;
DROP TABLE event_sequences;
