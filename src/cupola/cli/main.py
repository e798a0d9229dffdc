"""The command `cupola`: its subcommands, and how their failures look.

A subcommand's file is imported when it is asked for, or when help lists it: what one command needs,
its options included, costs the others nothing.
"""

import os
import sys
from importlib import import_module
from typing import Any, Final, TypeAlias

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from cupola.cli.failure import INTERRUPTED, choose_status
from cupola.kit.errors import CupolaError

_Context: TypeAlias = Any
_Command: TypeAlias = Any
"""click's, of which Typer has a copy of its own that it does not publish."""

COMMANDS: Final = {
    "up": "up.up",
    "chat": "chat.chat",
    "endpoints": "endpoints.app",
    "models": "models.app",
    "deploy": "deploy.deploy",
    "scale": "scale.scale",
    "traffic": "scale.traffic",
    "keys": "keys.app",
    "logs": "logs.logs",
    "subscriptions": "subscriptions.app",
    "projects": "projects.app",
    "users": "users.app",
    "instance-types": "instance_types.app",
    "usage": "usage.usage",
    "cost": "usage.cost",
    "limits": "limits.app",
    "prices": "prices.app",
    "budgets": "budgets.app",
    "audit": "audit.audit",
    "plan": "platform.plan",
    "apply": "platform.apply",
    "export": "platform.export",
    "backup": "backup.backup",
    "restore": "backup.restore",
    "login": "login.login",
    "logout": "login.logout",
    "tokens": "tokens.app",
    "whoami": "login.whoami",
    "doctor": "doctor.doctor",
    "version": "version.version",
}
"""In the order of help: each with its module in this package, and its name there."""


class _Commands(TyperGroup):
    """A group that makes its commands when they are wanted."""

    def list_commands(self, ctx: _Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: _Context, cmd_name: str) -> _Command | None:
        # A misspelt one is compared with all that there are, to say which may have been meant.
        for name in [cmd_name] if cmd_name in COMMANDS else COMMANDS:
            if name not in self.commands:
                self.commands[name] = _make(name)
        return self.commands.get(cmd_name)


def _make(name: str) -> _Command:
    module, _, attribute = COMMANDS[name].partition(".")
    found = getattr(import_module(f"cupola.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    return get_command(alone)


app = typer.Typer(
    name="cupola",
    help="Choose a model, deploy it, and call it like a model of Azure AI's inference API.",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _begin() -> None:
    """A group without commands of its own needs something to call."""


def main() -> None:
    """Run a command. A failure that has a mend is one message, not a traceback."""
    try:
        app()
    except CupolaError as error:
        print(f"cupola: {error.public}", file=sys.stderr)
        sys.exit(choose_status(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # as in `cupola models list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
