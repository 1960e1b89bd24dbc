//! Floor 1: rows in, rows out, over SQLite and PostgreSQL. Knows neither axum nor plugins.
