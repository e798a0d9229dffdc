"""Tokens that other issuers sign, and what one proves: begin with `model`.

They are for calling managed endpoints; signing in to the platform is the business of `identity`.
"""
