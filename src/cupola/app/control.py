"""The management API over the state and the fleet. Imported late (`app.management`)."""

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter

from cupola.app.metering import Metering
from cupola.app.state import State, locate
from cupola.backup import Source, write_backup
from cupola.control.app import make_control
from cupola.control.groups import map_groups
from cupola.control.seal import Seal
from cupola.control.services import Services
from cupola.control.sign_in import make_sign_in_routers
from cupola.control.store import SqlReplies
from cupola.deployments.fleet import Fleet
from cupola.http.server import Application
from cupola.identity.device import DeviceSignIns
from cupola.identity.mapping import OidcConfig
from cupola.identity.provider import open_provider
from cupola.identity.service import Identity
from cupola.ids import DeploymentName, EndpointName
from cupola.kit.clock import Clock
from cupola.settings import Settings


def open_control(
    settings: Settings,
    state: State,
    fleet: Fleet,
    identity: Identity,
    metering: Metering,
    clock: Clock,
    url: str,
    oidc: OidcConfig | None,
) -> Application:
    """The API, and the pages beside it."""
    sign_in, pages = _make_sign_in(settings, state, identity, clock, oidc)
    return make_control(
        _join(
            state, fleet, identity, metering, clock, locate(settings), settings.public_url or url
        ),
        routers=(sign_in,),
        pages=(pages,),
        body_bytes=settings.max_body,
        body_seconds=settings.body_timeout,
    )


def _join(
    state: State,
    fleet: Fleet,
    identity: Identity,
    metering: Metering,
    clock: Clock,
    source: Source,
    url: str,
) -> Services:
    def find_logs(endpoint: EndpointName, deployment: DeploymentName | None) -> Sequence[Path]:
        return [state.home.logs / f"{name}.log" for name in fleet.list_logs(endpoint, deployment)]

    return Services(
        authenticator=identity,
        users=identity,
        models=state.catalog,
        projects=state.projects,
        subscriptions=state.subscriptions,
        endpoints=state.endpoints,
        belongings=state.belongings,
        instance_types=state.instance_types,
        keyring=state.keys,
        project_keys=state.project_keys,
        usage=metering.usage,
        prices=metering.prices,
        budgets=metering.budgets,
        limits=metering.limits,
        audit=state.audit,
        work=state.database,
        replies=SqlReplies(state.database),
        fleet=fleet,
        find_logs=find_logs,
        base_url=lambda: url,
        memory=lambda: fleet.read_machine().total,
        write_backup=lambda file: write_backup(source, file, clock, with_secret=False),
        clock=clock,
        on_budgets=metering.watch.wake.set,
        seal=Seal(state.keys.derive_secret("control")),
    )


def _make_sign_in(
    settings: Settings,
    state: State,
    identity: Identity,
    clock: Clock,
    oidc: OidcConfig | None,
) -> tuple[APIRouter, APIRouter]:
    return make_sign_in_routers(
        identity,
        DeviceSignIns(clock),
        open_provider(oidc, clock) if oidc else None,
        clock=clock,
        secret=state.keys.derive_secret("sign-in"),
        public_url=settings.public_url,
        on_sign_in=map_groups(oidc, state.projects) if oidc else None,
    )
