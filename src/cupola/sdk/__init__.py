"""A client of the management API, typed, synchronous and asynchronous.

    with Cupola("http://127.0.0.1:8100", token) as cupola:
        cupola.endpoints.create_serverless("chat", "Cupola-Pilot", accept_terms=True)
        endpoint = cupola.endpoints.wait("chat")
        print(endpoint.target_uri, cupola.endpoints.get_keys("chat").primary_key)

`AsyncCupola` has the same methods, to be awaited; lists are iterated with `async for`.
Everything public is a name of this package; docs/reference/sdk.md lists all methods.
It imports nothing else of Cupola, and of others httpx only.
"""

from cupola.sdk._async.client import AsyncCupola
from cupola.sdk._errors import (
    BadReply,
    Conflict,
    CupolaError,
    Forbidden,
    Invalid,
    NotFound,
    OperationFailed,
    RateLimited,
    Refused,
    ServerFailed,
    Stale,
    TimedOut,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unreachable,
)
from cupola.sdk._results import (
    AllLimits,
    AuditEntry,
    Budget,
    Change,
    Changes,
    CostLine,
    CostReport,
    Deployment,
    DeviceCode,
    Difference,
    Endpoint,
    InstanceType,
    KeyPair,
    Limits,
    Me,
    Member,
    Membership,
    Model,
    Notice,
    Operation,
    Price,
    Project,
    ProjectKey,
    Session,
    SignedIn,
    Subscription,
    UsageLine,
    UsageReport,
    User,
)
from cupola.sdk._sync.client import Cupola

__all__ = [
    "AllLimits",
    "AsyncCupola",
    "AuditEntry",
    "BadReply",
    "Budget",
    "Change",
    "Changes",
    "Conflict",
    "CostLine",
    "CostReport",
    "Cupola",
    "CupolaError",
    "Deployment",
    "DeviceCode",
    "Difference",
    "Endpoint",
    "Forbidden",
    "InstanceType",
    "Invalid",
    "KeyPair",
    "Limits",
    "Me",
    "Member",
    "Membership",
    "Model",
    "NotFound",
    "Notice",
    "Operation",
    "OperationFailed",
    "Price",
    "Project",
    "ProjectKey",
    "RateLimited",
    "Refused",
    "ServerFailed",
    "Session",
    "SignedIn",
    "Stale",
    "Subscription",
    "TimedOut",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
    "UsageLine",
    "UsageReport",
    "User",
]

# A trace names what can be imported, not where it happens to be written.
for _name in __all__:
    globals()[_name].__module__ = __name__
del _name
