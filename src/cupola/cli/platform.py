"""`cupola plan`, `apply` and `export`: the whole platform as one file."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cupola.cli.options import HomeOption, JsonOption, ServerOption
from cupola.cli.output import print_json

if TYPE_CHECKING:
    from cupola.sdk import Change, Changes

DocumentOption = Annotated[
    Path,
    typer.Option("-f", "--file", metavar="FILE", help="The document; - is standard input."),
]
Prune = Annotated[
    bool,
    typer.Option("--prune", help="Also delete what its sections do not have."),
]
_PLANNED = ("To do", "to {}")
_APPLIED = ("Done", "{}d")
_MARKS = {"create": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red")}


@dataclass(frozen=True, slots=True)
class Exported:
    """What `export --json` prints."""

    document: str


def plan(
    file: DocumentOption,
    prune: Prune = False,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Show what applying FILE would change. Nothing is changed."""
    from cupola.cli.remote import connect

    text = _read(file)
    with connect(server, home) as client:
        _show(client.plan(text, prune=prune), json, _PLANNED)


def apply(
    file: DocumentOption,
    prune: Prune = False,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Make the platform as FILE has it. Applying it again changes nothing."""
    from cupola.cli.remote import connect

    text = _read(file)
    with connect(server, home) as client:
        _show(client.apply(text, prune=prune), json, _APPLIED)


def export(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there.")
    ] = None,
    project: Annotated[
        list[str] | None,
        typer.Option("--project", metavar="P", help="Only this project; may be repeated."),
    ] = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Print the platform as a document for `apply`, without secrets."""
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        document = client.export(project or ())
    if output is not None:
        output.write_text(document, "utf-8")
    elif json:
        print_json(Exported(document))
    else:
        print(document, end="")


def _read(file: Path) -> bytes:
    from cupola.cli.failure import Failed

    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error.strerror}.") from error


def _show(result: "Changes", json: bool, words: tuple[str, str]) -> None:
    if json:
        print_json(result)
        return
    counts: dict[str, int] = {}
    for change in result.changes:
        counts[change.action] = counts.get(change.action, 0) + 1
        if change.action in _MARKS:
            _show_change(change)
    for note in result.notes:
        print(f"Note: {note}")
    begin, form = words
    done = [f"{counts[each]} {form.format(each)}" for each in _MARKS if each in counts]
    unchanged = counts.get("unchanged", 0)
    if done:
        print(f"{begin}: {', '.join(done)}, {unchanged} unchanged.")
    else:
        print(f"Nothing {begin.lower()}: all {unchanged} are as the document has them.")


def _show_change(change: "Change") -> None:
    mark, colour = _MARKS[change.action]
    typer.secho(f"{mark} {change.kind} {change.name}", fg=colour)
    for each in change.diff:
        place = ".".join(map(str, each.path))
        if change.action == "update" and each.before is not None:
            typer.secho(f"    - {place}: {_spell(each.before)}", fg="red")
        if each.after is not None or change.action == "update":
            typer.secho(f"    + {place}: {_spell(each.after)}", fg="green")


def _spell(value: object) -> str:
    """As the document has it."""
    from json import dumps

    return value if isinstance(value, str) else dumps(value, ensure_ascii=False)
