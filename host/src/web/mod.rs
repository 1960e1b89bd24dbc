//! Floor 5: routes, layers, handlers, pages. Knows neither diesel nor the plugin abi.
