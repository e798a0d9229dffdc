"""`cupola audit`: what was changed, by whom."""

from itertools import islice
from typing import Annotated

import typer

from cupola.cli.options import HomeOption, JsonOption, ProjectOption, ServerOption
from cupola.cli.output import print_json, print_table, spell_time


def audit(
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Lines.")] = 50,
    platform: Annotated[
        bool, typer.Option("--all", help="Of the whole platform; for administrators.")
    ] = False,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """List the last changes in the project, newest first."""
    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        entries = client.audit.list(project=None if platform else client.project)
        lines = [*islice(entries, limit)]
    if json:
        print_json(lines)
        return
    print_table(
        ["TIME", "WHO", "FROM", "ACTION", "TARGET", "PROJECT"],
        [
            [
                spell_time(each.time),
                each.actor,
                each.source,
                each.action,
                each.target,
                each.project or "-",
            ]
            for each in lines
        ],
    )
