"""HTTP plumbing, no word of the domain: `client` and `connection` call out, `asgi` answers."""
