"""Tiny random models as GGUF files, and what the transformers library makes of the same weights.

The scripts run in an environment of their own (`make .venv-proof/proof.stamp`); tests/proof
compares what they write with what Cupola serves.
"""
