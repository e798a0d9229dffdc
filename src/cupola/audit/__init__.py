"""What was changed, by whom: an append-only log. Begin with `model`."""
