"""Names that others import are pinned: one that goes, or comes, is a decision."""

import cupola.sdk


def test_sdk():
    """Flat, sorted, and each says that it is of `cupola.sdk`."""
    names = cupola.sdk.__all__

    assert sorted(names) == names
    assert [
        *("AllLimits", "AsyncCupola", "AuditEntry", "BadReply", "Budget", "Change"),
        *("Changes", "Conflict", "CostLine", "CostReport", "Cupola", "CupolaError"),
        *("Deployment", "DeviceCode", "Difference", "Endpoint", "Forbidden", "InstanceType"),
        *("Invalid", "KeyPair", "Limits", "Me", "Member", "Membership", "Model", "NotFound"),
        *("Notice", "Operation", "OperationFailed", "Price", "Project", "ProjectKey"),
        *("RateLimited", "Refused", "ServerFailed", "Session", "SignedIn", "Stale"),
        *("Subscription", "TimedOut", "TooLarge", "Unauthenticated", "Unavailable"),
        *("Unreachable", "UsageLine", "UsageReport", "User"),
    ] == names
    assert {"cupola.sdk"} == {getattr(cupola.sdk, name).__module__ for name in names}
    assert sorted(names) == sorted(
        name
        for name, value in vars(cupola.sdk).items()
        if not name.startswith("_") and type(value).__name__ != "module"
    )
