"""Identifiers: their types, and how new ones are made."""

import random
import secrets
import string
from typing import NewType

EndpointName = NewType("EndpointName", str)
"""What a client calls; a DNS label (azure-style host names put it first)."""

ModelName = NewType("ModelName", str)
"""A catalog entry's name, as `/info` and replies give it."""

ReplicaId = NewType("ReplicaId", str)
"""One running engine."""

_random = random.Random(secrets.token_bytes(32))
"""Ids are no secrets: one seed for all of them instead of a system call each."""
_ALPHANUMERIC = string.ascii_letters + string.digits


def new_reply_id() -> str:
    """32 hexadecimal digits, the form of ids in replies of the Azure service."""
    return f"{_random.getrandbits(128):032x}"


def new_tool_call_id() -> str:
    """Nine characters of `[a-zA-Z0-9]`: Mistral's back ends accept no other form."""
    return "".join(_random.choices(_ALPHANUMERIC, k=9))
