"""Marks what the standard suites leave to chance, from the list in the test's own class."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        left_out: dict[str, str] = getattr(getattr(item, "cls", None), "left_out", {})
        reason = left_out.get(getattr(item, "originalname", item.name))
        if reason:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=False))
