"""Search over HTTP: routes, the page, and what keeps them up. `app.build_app` puts it together."""
