"""Options that several commands have."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

HomeOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="Folder of all state (default: CUPOLA_HOME)."),
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs; its form is stable.")
]
ServerOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        help="The server to ask (default: CUPOLA_SERVER, else this machine's).",
    ),
]
ProjectOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--project", metavar="P", help="The project (default: CUPOLA_PROJECT)."),
]
NoWaitOption: TypeAlias = Annotated[
    bool, typer.Option("--no-wait", help="Return at once; do not wait until it is done.")
]
TimeoutOption: TypeAlias = Annotated[
    float | None,
    typer.Option("--timeout", metavar="S", min=0, help="Seconds to wait (default: no limit)."),
]
EndpointArgument: TypeAlias = Annotated[str, typer.Argument(metavar="ENDPOINT")]
DeploymentOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--deployment", metavar="D", help="Which of the endpoint's deployments."),
]
