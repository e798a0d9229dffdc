"""The OpenAPI document of an endpoint, written from the tables by which requests are served.

Paths come from `gateway.address`, the fields of bodies from each dialect's table, so the document
says neither more nor less than what is there. Tests run against a live server what it says.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cupola
from cupola.deployments.model import AuthMode
from cupola.gateway.absent import TASKS
from cupola.gateway.address import (
    DEPLOYMENT,
    ENDPOINT,
    MODEL_PREFIXES,
    SHOWN,
    Resource,
    Route,
    Tongue,
)
from cupola.gateway.bodies import BODIES, EXAMPLES
from cupola.gateway.bodies import SCHEMAS as BODY_SCHEMAS
from cupola.gateway.compatibility import ALIASES, SERVICE, Compatibility
from cupola.gateway.directory import Served, ServedEndpoint
from cupola.gateway.exchange import DEPLOYMENT as DEPLOYMENT_HEADER
from cupola.gateway.plan import can_chat, can_fill
from cupola.gateway.refusals import ANY, CHAT, CHAT_424, LIMITS, describe_refusals
from cupola.gateway.refusals import SCHEMAS as REFUSALS
from cupola.gateway.replies import HEADERS
from cupola.gateway.replies import SCHEMAS as REPLIES
from cupola.wire.azure.decode import HEADER, POLICIES
from cupola.wire.schemas import SCHEMAS

_SUMMARY: Mapping[Resource, str] = {
    Resource.ENDPOINT_HEALTH: "Whether a replica is ready",
    Resource.INFO: "The model behind this endpoint",
    Resource.MODELS: "The models of this endpoint: one",
    Resource.MODEL: "One model",
    Resource.OPENAPI: "This document",
    Resource.DOCS: "This document as a page",
}
_SUMMARY_BY_TONGUE: Mapping[Tongue, str] = {
    Tongue.AZURE: "Chat completion, as clients of the Azure AI Model Inference API call it",
    Tongue.FOUNDRY: "The same, also with Mistral's own names, as MistralAzure calls it",
    Tongue.OPEN: "Chat completion, as clients of OpenAI and Mistral call it",
    Tongue.SCORE: "Chat completion in the older form of managed compute; never streamed",
    Tongue.TEXT_AZURE: "Text completion, as clients of the Azure AI Model Inference API call it",
    Tongue.TEXT_OPEN: "Text completion, as clients of OpenAI call it",
    Tongue.FILL: "Fill-in-the-middle, as clients of Mistral call it",
}
_REPLY: Mapping[Resource, tuple[str, Mapping[str, Any]]] = {
    Resource.ENDPOINT_HEALTH: ("text/plain", {"const": "healthy"}),
    Resource.INFO: ("application/json", {"$ref": "#/components/schemas/ModelInfo"}),
    Resource.MODELS: ("application/json", {"$ref": "#/components/schemas/ModelList"}),
    Resource.MODEL: ("application/json", {"$ref": "#/components/schemas/Model"}),
    Resource.OPENAPI: ("application/json", {"type": "object"}),
    Resource.DOCS: ("text/html", {"type": "string"}),
}
_CHAT = {"application/json": "ChatCompletion", "text/event-stream": "ChatCompletionEvent"}
_TEXT = {"application/json": "TextCompletion", "text/event-stream": "TextCompletionEvent"}
_COMPLETIONS: Mapping[Tongue, Mapping[str, str]] = {
    Tongue.AZURE: _CHAT,
    Tongue.FOUNDRY: _CHAT,
    Tongue.OPEN: _CHAT,
    Tongue.FILL: _CHAT,
    Tongue.TEXT_AZURE: _TEXT,
    Tongue.TEXT_OPEN: _TEXT,
    Tongue.SCORE: {"application/json": "Score"},
}
"""Kind of content -> schema of the reply."""
_WITH_POLICY = frozenset((Tongue.AZURE, Tongue.FOUNDRY, Tongue.TEXT_AZURE))
_KEYLESS = frozenset((Resource.ENDPOINT_HEALTH, Resource.OPENAPI, Resource.DOCS))
_SCHEMES: Mapping[AuthMode, Mapping[str, Any]] = {
    AuthMode.KEY: {
        "bearer": {"type": "http", "scheme": "bearer"},
        "apiKey": {"type": "apiKey", "in": "header", "name": "api-key"},
    },
    AuthMode.TOKEN: {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
}
_NO_ID = str.maketrans({"/": "_", ".": "_", "{": None, "}": None})


def describe_endpoint(
    served: Served, endpoint: ServedEndpoint, url: str, compatibility: Compatibility = SERVICE
) -> dict[str, Any]:
    """The document of one endpoint, whose address is `url`.

    Args:
        served: Which of its deployments the document is about.
    """
    describe = _Operations(served, endpoint, compatibility).describe
    schemes = _SCHEMES[endpoint.auth_mode]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": served.endpoint,
            "summary": f"{served.model}, served by Cupola",
            "version": cupola.__version__,
        },
        "servers": [{"url": url}],
        "security": [{name: []} for name in schemes],
        "paths": {f"/{path}": describe(path, route) for path, route in _list_paths(served)},
        "components": {
            "securitySchemes": schemes,
            "headers": HEADERS,
            "schemas": {**BODY_SCHEMAS, **SCHEMAS, **REPLIES, **REFUSALS},
        },
    }


def _list_paths(served: Served) -> list[tuple[str, Route]]:
    """The endpoint's paths, those with a parameter last."""
    model = Route(Resource.MODEL, Tongue.OPEN)
    return [
        *((path, to) for path, to in ENDPOINT.items() if _is_served(to, served)),
        *(
            (f"openai/deployments/{{deployment}}/{path}", to)
            for path, to in DEPLOYMENT.items()
            if _is_served(to, served)
        ),
        *((f"{prefix}{{id}}", model) for prefix in MODEL_PREFIXES),
    ]


