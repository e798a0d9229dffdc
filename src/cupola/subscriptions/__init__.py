"""A project's acceptance of models' offers, needed before its first serverless deployment."""
