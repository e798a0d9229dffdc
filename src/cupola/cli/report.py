"""Reports with bars: in the terminal, as CSV, and as a picture."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from cupola.cli.failure import Failed
from cupola.cli.output import print_table

_WIDTH: Final = 24
"""Characters of the longest bar."""
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_ROW: Final = 26
_LABEL: Final = 260
_BAR: Final = 480
_MARGIN: Final = 16
_COLOUR: Final = "#3b6fb6"
_LONGEST: Final = 40
"""Characters of a label in a picture."""


@dataclass(frozen=True, slots=True)
class Row:
    """One group of a report."""

    names: Sequence[str]
    cells: Sequence[str]
    """As they are shown."""
    measure: int
    """What its bar shows, in whole units of whatever is measured."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report to show."""

    title: str
    by: Sequence[str]
    columns: Sequence[str]
    measure: str
    """What bars show, in a word or two."""
    rows: Sequence[Row]

    def most(self) -> int:
        return max((row.measure for row in self.rows), default=0)


def print_report(report: Report) -> None:
    """A table whose last column is a bar; numbers stand right."""
    if not report.rows:
        print(f"{report.title}: nothing.")
        return
    most, width = report.most(), len(report.by)
    header = [*(each.upper() for each in report.by), *map(str.upper, report.columns)]
    lines = [[*row.names, *row.cells] for row in report.rows]
    widths = [max(len(line[place]) for line in [header, *lines]) for place in range(len(header))]
    shown = [
        [cell if place < width else cell.rjust(widths[place]) for place, cell in enumerate(line)]
        for line in [header, *lines]
    ]
    bars = [draw_bar(row.measure, most) for row in report.rows]
    print_table(
        [*shown[0], "" if report.measure in report.columns else report.measure.upper()],
        [[*line, bar] for line, bar in zip(shown[1:], bars, strict=True)],
    )


def draw_bar(value: int, most: int) -> str:
    """A bar of eighths of a character, or of `#` where the terminal has no such characters."""
    eighths = value * _WIDTH * 8 // most if most else 0
    whole, rest = divmod(max(eighths, 1) if value > 0 else 0, 8)
    bar = "█" * whole + (_EIGHTHS[rest] if rest else "")
    try:
        bar.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return "#" * max(whole, 1)
    return bar


def plot(report: Report, file: Path) -> None:
    """Write the bars as a picture: SVG, or PNG where matplotlib is installed.

    Raises:
        Failed: The file's name ends with neither, or it cannot be written.
    """
    kind = file.suffix.lower()
    if kind not in (".svg", ".png"):
        raise Failed(f"{file} should end with .svg or .png.")
    try:
        if kind == ".svg":
            file.write_bytes(draw_svg(report))
        else:
            _write_png(report, file)
    except OSError as error:
        raise Failed(f"{file} cannot be written: {error.strerror or error}.") from error


def draw_svg(report: Report) -> bytes:
    """One bar a row, with its label and what it stands for."""
    height = _MARGIN * 2 + _ROW * (len(report.rows) + 1)
    width = _MARGIN * 2 + _LABEL + _BAR + _LABEL // 2
    picture = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width} {height}",
            "width": str(width),
            "height": str(height),
            "font-family": "sans-serif",
            "font-size": "13",
        },
    )
    _write(picture, _MARGIN, _MARGIN + 13, f"{report.title}: {report.measure}", "start")
    most = report.most()
    for place, row in enumerate(report.rows):
        top = _MARGIN + _ROW * (place + 1)
        length = row.measure * _BAR // most if most else 0
        _write(picture, _MARGIN + _LABEL - 8, top + 17, _label(row), "end")
        ElementTree.SubElement(
            picture,
            "rect",
            {
                "x": str(_MARGIN + _LABEL),
                "y": str(top + 4),
                "width": str(length),
                "height": str(_ROW - 8),
                "fill": _COLOUR,
            },
        )
        value = " ".join(cell for cell in _values(report, row))
        _write(picture, _MARGIN + _LABEL + length + 6, top + 17, value, "start")
    ElementTree.indent(picture)
    written: bytes = ElementTree.tostring(picture, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _write(picture: ElementTree.Element, x: int, y: int, text: str, anchor: str) -> None:
    place = {"x": str(x), "y": str(y), "text-anchor": anchor}
    # XML has no way at all to write most control characters.
    ElementTree.SubElement(picture, "text", place).text = "".join(
        each if each.isprintable() else "?" for each in text
    )


def _label(row: Row) -> str:
    text = ", ".join(row.names) or "all"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _values(report: Report, row: Row) -> Sequence[str]:
    """What the bar stands for, in figures."""
    if report.measure in report.columns:
        return [row.cells[report.columns.index(report.measure)]]
    return [f"{row.measure:,}"]


def _write_png(report: Report, file: Path) -> None:
    try:
        from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise Failed(
            "A PNG needs matplotlib. Install it with: pip install 'cupola[plot]'; or name a file "
            "that ends with .svg, which needs nothing."
        ) from error
    figure = Figure(figsize=(9, 1 + 0.35 * len(report.rows)), layout="constrained")
    axes = figure.subplots()
    # A label that begins a formula of TeX would be set as one.
    labels = [_label(row).replace("$", r"\$") for row in report.rows]
    places = range(len(labels))
    bars = axes.barh(places, [row.measure for row in report.rows], color=_COLOUR)
    axes.set_yticks(places, labels)
    axes.bar_label(bars, [" ".join(_values(report, row)) for row in report.rows], padding=4)
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.margins(x=0.15)  # room for the figures beside the bars
    axes.spines[:].set_visible(False)
    figure.suptitle(f"{report.title}: {report.measure}", x=0.01, ha="left")
    figure.savefig(file, format="png", dpi=120)
