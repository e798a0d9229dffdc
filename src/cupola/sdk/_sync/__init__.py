# Made by scripts/write_sync_sdk.py from `_async`: change that, not this.
"""The synchronous client."""
