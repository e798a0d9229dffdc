"""One revision of the schema per file."""
