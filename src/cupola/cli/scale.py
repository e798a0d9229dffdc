"""`cupola scale` and `cupola traffic`: how much stands behind an endpoint, and who gets it."""

from typing import TYPE_CHECKING, Annotated

import typer

from cupola.cli.options import (
    DeploymentOption,
    EndpointArgument,
    HomeOption,
    JsonOption,
    NoWaitOption,
    ProjectOption,
    ServerOption,
    TimeoutOption,
)
from cupola.cli.output import print_fields, print_json

if TYPE_CHECKING:
    from cupola.sdk import Endpoint

Instances = Annotated[
    int | None, typer.Option("--instances", metavar="K", min=1, max=50, help="Managed: how many.")
]
MinReplicas = Annotated[
    int | None, typer.Option("--min-replicas", metavar="N", min=0, help="Serverless: the floor.")
]
MaxReplicas = Annotated[
    int | None, typer.Option("--max-replicas", metavar="N", min=1, help="Serverless: the ceiling.")
]
Shares = Annotated[
    list[str],
    typer.Argument(metavar="DEPLOYMENT=PERCENT...", help="Shares that are together 100."),
]


def scale(
    endpoint: EndpointArgument,
    instances: Instances = None,
    min_replicas: MinReplicas = None,
    max_replicas: MaxReplicas = None,
    deployment: DeploymentOption = None,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = None,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Change how many instances (managed) or replicas (serverless) an endpoint has."""
    from cupola.cli.deploy import finish
    from cupola.cli.remote import connect

    replicas = (min_replicas, max_replicas) != (None, None)
    if (instances is None) == (not replicas):
        raise typer.BadParameter(
            "Give --instances for a managed endpoint, or --min-replicas and --max-replicas for a "
            "serverless one."
        )
    with connect(server, home, project) as client:
        if instances is not None:
            name = deployment or _only_deployment(client.endpoints.get(endpoint))
            client.endpoints.update_deployment(endpoint, name, instances=instances)
        else:
            client.endpoints.update(endpoint, min_replicas=min_replicas, max_replicas=max_replicas)
        _show(finish(client, endpoint, deployment, no_wait=no_wait, timeout=timeout), json)


def traffic(
    endpoint: EndpointArgument,
    shares: Shares,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Divide an endpoint's requests among its deployments, as `blue=90 green=10`."""
    from cupola.cli.remote import connect

    split = read_shares(shares)
    with connect(server, home, project) as client:
        _show(client.endpoints.update(endpoint, traffic=split), json)


def read_shares(words: list[str]) -> dict[str, int]:
    """`blue=90` and the like. Raises: BadParameter."""
    shares: dict[str, int] = {}
    for word in words:
        name, _, percent = word.partition("=")
        if not name or not percent.isdecimal() or name in shares:
            raise typer.BadParameter(
                f"{word!r} is no share. It looks like blue=90, each name once."
            )
        shares[name] = int(percent)
    if sum(shares.values()) not in (0, 100):
        raise typer.BadParameter(
            f"The shares are together {sum(shares.values())}; they should be 100, or all 0."
        )
    return shares


def _only_deployment(endpoint: "Endpoint") -> str:
    if len(endpoint.deployments) == 1:
        return endpoint.deployments[0].name
    names = ", ".join(each.name for each in endpoint.deployments)
    raise typer.BadParameter(
        f"{endpoint.name} has several deployments: {names}. Say which with --deployment."
    )


def _show(endpoint: "Endpoint", json: bool) -> None:
    if json:
        print_json(endpoint)
        return
    split = ", ".join(f"{name} {share} %" for name, share in endpoint.traffic.items())
    counts = ", ".join(
        f"{each.name} {each.ready} of {each.wanted}" for each in endpoint.deployments
    )
    print_fields(
        [
            ("Endpoint", endpoint.name),
            ("State", endpoint.state),
            ("Traffic", split or "-"),
            ("Ready", counts or "-"),
        ]
    )
