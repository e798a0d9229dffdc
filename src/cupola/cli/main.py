"""The command `cupola`: its subcommands, and how their failures look."""

import os
import sys

import typer

from cupola.cli import (
    audit,
    backup,
    budgets,
    chat,
    deploy,
    doctor,
    endpoints,
    instance_types,
    keys,
    limits,
    login,
    logs,
    models,
    platform,
    prices,
    projects,
    scale,
    subscriptions,
    tokens,
    up,
    usage,
    users,
    version,
)
from cupola.cli.failure import INTERRUPTED, choose_status
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
app.command("deploy")(deploy.deploy)
app.command("scale")(scale.scale)
app.command("traffic")(scale.traffic)
app.add_typer(keys.app, name="keys")
app.command("logs")(logs.logs)
app.add_typer(subscriptions.app, name="subscriptions")
app.add_typer(projects.app, name="projects")
app.add_typer(users.app, name="users")
app.add_typer(instance_types.app, name="instance-types")
app.command("usage")(usage.usage)
app.command("cost")(usage.cost)
app.add_typer(limits.app, name="limits")
app.add_typer(prices.app, name="prices")
app.add_typer(budgets.app, name="budgets")
app.command("audit")(audit.audit)
app.command("plan")(platform.plan)
app.command("apply")(platform.apply)
app.command("export")(platform.export)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("login")(login.login)
app.command("logout")(login.logout)
app.add_typer(tokens.app, name="tokens")
app.command("whoami")(login.whoami)
app.command("doctor")(doctor.doctor)
app.command("version")(version.version)


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
