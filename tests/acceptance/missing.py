"""What a test does when the machine lacks something that it needs."""

import os
from typing import NoReturn

import pytest

_IN_CI = os.environ.get("CI") == "true"  # noqa: TID251  about the tests' machine, not Cupola


def give_up(reason: str) -> NoReturn:
    """A laptop may lack it, so the test is skipped; a machine meant for testing may not."""
    if _IN_CI:
        pytest.fail(reason)
    pytest.skip(reason)
