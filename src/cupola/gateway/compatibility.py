"""What one installation does differently, so that clients of other services find what they know.

By default all of it is off: the request is taken as it was sent.

    endpoint_domain        a host names the endpoint, as the service's own addresses do
    extra_parameters       what no header `extra-parameters` means: C#'s client sends none when it
                           streams, and newer servers pass unknown fields through
    header_aliases         the header's two other names, of old clients and samples, count too
    model_error_status     `424`: what a model refuses has one status, as on managed endpoints

Aliases and default become the header itself before anybody reads it, so nothing else knows of them.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cupola.ids import EndpointName
from cupola.kit.errors import Kind
from cupola.wire.azure.decode import HEADER

Policy: TypeAlias = Literal["error", "drop", "pass-through"]
ModelErrorStatus: TypeAlias = Literal["direct", "424"]

ALIASES: Final = ("extra-params", "unknown-parameters")
"""The first stands in Microsoft's samples for JavaScript, the second in its first Python client."""
FAILED_DEPENDENCY: Final = 424
OF_MODELS: Final = frozenset(
    (
        Kind.INVALID,
        Kind.MALFORMED,
        Kind.EXTRA_FIELD,
        Kind.UNSUPPORTED,
        Kind.TOO_LONG,
        Kind.FILTERED,
        Kind.ENGINE_FAILED,
    )
)
"""What a managed endpoint's container says; the rest is said by the gateway before it."""

_HEADER = HEADER.encode()
_ALIASES = tuple(name.encode() for name in ALIASES)


@dataclass(frozen=True, slots=True)
class Compatibility:
    """The switches of one installation."""

    endpoint_domain: str = ""
    """In lower case, without dots at its ends. "": hosts mean nothing."""
    extra_parameters: Policy = "error"
    header_aliases: bool = False
    model_error_status: ModelErrorStatus = "direct"

    def find_endpoint(self, headers: Mapping[bytes, bytes]) -> EndpointName | None:
        """The endpoint that the request's host names: the label before the first dot.

        Names of hosts have no case, so an endpoint that is called this way is in lower case.
        """
        if not self.endpoint_domain:
            return None
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = host.partition(":")[0].removesuffix(".")
        if not name.endswith(f".{self.endpoint_domain}"):
            return None
        return EndpointName(name.partition(".")[0])

    def amend(self, headers: MutableMapping[bytes, bytes]) -> None:
        """Write what other names, or none, mean into `extra-parameters`, if it was not sent."""
        if _HEADER in headers or not (self.header_aliases or self.extra_parameters != "error"):
            return
        headers[_HEADER] = self._read_aliases(headers) or self.extra_parameters.encode()

    def _read_aliases(self, headers: Mapping[bytes, bytes]) -> bytes:
        """As their clients write values: `pass_through`."""
        if not self.header_aliases:
            return b""
        sent = [headers[name] for name in _ALIASES if name in headers]
        return sent[0].replace(b"_", b"-") if sent else b""


SERVICE: Final = Compatibility()
"""As the service that we stand in for."""
