"""Engines run models. `port` says what one must do; each other module or package is one engine."""
