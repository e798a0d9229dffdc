"""The management API as one ASGI application."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from cupola import __version__
from cupola.control import (
    apply,
    audit,
    backup,
    budgets,
    deployments,
    endpoints,
    errors,
    instance_types,
    limits,
    logs,
    me,
    models,
    operations,
    prices,
    project_keys,
    projects,
    subscriptions,
    usage,
    users,
)
from cupola.control.edge import Application, Edge
from cupola.control.operations import ROOT
from cupola.control.page import POLICY, render_page
from cupola.control.services import Services

_MIB: Final = 1024 * 1024
_ROUTERS: Final = (
    me.router,
    projects.router,
    models.router,
    subscriptions.router,
    endpoints.router,
    deployments.router,
    logs.router,
    project_keys.router,
    operations.router,
    instance_types.router,
    users.router,
    usage.router,
    limits.router,
    prices.router,
    budgets.router,
    audit.router,
    apply.router,
    backup.router,
)
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": said, "model": errors.ErrorBody}
    for status, said in {
        400: "The request cannot be read, or makes no sense.",
        401: "Nobody has signed in.",
        403: "Your role, or your token, lacks the right.",
        404: "It does not exist, or you may not know that it does.",
        409: "It does not fit what is there.",
        412: "It was changed since you read it.",
        413: "The body is too large.",
        422: "Fields are missing or wrong; `details` has all of them.",
        429: "Too many; wait as long as `Retry-After` says.",
        503: "Not now; try again later.",
    }.items()
}
_SUMMARY: Final = "Projects, models, endpoints, keys and users of this installation."


def make_api(services: Services, routers: Sequence[APIRouter] = ()) -> FastAPI:
    """The routes, without what `make_control` puts around them."""
    app = FastAPI(
        title="Cupola management API",
        summary=_SUMMARY,
        version=__version__,
        openapi_url=f"{ROOT}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_name_operation,
        responses=_REFUSALS,
        separate_input_output_schemas=False,
    )
    app.state.services = services
    errors.install(app)
    for router in (*_ROUTERS, *routers):
        app.include_router(router, prefix=ROOT)

    @app.get(f"{ROOT}/docs", include_in_schema=False)
    async def show_page() -> HTMLResponse:
        return HTMLResponse(render_page(app.openapi()), headers={"content-security-policy": POLICY})

    return app


def make_control(
    services: Services,
    *,
    routers: Sequence[APIRouter] = (),
    pages: Sequence[APIRouter] = (),
    body_bytes: int = 4 * _MIB,
    body_seconds: float = 30.0,
) -> Application:
    """The management API, to be served for every path below `/management`.

    Args:
        routers: More of them, below the API's root: signing in, sessions.
        pages: For people, at the paths that they give themselves: `/sign-in`.
        body_bytes: Of a request's body at most.
        body_seconds: In which it must arrive.
    """
    app = make_api(services, routers)
    for router in pages:
        app.include_router(router, include_in_schema=False)
    return Edge(app, body_bytes=body_bytes, body_seconds=body_seconds)


def _name_operation(route: APIRoute) -> str:
    return f"{route.tags[0]}-{route.name}".replace(" ", "_") if route.tags else route.name
