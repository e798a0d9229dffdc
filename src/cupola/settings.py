"""What can be configured: one frozen tree, and the only reader of the environment.

Every setting has a default with which Cupola works, so none is needed. A setting comes from a
command's option, else from the environment variable `CUPOLA_` plus its name in capitals, else from
its default. docs/reference/settings.md describes each; a test compares the two.
"""

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar, get_args, get_type_hints

import msgspec
import platformdirs
from msgspec import Meta

from cupola.kit.errors import Invalid, Unavailable

S = TypeVar("S", "Settings", "ClientSettings")
Count: TypeAlias = Annotated[int, Meta(ge=0)]
Seconds: TypeAlias = Annotated[float, Meta(gt=0)]

PREFIX = "CUPOLA_"
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_ADDRESS = re.compile(
    r"https?://[A-Za-z0-9.-]+(:\d{1,5})?/?|https?://\[[0-9a-fA-F:]+\](:\d{1,5})?/?"
)
_KIB = 1024
_MIB = 1024 * _KIB
_THEIRS: Final = {
    "HF_HUB_OFFLINE": "offline",
    "HF_ENDPOINT": "hub_endpoint",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "otel_endpoint",
}
"""Variables of others that count where ours are not set."""
_FLAGS: Final = {
    **dict.fromkeys(("1", "on", "yes", "true"), True),
    **dict.fromkeys(("0", "off", "no", "false"), False),
}
_BYTES_A_THREAD = 64 * _MIB
"""Of weights. Chosen, not measured: far above the 10 MB that suffer, far below any real model."""


