DELETE FROM sealed_columns WHERE table_name = 'connect_sessions';
DROP TABLE connect_sessions;
