"""Revisions of the schema, run by `cupola.db.migration`. One file each, numbered, never edited."""
