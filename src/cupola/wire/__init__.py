"""The wire: canonical types in `canonical`, and one package per dialect that maps bytes to them.

No I/O here, and no dialect knows another.
"""
