DROP TABLE audit_keys;
DROP TABLE audit_head;
DROP TABLE audit_log;
