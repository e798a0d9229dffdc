"""`cupola logs`: what the engines behind an endpoint write."""

from typing import Annotated

import typer

from cupola.cli.options import (
    DeploymentOption,
    EndpointArgument,
    HomeOption,
    JsonOption,
    ProjectOption,
    ServerOption,
)


def logs(
    endpoint: EndpointArgument,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
    deployment: DeploymentOption = None,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Print the log of an endpoint's engines. With --json, each line is a JSON string."""
    from json import dumps

    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        for line in client.endpoints.iter_log(endpoint, deployment=deployment, follow=follow):
            print(dumps(line, ensure_ascii=False) if json else line, flush=follow)