def default_home() -> Path:
    """The platform's folder for a person's application data."""
    return platformdirs.user_data_path("cupola")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One installation's configuration, checked as a whole and never changed afterwards."""

    home: Path = field(default_factory=default_home)
    """The folder that holds all state."""
    host: str = "127.0.0.1"
    """The address to listen on. The default is reachable from this machine only."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8100
    """The port to listen on; 0 takes any free one."""
    tls: Literal["off", "local", "own"] = "off"
    """Whose certificate callers are shown: nobody's, one of a local authority, or your own."""
    tls_certificate: Path | None = None
    """For `own`: a PEM file, the server's certificate first, then the chain."""
    tls_key: Path | None = None
    """For `own`: the PEM file of its key."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What the log file in the home keeps."""
    otel_endpoint: str = ""
    """The collector that traces are sent to, over HTTP; empty: none."""
    database_url: str = field(default="", repr=False)
    """A PostgreSQL database instead of the file in the home; empty: the file."""
    max_body: Annotated[int, Meta(ge=_KIB)] = 4 * _MIB
    """Bytes of a request's body; a larger one is refused with 413."""
    body_timeout: Seconds = 30.0
    """Seconds in which a request's body must have arrived."""
    engine_slots: Annotated[int, Meta(ge=1, le=256)] = 16
    """Generations that one replica runs at once; further ones wait for a slot."""
    engine_threads: Annotated[int, Meta(ge=0, le=1024)] = 0
    """Threads of one engine; 0 takes what suits the model, at most the cores it may use."""
    engine_context: Count = 0
    """Tokens of prompt and completion in one slot; 0 takes the model's own length."""
    core_quota: Count = 0
    """Cores of a project's managed deployments, unless it has a quota itself; 0: all there are."""

    limits: Literal["enforce", "shadow"] = "enforce"
    """Whether limits refuse, or only count what they would have refused."""
    limits_reserve: Literal["usual", "whole"] = "usual"
    """What is reserved for a completion: what is usual for the model, or all that it may have."""
    limits_queue_length: Count = 0
    """Requests that may wait for room in one scope, instead of being refused at once."""
    limits_queue_seconds: Seconds = 5.0
    """How long one may wait."""
    limits_reseed_seconds: Seconds = 60.0
    """Seconds after which counters of days and months are corrected by the ledger, over again."""
    limits_without_redis: Literal["open", "closed"] = "open"
    """While Redis is away: requests pass uncounted, or are refused."""
    redis_url: str = field(default="", repr=False)
    """The Redis in which several gateways count together; empty: each counts in memory."""
    usage_days: Count = 0
    """Days for which records of requests are kept; 0: for ever. Sums are kept in any case."""
    webhook_hosts: str = ""
    """Hosts, addresses and networks that webhooks may go to beside the public internet."""

    trusted_proxies: str = ""
    """Addresses and networks of proxies whose word on a caller's address and scheme counts, with
    commas between them; empty: nobody's does."""
    proxy_headers: Literal["x-forwarded", "forwarded"] = "x-forwarded"
    """Where they say it: `X-Forwarded-For` and `X-Forwarded-Proto`, or `Forwarded`."""
    session_hours: Annotated[float, Meta(gt=0, le=24 * 366)] = 168.0
    """Hours after which who signed in has to do so again."""
    public_url: str = ""
    """Where people reach the server, as `https://ai.example.com`; empty: as each request says."""

    offline: bool = False
    """Whether nothing is ever fetched from a hub."""
    hub_endpoint: str = ""
    """The hub's address, as of a mirror; empty: the library's own."""
    hub_token_env: str = "HF_TOKEN"
    """The variable that holds the hub's token, if there is one."""
    hub_token_file: Path | None = None
    """The file that holds the hub's token; it goes before the variable."""
    scale_idle: Seconds = 300.0
    """Seconds without need after which a serverless replica is stopped."""
    drain_timeout: Annotated[float, Meta(ge=0)] = 60.0
    """Seconds for what is under way in a replica that is to be stopped."""
    rollout_timeout: Seconds = 600.0
    """Seconds in which a changed deployment must be ready, else it goes back to what it was."""

    endpoint_domain: str = ""
    """The domain at which `NAME.DOMAIN` and `NAME.REGION.DOMAIN` are endpoints; empty: none is."""
    extra_parameters: Literal["error", "drop", "pass-through"] = "error"
    """What becomes of unknown fields on the Azure routes if no header says so."""
    extra_parameters_aliases: bool = False
    """Whether the headers `extra-params` and `unknown-parameters` count as `extra-parameters`."""
    model_error_status: Literal["direct", "424"] = "direct"
    """The status of what a model refuses or fails at: its own, or 424 as of managed endpoints."""

    def __post_init__(self) -> None:
        files = (self.tls_certificate, self.tls_key)
        if (self.tls == "own") != all(files) or any(files) != all(files):
            raise _refuse(["tls_certificate and tls_key belong to CUPOLA_TLS=own, both of them."])

    def threads_for(self, weights: int) -> int:
        """Threads of an engine whose model file has `weights` bytes.

        Threads wait for each other after each layer, spinning. A small model's layer takes less
        time than that, so more threads make it slower, and everything beside it much slower:
        measured with 10 MB on two busy cores, 16 replies took 20 s with two threads, 2 s with one.
        """
        return self.engine_threads or min(usable_cores(), 1 + weights // _BYTES_A_THREAD)

    def find_hub_token(self) -> str | None:
        """What the hub knows us by, read anew each time; None: nothing.

        Raises:
            Unavailable: The file that should hold it cannot be read.
        """
        if self.hub_token_file is None:
            return os.environ.get(self.hub_token_env, "").strip() or None
        try:
            return self.hub_token_file.expanduser().read_text("utf-8").strip() or None
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(
                "The hub's token cannot be read. Mend CUPOLA_HUB_TOKEN_FILE, or the file it names.",
                private=str(error),
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Where commands find a server, and as whom."""

    server: str | None = None
    """The server that commands ask."""
    token: str | None = field(default=None, repr=False)
    """What lets one in."""
    project: str = "default"
    """Where a command's `--project` is not given."""
    ca_file: str | None = None
    """The certificates to trust, if the server's is not of an authority that the machine trusts."""
    timeout: Seconds = 30.0
    """Seconds to wait for a connection, and for each part of a reply."""


def load_settings(**options: Any) -> Settings:
    """The settings; an option that is not None goes before the environment.

    Raises:
        Invalid: A value is not usable, or a variable's name is nearly, but not quite, a setting's.
    """
    return _load(Settings, options)


def load_client_settings(**options: Any) -> ClientSettings:
    """The same of the settings of commands."""
    return _load(ClientSettings, options)


def list_settings() -> list[str]:
    """The names of all of them."""
    return [each.name for kind in (Settings, ClientSettings) for each in fields(kind)]


def _load(kind: type[S], options: Mapping[str, Any]) -> S:
    given = _list_variables(os.environ) | {n: v for n, v in options.items() if v is not None}
    values, faults = {}, []
    for name, wanted in get_type_hints(kind, include_extras=True).items():
        if name not in given:
            continue
        try:
            values[name] = _read(name, wanted, given[name])
        except (msgspec.ValidationError, ValueError) as error:
            faults.append(_spell(name, wanted, given[name], error))
    if faults:
        raise _refuse(faults)
    return kind(**values)


def _list_variables(environment: Mapping[str, str]) -> dict[str, Any]:
    """The variables of settings, by the setting's name.

    A misspelt one would otherwise be ignored in silence.
    """
    known = [PREFIX + name.upper() for name in list_settings()]
    found: dict[str, Any] = {
        ours: environment[theirs] for theirs, ours in _THEIRS.items() if theirs in environment
    }
    if "offline" in found:  # as the hub's library reads it
        found["offline"] = _FLAGS.get(found["offline"].strip().lower(), False)
    for name, value in environment.items():
        if not name.upper().startswith(PREFIX):
            continue
        if name.upper() in known:
            found[name.upper().removeprefix(PREFIX).lower()] = value
        elif nearest := difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.85):
            raise Invalid(
                f"The environment variable {name} is not a setting. Did you mean {nearest[0]}?"
            )
    return found


def _read(name: str, wanted: Any, value: Any) -> Any:
    """A value in its setting's type, checked. Raises: ValueError, ValidationError."""
    if wanted is bool and isinstance(value, str):
        value = _FLAGS.get(value.strip().lower(), value)
    if Path in (wanted, *get_args(wanted)):
        read: Any = Path(value)
    else:
        read = msgspec.convert(value, wanted, strict=False)
    return _CHECKS[name](read) if name in _CHECKS else read


def _normalise_domain(domain: str) -> str:
    domain = domain.strip(".").lower()
    if domain and not _DOMAIN.fullmatch(domain):
        raise ValueError("a domain name without scheme and port, as example.com")
    return domain


def _check_public(url: str) -> str:
    if url and not _ADDRESS.fullmatch(url):
        raise ValueError("scheme and host without a path, as https://ai.example.com")
    return url.rstrip("/")


def _check_hub(endpoint: str) -> str:
    if endpoint and not endpoint.startswith(("https://", "http://")):
        raise ValueError("an address that begins with https://")
    return endpoint.rstrip("/")


def _check_collector(endpoint: str) -> str:
    if endpoint and not endpoint.startswith(("https://", "http://")):
        raise ValueError("an address as http://collector:4318")
    return endpoint.rstrip("/")


def _check_proxies(text: str) -> str:
    try:
        found = [ip_network(each.strip()) for each in text.split(",") if each.strip()]
    except ValueError as error:
        said = f"addresses and networks, as 10.0.0.7, 192.168.0.0/16 ({error})"
        raise ValueError(said) from None
    return ",".join(map(str, found))


def _make_absolute(folder: Path) -> Path:
    return folder.expanduser().absolute()


_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "home": _make_absolute,
    "endpoint_domain": _normalise_domain,
    "public_url": _check_public,
    "hub_endpoint": _check_hub,
    "otel_endpoint": _check_collector,
    "trusted_proxies": _check_proxies,
}
"""What a type cannot say. Each returns the value as it is kept, or says what it should be."""


