"""A client of the management API, typed, synchronous and asynchronous.

It imports nothing else of Cupola.
"""
