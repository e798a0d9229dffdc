"""Cupola: a self-hosted model foundry.

Begin with ARCHITECTURE.md, which traces one chat completion through these packages, and with
`cupola.app`, the only place where the parts are put together.
"""

__version__ = "0.1.0"
