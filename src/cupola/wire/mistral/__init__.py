"""Mistral's native dialect: its names on `/v1` and `/models`, and its list of faults on `/v1`."""