def _is_served(route: Route, served: Served) -> bool:
    """Whether the model does what the route is for, as far as any model here does it."""
    if route.resource is not Resource.COMPLETION:
        return True
    if route.tongue is Tongue.FILL:
        return can_fill(served)
    if route.tongue in (Tongue.TEXT_AZURE, Tongue.TEXT_OPEN):
        return served.profile.continues_text
    return can_chat(served)


class _Operations:
    """The document's operations, for one endpoint."""

    def __init__(
        self, served: Served, endpoint: ServedEndpoint, compatibility: Compatibility
    ) -> None:
        self._served = served
        self._endpoint = endpoint
        self._compatibility = compatibility

    def describe(self, path: str, route: Route) -> dict[str, Any]:
        """The item of `path`: its one method."""
        operation: dict[str, Any] = {
            "operationId": path.translate(_NO_ID) or "health",
            "summary": _summarise(route),
            "parameters": self._parameters(path, route),
            "responses": self._responses(route),
        }
        if route.resource in _KEYLESS:
            operation["security"] = []
        if route.resource is Resource.COMPLETION:
            content = {
                "schema": {"$ref": f"#/components/schemas/{BODIES[route.tongue][0]}"},
                "example": EXAMPLES[route.tongue],
            }
            operation["requestBody"] = {"required": True, "content": {"application/json": content}}
        return {"get" if route.resource in SHOWN else "post": operation}

    def _parameters(self, path: str, route: Route) -> list[dict[str, Any]]:
        parameters = [*self._path_parameters(path)]
        if route.resource is Resource.COMPLETION and route.tongue in _WITH_POLICY:
            parameters += self._policies()
        if route.resource not in _KEYLESS:
            parameters.append(
                {
                    "name": DEPLOYMENT_HEADER,
                    "in": "header",
                    "description": self._explain_deployments(),
                    "schema": {"type": "string", "enum": [*self._endpoint.deployments, ""]},
                }
            )
        return [*parameters, *_EVERYWHERE]

    def _explain_deployments(self) -> str:
        if len(self._endpoint.deployments) == 1:
            return "The endpoint's only deployment, which is also the default."
        shares = ", ".join(f"{name} {per} %" for name, per in self._endpoint.weights.items())
        return f"One of the endpoint's deployments; without it the traffic split decides: {shares}."

    def _path_parameters(self, path: str) -> list[dict[str, Any]]:
        if "{" not in path:
            return []
        if "{id}" in path:
            name, values = "id", [self._served.model, self._served.endpoint]
        else:
            name, values = "deployment", [*self._endpoint.deployments, self._served.endpoint]
        schema = {"type": "string", "enum": list(dict.fromkeys(values))}
        return [{"name": name, "in": "path", "required": True, "schema": schema}]

    def _policies(self) -> list[dict[str, Any]]:
        """The header `extra-parameters`, and its other names where they count."""
        default = self._compatibility.extra_parameters
        policy = {
            "name": HEADER,
            "in": "header",
            "description": "What becomes of fields that the schema lacks: refused, removed, or "
            "handed to the model.",
            "schema": {"type": "string", "enum": POLICIES, "default": default},
        }
        if not self._compatibility.header_aliases:
            return [policy]
        aliases = [
            {
                "name": name,
                "in": "header",
                "description": f"Another name of {HEADER}, which goes before it.",
                "schema": {"type": "string"},
            }
            for name in ALIASES
        ]
        return [policy, *aliases]

    def _responses(self, route: Route) -> dict[str, Any]:
        if route.resource in TASKS:
            return describe_refusals((*self._barred(), *ANY), route.tongue)
        if route.resource is Resource.COMPLETION:
            refused = describe_refusals(self._refusals_of_chat(), route.tongue)
            return {"200": _completion(route.tongue), **refused}
        kind, schema = _REPLY[route.resource]
        reply = {"description": "OK", "headers": _IDS, "content": {kind: {"schema": schema}}}
        if route.resource is Resource.ENDPOINT_HEALTH:
            why = {
                "description": "No replica is ready; the text says why.",
                "headers": _IDS,
                "content": {"text/plain": {"schema": {"type": "string"}}},
            }
            return {"200": reply, "503": why}
        keyless = route.resource in _KEYLESS
        statuses = (404,) if keyless else (*self._barred(), *ANY)
        return {"200": reply, **describe_refusals(statuses, route.tongue)}

    def _barred(self) -> Sequence[int]:
        """What a good token without the right gets; a key without it is not told so much."""
        return (403,) if self._endpoint.auth_mode is AuthMode.TOKEN else ()

    def _refusals_of_chat(self) -> list[int]:
        direct = self._compatibility.model_error_status == "direct"
        return list(CHAT if direct else CHAT_424)


