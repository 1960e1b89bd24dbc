-- What each configuration file said when a host last took it over, as hashes: a start tells which keys have changed since.
CREATE TABLE configurations (
    file TEXT NOT NULL PRIMARY KEY,
    sealed_fingerprint BYTEA NOT NULL
);