def _refuse(faults: list[str]) -> Invalid:
    """All faults at once."""
    return Invalid("These settings cannot be used:\n  " + "\n  ".join(faults))


def _spell(name: str, wanted: Any, value: Any, error: Exception) -> str:
    """One fault, with the variable that may be the cause."""
    should = _expect(wanted) if isinstance(error, msgspec.ValidationError) else str(error)
    return f"{name} (option or {PREFIX}{name.upper()}): should be {should}, not {str(value)!r}."


def _expect(wanted: Any) -> str:
    """What values a type has, in words."""
    if wanted is bool:
        return "true or false"
    base, *rest = get_args(wanted) or (wanted,)
    if isinstance(base, str):  # a Literal
        return " or ".join(map(repr, (base, *rest)))
    words = ["a whole number" if base is int else "a number" if base is float else "text"]
    for meta in rest:
        bounds = ((meta.ge, "at least"), (meta.gt, "more than"), (meta.le, "at most"))
        words += [f"{word} {bound}" for bound, word in bounds if bound is not None]
    return ", ".join(words)


def usable_cores() -> int:
    """Cores this process may run on, which containers and taskset make fewer than there are."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def network_variables() -> Mapping[str, str]:
    """What programs go by to reach the network: proxies, certificates, where to resolve names."""
    names = {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"}
    return {name: value for name, value in os.environ.items() if name.lower() in names}


def has_trace_collector() -> bool:
    """Whether OpenTelemetry's own variable names one for traces alone."""
    return bool(os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))


def read_variable(name: str) -> str | None:
    """A variable that is no setting: one that an operator's file names as the place of a secret."""
    return os.environ.get(name)
