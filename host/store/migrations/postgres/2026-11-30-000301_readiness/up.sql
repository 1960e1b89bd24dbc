-- One row that a host writes when it is asked whether the database can serve.
CREATE TABLE readiness (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    probes BIGINT NOT NULL
);
INSERT INTO readiness (id, probes) VALUES (1, 0);
