"""People's commands, one module each; `main` joins them.

A command imports what it needs when it runs, so that `cupola --help` is instant.
"""