def _refer(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


_IDS = _refer("x-request-id", "x-ms-client-request-id")
_REPORT = ("x-cupola-cost", "x-cupola-prompt-tokens", "x-cupola-completion-tokens")
_EVERYWHERE: list[dict[str, Any]] = [
    {
        "name": "x-ms-client-request-id",
        "in": "header",
        "description": "The caller's own name of this request; comes back.",
        "schema": {"type": "string"},
    },
    {
        "name": "api-version",
        "in": "query",
        "description": "Any; it changes nothing.",
        "schema": {"type": "string"},
    },
]


def _summarise(route: Route) -> str:
    if route.resource in TASKS:
        return f"Not served: no model here does {TASKS[route.resource]}"
    if route.resource is Resource.COMPLETION:
        return _SUMMARY_BY_TONGUE[route.tongue]
    return _SUMMARY[route.resource]


def _completion(tongue: Tongue) -> dict[str, Any]:
    """Streams are asked for in the body, which no schema of replies can say."""
    return {
        "description": "The reply, or the events of its stream.",
        "headers": {**_IDS, **_refer("x-ms-deployment-name", *LIMITS, *_REPORT)},
        "content": {
            kind: {"schema": {"$ref": f"#/components/schemas/{name}"}}
            for kind, name in _COMPLETIONS[tongue].items()
        },
    }
