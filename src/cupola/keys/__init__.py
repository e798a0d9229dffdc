"""Keys that callers present: derived from one secret of the installation, never stored.

Begin with `model`, which holds the two functions everything else rests on.
"""
