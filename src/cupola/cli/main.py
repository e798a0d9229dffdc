"""The command `cupola`: its subcommands, and how their failures look."""

import os
import sys

import typer

from cupola.cli import backup, chat, doctor, endpoints, models, up, version
from cupola.kit.errors import CupolaError

app = typer.Typer(
    name="cupola",
    help="Choose a model, deploy it, and call it like a model of Azure AI's inference API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("chat")(chat.chat)
app.add_typer(endpoints.app, name="endpoints")
app.add_typer(models.app, name="models")
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("doctor")(doctor.doctor)
app.command("version")(version.version)


def main() -> None:
    """Run a command. A failure that has a mend is one message, not a traceback."""
    try:
        app()
    except CupolaError as error:
        print(f"cupola: {error.public}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # as in `cupola models list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
