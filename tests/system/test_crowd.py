"""A small crowd at every limit; `python -m tests.system.crowd` is the large one, at every scope."""

from pathlib import Path

import pytest

from cupola.quotas.model import LimitKind
from tests.system.crowd import SCOPES, list_cases, platform_of, run_case

CLIENTS = 24
REQUESTS = 20


@pytest.mark.parametrize("gateways", [1, 2])
def test_limits_hold_and_refuse_nothing_that_fits(gateways: int, tmp_path: Path):
    """Each kind of limit, at one scope after the other."""
    with platform_of(gateways, tmp_path) as platform:
        cases = {
            (each.kind, each.scope): each
            for each in list_cases(REQUESTS, platform.measure_reserve())
        }
        turns = [
            cases[kind, SCOPES[(number + gateways) % len(SCOPES)]]
            for number, kind in enumerate(LimitKind)
        ]
        outcomes = [run_case(platform, case, CLIENTS, 0) for case in turns]

    assert [] == [each for each in outcomes if not each.holds]
