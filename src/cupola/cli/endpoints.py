"""`cupola endpoints`: from the server, or from the home where none runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cupola.cli.options import (
    DeploymentOption,
    HomeOption,
    JsonOption,
    NoWaitOption,
    ProjectOption,
    ServerOption,
)
from cupola.cli.output import print_done, print_fields, print_json, print_table, spell_time

if TYPE_CHECKING:
    from cupola.cli.installation import Installation
    from cupola.deployments.model import Endpoint as StoredEndpoint
    from cupola.deployments.schemas import EndpointSummary
    from cupola.sdk import Deployment, Endpoint, KeyPair

app = typer.Typer(help="The endpoints: what clients call.", no_args_is_help=True)

_NOBODY = "No server runs. Start one with `cupola up`."


@dataclass(frozen=True, slots=True)
class EndpointLine:
    """One line of a list as `--json` prints it; docs/reference/cli.md promises its fields."""

    name: str
    kind: str
    model: str
    state: str
    target_uri: str
    project: str
    reason: str | None
    progress: float | None


@dataclass(frozen=True, slots=True)
class EndpointView:
    """All of one; the keys are null for those who may not call it."""

    name: str
    kind: str
    model: str
    state: str
    target_uri: str
    primary_key: str | None
    secondary_key: str | None
    project: str
    reason: str | None
    progress: float | None
    auth_mode: str
    content_safety: bool
    traffic: Mapping[str, int]
    limits: Mapping[str, int | None]
    expires: datetime | None
    description: str
    tags: Mapping[str, str]
    created: datetime | None
    version: int
    deployments: Sequence[Mapping[str, Any]]


@app.command("list")
def list_endpoints(
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """List the project's endpoints. Keys are shown by `show` and by `cupola keys list` only."""
    from cupola.cli.remote import connect, is_anywhere

    if is_anywhere(server, home):
        with connect(server, home, project) as client:
            lines = [_summarise(each) for each in client.endpoints.list()]
    else:
        lines = [*_read_lines(home, project)]
    if json:
        print_json(lines)
    elif lines:
        print_table(
            ["NAME", "KIND", "MODEL", "STATE", "TARGET URI"],
            [[each.name, each.kind, each.model, each.state, each.target_uri] for each in lines],
        )
    else:
        print("There is no endpoint yet. `cupola deploy` makes one, and so does a first start.")


