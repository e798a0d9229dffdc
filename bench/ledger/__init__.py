"""What a ledger of ten million rows costs: `python -m bench.ledger`. Read `__main__` first."""
