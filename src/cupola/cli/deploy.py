"""`cupola deploy`: from a model to an endpoint that answers."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cupola.cli.options import (
    HomeOption,
    JsonOption,
    NoWaitOption,
    ProjectOption,
    ServerOption,
    TimeoutOption,
)
from cupola.cli.output import print_json

if TYPE_CHECKING:
    from cupola.sdk import Cupola, Endpoint, Model

EndpointName = Annotated[str, typer.Option("--name", metavar="E", help="The endpoint's name.")]
DeploymentName = Annotated[
    str | None,
    typer.Option(
        "--deployment", metavar="D", help="Managed: a deployment's name (default: the endpoint's)."
    ),
]
Managed = Annotated[bool, typer.Option("--managed", help="On instances of its own.")]
InstanceTypeOption = Annotated[
    str | None,
    typer.Option("--instance-type", metavar="T", help="Managed: what an instance has."),
]
Instances = Annotated[
    int | None, typer.Option("--instances", metavar="K", min=1, max=50, help="Managed: how many.")
]
SharedQuota = Annotated[
    bool,
    typer.Option("--shared-quota", help="Managed: without quota; deleted after 168 hours."),
]


class AuthMode(StrEnum):
    """What callers prove themselves with."""

    KEY = "key"
    TOKEN = "token"


AuthModeOption = Annotated[
    AuthMode, typer.Option("--auth-mode", help="Managed: a key, or a token of a provider.")
]
Quantisation = Annotated[
    str | None, typer.Option("--quantisation", metavar="Q", help="Which weights, as Q4_K_M.")
]
MinReplicas = Annotated[
    int | None,
    typer.Option("--min-replicas", metavar="N", min=0, help="Serverless: floor; 0 lets it sleep."),
]
MaxReplicas = Annotated[
    int | None, typer.Option("--max-replicas", metavar="N", min=1, help="Serverless: ceiling.")
]
AcceptTerms = Annotated[
    bool, typer.Option("--accept-terms", help="Serverless: accept the model's terms and prices.")
]


def deploy(
    model: str,
    name: EndpointName,
    managed: Managed = False,
    deployment: DeploymentName = None,
    instance_type: InstanceTypeOption = None,
    instances: Instances = None,
    shared_quota: SharedQuota = False,
    auth_mode: AuthModeOption = AuthMode.KEY,
    quantisation: Quantisation = None,
    min_replicas: MinReplicas = None,
    max_replicas: MaxReplicas = None,
    accept_terms: AcceptTerms = False,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = None,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Put MODEL behind an endpoint: serverless, or on instances of its own with --managed.

    With --managed and --deployment, an endpoint that is there gets one deployment more.
    """
    from cupola.cli.remote import connect

    _check_use(managed, deployment, instance_type, instances, min_replicas, max_replicas)
    with connect(server, home, project) as client:
        if managed:
            what = {"model": model, "quantisation": quantisation}
            size = {"instance_type": instance_type, "instances": instances or 1}
            how = {"shared_quota": shared_quota, "auth_mode": auth_mode.value}
            _deploy_managed(client, name, deployment, what | size, how)
        else:
            client.endpoints.create_serverless(
                name,
                model,
                accept_terms=_accept_terms(client, model, accept_terms),
                quantisation=quantisation,
                min_replicas=min_replicas,
                max_replicas=max_replicas,
            )
        endpoint = finish(client, name, deployment, no_wait=no_wait, timeout=timeout)
    if json:
        print_json(endpoint)
    else:
        _show(endpoint)


def finish(
    client: "Cupola", name: str, deployment: str | None, *, no_wait: bool, timeout: float | None
) -> "Endpoint":
    """The endpoint when its work is done, shown until then; at once with `no_wait`.

    Raises:
        Failed: It is not ready; the message says why.
    """
    from time import monotonic

    from cupola import sdk
    from cupola.cli.failure import REFUSED, UNAVAILABLE, Failed
    from cupola.cli.progress import shown_progress

    if no_wait:
        return client.endpoints.get(name)
    begun = monotonic()
    try:
        with shown_progress(name, deployment) as tell:
            return client.endpoints.wait(
                name, deployment=deployment, timeout=timeout, on_progress=tell
            )
    except sdk.OperationFailed as error:
        late = timeout is not None and monotonic() - begun >= timeout
        hint = f"See `cupola logs {name}` and `cupola endpoints show {name}`."
        raise Failed(f"{error.reason}\n{hint}", UNAVAILABLE if late else REFUSED) from error


def _check_use(
    managed: bool,
    deployment: str | None,
    instance_type: str | None,
    instances: int | None,
    min_replicas: int | None,
    max_replicas: int | None,
) -> None:
    """Options that do not go together are bad use, not something to leave out in silence."""
    if managed and instance_type is None:
        raise typer.BadParameter(
            "--managed needs --instance-type. `cupola instance-types list` shows what there is."
        )
    if managed and (min_replicas, max_replicas) != (None, None):
        raise typer.BadParameter("--managed has --instances; replicas are of serverless ones.")
    if not managed and (deployment, instance_type, instances) != (None, None, None):
        raise typer.BadParameter("--deployment, --instance-type and --instances need --managed.")


def _deploy_managed(
    client: "Cupola",
    name: str,
    deployment: str | None,
    what: dict[str, Any],
    how: dict[str, Any],
) -> None:
    """A new endpoint, or one deployment more behind one that is there."""
    from cupola import sdk

    if deployment is not None:
        try:
            client.endpoints.get(name)
        except sdk.NotFound:
            pass
        else:
            client.endpoints.put_deployment(name, deployment, **what)
            return
    client.endpoints.create_managed(name, deployment=deployment, **what, **how)


def _accept_terms(client: "Cupola", name: str, accepts: bool) -> bool:
    """Whether to accept the offer along with the deployment; asks, where somebody can answer.

    Raises:
        Failed: It must be accepted, and is not.
    """
    from cupola.cli.failure import Failed

    model = client.models.get(name)
    if any(each.model == model.name for each in client.subscriptions.list()):
        typer.echo(f"The offer of {model.name} is accepted: continue to deploy.", err=True)
        return False
    if accepts:
        return True
    typer.echo(_spell_offer(model), err=True)
    if sys.stdin.isatty() and typer.confirm("Accept?", err=True):
        return True
    raise Failed(
        f"The project {client.project} has not accepted the offer of {model.name}. Add "
        f"--accept-terms, or run: cupola subscriptions accept {model.name}"
    )


def _spell_offer(model: "Model") -> str:
    return (
        f"{model.name} of {model.publisher} has these terms: {model.license}, {model.terms}\n"
        f"Price of 1,000 tokens: {model.price_input} in, {model.price_output} out."
    )


def _show(endpoint: "Endpoint") -> None:
    from cupola.cli.output import print_fields

    print_fields(
        [
            ("Endpoint", endpoint.name),
            ("Model", endpoint.model),
            ("State", endpoint.state),
            *((("Reason", endpoint.reason),) if endpoint.reason else ()),
            ("Target URI", endpoint.target_uri),
            ("Keys", f"cupola keys list {endpoint.name}"),
        ]
    )
