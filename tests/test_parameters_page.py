"""The parameter reference is what the tables say."""

from cupola.wire.meanings import MEANINGS
from scripts.write_parameters_page import PAGE, write_page


def test_the_page_is_up_to_date():
    """docs/reference/parameters.md is what `python scripts/write_parameters_page.py` writes."""
    assert PAGE.read_text("utf-8") == write_page()


def test_no_meaning_is_left_over():
    """Every meaning belongs to a field."""
    page = write_page()

    assert all(f"| `{name}` |" in page for name in MEANINGS)
