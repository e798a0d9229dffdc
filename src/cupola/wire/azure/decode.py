"""Bodies of the Azure dialect, and its rule for names that its schema lacks.

The header `extra-parameters` decides: `error` (and no header) refuses them, `drop` removes them,
`pass-through` hands them to the model. Values are case-sensitive, and a wrong one is refused even
if nothing is unknown; the sentences are those of Microsoft's own server, which users know.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from cupola.kit.errors import ExtraField
from cupola.wire import chat
from cupola.wire.canonical import Sampled
from cupola.wire.fields import Field, ignored, neutral

FIELDS: Mapping[str, Field] = {
    **chat.FIELDS,
    "modalities": Field("", neutral(["text"]), {"const": ["text"]}),
    "user_security_context": Field("", ignored, {"type": "object"}),
}

R = TypeVar("R", bound=Sampled)

POLICIES = ["error", "drop", "pass-through"]
HEADER = "extra-parameters"


def decode(
    body: Mapping[str, Any],
    policy: str | None,
    fields: Mapping[str, Field] = FIELDS,
    extra_fields: Mapping[str, Field] | None = None,
    read: Callable[[Mapping[str, Any], Mapping[str, Field]], R] = chat.read_chat,  # type: ignore[assignment]
) -> R:
    """The request that `body` is.

    Args:
        policy: The value of the header `extra-parameters`.
        fields: What counts as known.
        extra_fields: How fields that were passed through are read, where that is known; the rest
            goes to the request's `extras` as it came.
        read: Reads a body all of whose names are known.
    """
    if policy is not None and policy not in POLICIES:
        raise ExtraField(
            f"Unexpected EXTRA_PARAMETERS option {policy}, expected options are {POLICIES}"
        )
    if body.keys() <= fields.keys():
        return read(body, fields)
    unknown = [name for name in body if name not in fields]
    if policy == "pass-through":
        return _pass_through(body, {**(extra_fields or {}), **fields}, read)
    if policy == "drop":
        return read({k: v for k, v in body.items() if k in fields}, fields)
    raise ExtraField(
        f"Extra parameters {unknown} are not allowed when extra-parameters is not set or set to be "
        "'error'. Set extra-parameters to 'pass-through' to pass to the model."
    )


def _pass_through(
    body: Mapping[str, Any],
    fields: Mapping[str, Field],
    read: Callable[[Mapping[str, Any], Mapping[str, Field]], R],
) -> R:
    request = read({k: v for k, v in body.items() if k in fields}, fields)
    unread = {k: v for k, v in body.items() if k not in fields}
    if not unread:
        return request
    return msgspec.structs.replace(request, extras={**request.extras, **unread})
