"""Every client does everything that it can do, against one server.

What each does is in `scripts/` and `js/`, what has to come of it in `promises.py`, and who takes
part in `matrix.py`. A table at the end of the run sums it up.
"""

from collections.abc import Callable
from functools import cache

import pytest

from tests.clients.matrix import CLIENTS, FEATURES, Client
from tests.clients.promises import PROMISES
from tests.clients.run_client import Facts, run_client
from tests.running import Running

Reports = Callable[[Client], dict[str, Facts]]


def _cells() -> list[object]:
    """One test for each feature of each client; known faults are marked so that a mend shows."""
    return [
        pytest.param(
            client,
            feature,
            id=f"{client.label}-{feature}",
            marks=[
                pytest.mark.xfail(strict=True, raises=AssertionError, reason=client.broken[feature])
            ]
            if feature in client.broken
            else [],
        )
        for client in CLIENTS
        for feature in client.features
    ]


@pytest.fixture(scope="module")
def reports(request: pytest.FixtureRequest, running: Running) -> Reports:
    """What a client's script reported: it runs once, because many clients take long to import.

    A run that came to nothing is not tried again for the client's next feature, either.
    """

    @cache
    def report(place: int) -> dict[str, Facts] | BaseException:
        client = CLIENTS[place]
        try:
            if client.environment == "node":
                request.getfixturevalue("node")
            return run_client(client, running, *client.features)
        except (Exception, pytest.skip.Exception, pytest.fail.Exception) as error:  # noqa: BLE001  raised below
            return error

    def get(client: Client) -> dict[str, Facts]:
        reported = report(CLIENTS.index(client))
        if isinstance(reported, BaseException):
            raise reported
        return reported

    return get


@pytest.mark.parametrize(("client", "feature"), _cells())
def test_client(
    client: Client,
    feature: str,
    reports: Reports,
    record_property: Callable[[str, object], None],
) -> None:
    """The client can do it, and what comes of it is as promised."""
    record_property("matrix", (client.label, feature))
    facts = reports(client)[feature]

    assert "failed" not in facts, facts["failed"]
    PROMISES[feature](facts)


def test_every_feature_has_a_promise() -> None:
    """No feature can be listed that nothing is asked of."""
    assert FEATURES.keys() == PROMISES.keys()


@pytest.mark.parametrize("release", ["beta.1", "beta.5"])
def test_extras_in_a_csharp_stream_are_refused(release: str, running: Running) -> None:
    """That client forgets the header in stream mode, so the default holds, as in the original."""
    client = next(one for one in CLIENTS if one.kind == release)

    told = run_client(client, running, "stream_extras")["stream_extras"]

    assert 400 == told["status"]
    assert "extra-parameters" in told["told"]
