//! Floor 2: finds, checks, loads and asks provider plugins. Knows neither oauth2 nor session nor accounts.
