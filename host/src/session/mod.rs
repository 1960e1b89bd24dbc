//! Floor 2: who is logged in, and the set-ups a session has under way. Knows neither plugins nor oauth2 nor accounts.
