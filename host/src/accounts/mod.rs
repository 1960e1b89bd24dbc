//! Floor 2: users, organizations, roles, scopes, tokens. Knows neither plugins nor oauth2 nor session.
