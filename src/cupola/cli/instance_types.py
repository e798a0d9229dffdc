"""`cupola instance-types`: what instances of managed deployments may be."""

import re
from typing import Annotated

import typer

from cupola.cli.options import HomeOption, JsonOption, ServerOption
from cupola.cli.output import print_json, print_table

app = typer.Typer(help="What instances of managed deployments may be.", no_args_is_help=True)

_GIB = 1024**3
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?GiB")


@app.command("list")
def list_types(
    json: JsonOption = False, server: ServerOption = None, home: HomeOption = None
) -> None:
    """List them."""
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        types = [*client.instance_types.list()]
    if json:
        print_json(types)
        return
    print_table(
        ["NAME", "CORES", "MEMORY", "GPUS"],
        [[each.name, str(each.cores), _spell(each.memory), str(each.gpus)] for each in types],
    )


@app.command("put")
def put_type(
    name: str,
    cores: Annotated[int, typer.Option("--cores", metavar="N", min=1)],
    memory: Annotated[str, typer.Option("--memory", metavar="SIZE", help="As 8GiB, or bytes.")],
    gpus: Annotated[int, typer.Option("--gpus", metavar="N", min=0)] = 0,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Add one, or change it. For administrators."""
    from cupola.cli.remote import connect

    size = read_size(memory)
    with connect(server, home) as client:
        made = client.instance_types.put(name, cores=cores, memory=size, gpus=gpus)
    if json:
        print_json(made)
    else:
        print(f"{made.name} has {made.cores} cores and {_spell(made.memory)} of memory.")


@app.command("delete")
def delete_type(
    name: str, json: JsonOption = False, server: ServerOption = None, home: HomeOption = None
) -> None:
    """Offer one no more. For administrators."""
    from cupola.cli.output import print_done
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        client.instance_types.delete(name)
    print_done(json, name, "deleted", f"The instance type {name} is deleted.")


def read_size(text: str) -> int:
    """Bytes. Raises: BadParameter."""
    if match := _SIZE.fullmatch(text):
        return int(float(match[1]) * _GIB)
    if text.isdecimal():
        return int(text)
    raise typer.BadParameter(f"{text!r} is no size. It looks like 8GiB, or a number of bytes.")


def _spell(size: int) -> str:
    return f"{size / _GIB:.1f} GiB"
