"""Endpoints and what stands behind them: desired state in the store, replicas kept by the loop."""
