//! Floor 2: the OAuth 2.0 steps that the host runs for a provider. Knows neither plugins nor session nor accounts.
