"""The asynchronous client, from which scripts/write_sync_sdk.py makes `_sync`."""