@app.command("show")
def show_endpoint(
    name: str,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Show one endpoint, with its keys if you may call it."""
    from cupola.cli.remote import connect, is_anywhere

    if is_anywhere(server, home):
        from cupola import sdk

        with connect(server, home, project) as client:
            endpoint = client.endpoints.get(name)
            try:
                keys = client.endpoints.get_keys(name)
            except sdk.Forbidden:
                keys = None
        view = _view(endpoint, keys)
    else:
        view = _read_view(home, name)
    print_json(view) if json else _show(view)


@app.command("delete")
def delete_endpoint(
    name: str,
    deployment: DeploymentOption = None,
    no_wait: NoWaitOption = False,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Delete an endpoint with all behind it, or only one of its deployments."""
    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        if deployment is None:
            operation = client.endpoints.delete(name)
        else:
            operation = client.endpoints.delete_deployment(name, deployment)
        if operation is not None and not no_wait:
            client.operations.wait(operation)
    gone = name if deployment is None else f"{name}/{deployment}"
    print_done(json, gone, "deleted", f"{gone} is deleted.")


def _summarise(endpoint: "Endpoint") -> EndpointLine:
    return EndpointLine(
        name=endpoint.name,
        kind=endpoint.kind,
        model=endpoint.model,
        state=endpoint.state,
        target_uri=endpoint.target_uri,
        project=endpoint.project,
        reason=endpoint.reason,
        progress=endpoint.progress,
    )


def _view(endpoint: "Endpoint", keys: "KeyPair | None") -> EndpointView:
    from dataclasses import asdict

    return EndpointView(
        name=endpoint.name,
        kind=endpoint.kind,
        model=endpoint.model,
        state=endpoint.state,
        target_uri=endpoint.target_uri,
        primary_key=keys.primary_key if keys else None,
        secondary_key=keys.secondary_key if keys else None,
        project=endpoint.project,
        reason=endpoint.reason,
        progress=endpoint.progress,
        auth_mode=endpoint.auth_mode,
        content_safety=endpoint.content_safety,
        traffic=endpoint.traffic,
        limits=asdict(endpoint.limits),
        expires=endpoint.expires,
        description=endpoint.description,
        tags=endpoint.tags,
        created=endpoint.created,
        version=endpoint.version,
        deployments=[asdict(each) for each in endpoint.deployments],
    )


def _read_lines(home: Path | None, project: str | None) -> Sequence[EndpointLine]:
    """Of the home where no server runs."""
    from cupola.cli.installation import Installation
    from cupola.settings import load_client_settings

    wanted = load_client_settings(project=project).project
    installation = Installation.open(home)
    return [
        _summarise(_as_resource(summary, endpoint, installation))
        for summary, endpoint in installation.list_endpoints()
        if endpoint.project == wanted
    ]


def _read_view(home: Path | None, name: str) -> EndpointView:
    """Raises: NotFound, with the names there are."""
    from cupola.cli.installation import Installation
    from cupola.sdk import KeyPair

    installation = Installation.open(home)
    summary, endpoint, keys = installation.get_endpoint(name)
    return _view(
        _as_resource(summary, endpoint, installation), KeyPair(keys.primary, keys.secondary)
    )


def _as_resource(
    summary: "EndpointSummary", endpoint: "StoredEndpoint", installation: "Installation"
) -> "Endpoint":
    """A stored endpoint as the management API would show it."""
    from cupola import sdk

    return sdk.Endpoint(
        name=summary.name,
        project=endpoint.project,
        kind=summary.kind.value,
        model=summary.model,
        state=summary.state.value,
        reason=_NOBODY if installation.server is None else None,
        target_uri=summary.target_uri,
        auth_mode=endpoint.auth_mode.value,
        content_safety=endpoint.content_safety,
        traffic={f"{name}": share for name, share in endpoint.traffic.items()},
        limits=sdk.Limits(endpoint.limits.tokens_per_minute, endpoint.limits.requests_per_minute),
        expires=_time(endpoint.expires),
        description=endpoint.description,
        tags=endpoint.tags,
        created=_time(endpoint.created),
        version=endpoint.version,
        deployments=tuple(_list_deployments(endpoint)),
    )


def _list_deployments(endpoint: "StoredEndpoint") -> "Sequence[Deployment]":
    from cupola import sdk

    managed = endpoint.kind.value == "managed"
    return [
        sdk.Deployment(
            name=each.name,
            model=each.spec.model,
            quantisation=each.spec.quantisation,
            instance_type=each.scale.instance_type,
            instances=each.scale.maximum if managed else None,
            min_replicas=None if managed else each.scale.minimum,
            max_replicas=None if managed else each.scale.maximum,
            slots=each.spec.slots,
            context_length=each.spec.context_length,
            revision=each.revision,
            state="stopped",
            reason=_NOBODY,
            wanted=each.scale.minimum,
            outcome=each.outcome or None,
            created=_time(each.created),
        )
        for each in endpoint.deployments
    ]


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _show(view: EndpointView) -> None:
    split = ", ".join(f"{name} {share} %" for name, share in view.traffic.items())
    print_fields(
        [
            ("Name", view.name),
            ("Kind", view.kind),
            ("Model", view.model),
            ("State", view.state),
            *((("Reason", view.reason),) if view.reason else ()),
            ("Target URI", view.target_uri),
            ("Primary key", view.primary_key or "not shown to you"),
            ("Secondary key", view.secondary_key or "not shown to you"),
            ("Project", view.project),
            *((("Expires", spell_time(view.expires)),) if view.expires else ()),
            *((("Traffic", split),) if len(view.deployments) > 1 else ()),
            *(("Deployment", _describe(each)) for each in view.deployments),
        ]
    )


def _describe(deployment: Mapping[str, Any]) -> str:
    """One line for people."""
    said = deployment["reason"] or deployment["outcome"]
    reason = f": {said}" if said else ""
    ready = f"{deployment['ready']} of {deployment['wanted']} ready"
    return f"{deployment['name']} ({deployment['model']}), {deployment['state']}, {ready}{reason}"
