"""Identifiers: their types, and how new ones are made."""

import random
import re
import secrets
import string
from typing import Final, NewType

EndpointName = NewType("EndpointName", str)
"""What a client calls; a DNS label (azure-style host names put it first)."""

ModelName = NewType("ModelName", str)
"""A catalog entry's name, as `/info` and replies give it."""

ReplicaId = NewType("ReplicaId", str)
"""One running engine."""

DeploymentName = NewType("DeploymentName", str)
"""One of an endpoint's deployments; what `azureml-model-deployment` names."""

ProjectName = NewType("ProjectName", str)
"""The unit of tenancy; of the form that `NAME` says."""

UserId = NewType("UserId", str)
"""A person, as `usr_...`; names and addresses change, this does not."""

NAME: Final = re.compile(r"[a-z]([a-z0-9-]{1,30}[a-z0-9])")
"""Names that people give to projects, endpoints and deployments: 3 to 32 characters, a DNS label,
because an endpoint's becomes part of a host name."""

NAME_RULE: Final = (
    "Names are 3 to 32 characters of a-z, 0-9 and '-', begin with a letter and end without '-'."
)
"""`NAME`, for people."""

_random = random.Random(secrets.token_bytes(32))
"""Ids are no secrets: one seed for all of them instead of a system call each."""
_ALPHANUMERIC = string.ascii_letters + string.digits
_LOWER = string.ascii_lowercase + string.digits


def new_reply_id() -> str:
    """32 hexadecimal digits, the form of ids in replies of the Azure service."""
    return f"{_random.getrandbits(128):032x}"


def new_tool_call_id() -> str:
    """Nine characters of `[a-zA-Z0-9]`: Mistral's back ends accept no other form."""
    return "".join(_random.choices(_ALPHANUMERIC, k=9))


def new_id(prefix: str) -> str:
    """An opaque name that says what it names: `usr_` and 20 characters, never reused."""
    return f"{prefix}_{''.join(secrets.choice(_LOWER) for _ in range(20))}"
