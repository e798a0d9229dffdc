from cupola.metering.hours import KeptDays
from cupola.metering.usage import Sums, UsageRow

_ROWS = [UsageRow((hour,), "EUR", Sums(1)) for hour in range(24)]


def test_a_day_that_grew_is_not_known():
    """A late record makes it another day; so does another report."""
    days = KeptDays()
    days.keep(0, "a", 7, _ROWS)

    assert _ROWS is days.find(0, "a", 7)
    assert [None] * 3 == [days.find(0, "a", 8), days.find(0, "b", 7), days.find(1, "a", 7)]


def test_what_is_kept_is_bounded():
    """Days that were asked for last stay, also if they were kept first."""
    days = KeptDays(most=100)
    for day in range(50):
        days.keep(day, "a", 1, _ROWS)
        assert _ROWS == days.find(0, "a", 1)
        days.keep(day, "a", 2 if day else 1, _ROWS)

    assert [0, 47, 48, 49] == [day for day in range(50) if days.find(day, "a", 2 if day else 1)]
    for day in range(1000):
        days.keep(day, "nothing", 0, [])
    assert len(days._days) <= 100
