"""The text is what Prometheus reads: a parser of its own makers takes it apart."""

from collections.abc import Iterator, Sequence

from prometheus_client.parser import text_string_to_metric_families

from cupola.telemetry.metrics import Family, Histogram, Kind, Reading, render

COUNT = Family("cups_total", Kind.COUNTER, "Cups, by what is \\ in them.", ("content",))
LEVEL = Family("level", Kind.GAUGE, "How full.")
TIMES = Family("times_seconds", Kind.HISTOGRAM, "How long.", ("place",), (0.1, 1.0))


class Cups:
    families: Sequence[Family] = (COUNT, LEVEL, TIMES)

    def __init__(self) -> None:
        self.histogram = Histogram(TIMES.bounds)

    def read(self) -> Iterator[Reading]:
        yield COUNT, [(('a "b" \\ c\nd',), 3), (("tea",), 4)]
        yield LEVEL, [((), 0.25)]
        yield TIMES, [(("here",), self.histogram)]


def read(*sources: Cups) -> dict[str, object]:
    return {each.name: each for each in text_string_to_metric_families("".join(render(sources)))}


def samples(family: object) -> dict[tuple[str, ...], float]:
    return {(each.name, *each.labels.values()): each.value for each in family.samples}  # type: ignore[attr-defined]


def test_labels_come_through_whole():
    """Quotes, backslashes and line ends are escaped as the format has it."""
    counts = read(Cups())["cups"]

    assert {("cups_total", 'a "b" \\ c\nd'): 3, ("cups_total", "tea"): 4} == samples(counts)
    assert "counter" == counts.type  # type: ignore[attr-defined]


def test_number_without_labels_needs_no_braces():
    """A gauge of the whole process."""
    assert {("level",): 0.25} == samples(read(Cups())["level"])


def test_buckets_hold_all_below_them():
    """A bound belongs to the bucket that it ends; sum and count are those of all values."""
    cups = Cups()
    for value in (0.05, 0.1, 0.5, 7.0):
        cups.histogram.observe(value)

    assert {
        ("times_seconds_bucket", "here", "0.1"): 2,
        ("times_seconds_bucket", "here", "1.0"): 3,
        ("times_seconds_bucket", "here", "+Inf"): 4,
        ("times_seconds_count", "here"): 4,
        ("times_seconds_sum", "here"): 7.65,
    } == samples(read(cups)["times_seconds"])


def test_nothing_is_made_before_it_is_asked_for():
    """Whoever sends the page may stop between any two pieces."""
    pieces = render([Cups()])

    assert next(pieces).startswith("# HELP cups_total")
    assert next(pieces).startswith("# TYPE cups_total counter")
    assert next(pieces).startswith("cups_total{")
