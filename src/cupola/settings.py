"""What can be configured: one frozen tree, and the only reader of the environment.

Every setting has a default with which Cupola works, so none is needed. A setting comes from a
command's option, else from the environment variable `CUPOLA_` plus its name in capitals, else from
its default. docs/reference/settings.md describes each; a test compares the two.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import platformdirs
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from cupola.kit.errors import Invalid, Unavailable

S = TypeVar("S", bound=BaseSettings)

PREFIX = "CUPOLA_"
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_ADDRESS = re.compile(
    r"https?://[A-Za-z0-9.-]+(:\d{1,5})?/?|https?://\[[0-9a-fA-F:]+\](:\d{1,5})?/?"
)
_KIB = 1024
_MIB = 1024 * _KIB
_BYTES_A_THREAD = 64 * _MIB
"""Of weights. Chosen, not measured: far above the 10 MB that suffer, far below any real model."""


def default_home() -> Path:
    """The platform's folder for a person's application data."""
    return platformdirs.user_data_path("cupola")


class Settings(BaseSettings):
    """One installation's configuration, checked as a whole and never changed afterwards."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    home: Path = Field(default_factory=default_home)
    """The folder that holds all state."""
    host: str = "127.0.0.1"
    """The address to listen on. The default is reachable from this machine only."""
    port: int = Field(default=8100, ge=0, le=65535)
    """The port to listen on; 0 takes any free one."""
    tls: Literal["off", "local", "own"] = "off"
    """Whose certificate callers are shown: nobody's, one of a local authority, or your own."""
    tls_certificate: Path | None = None
    """For `own`: a PEM file, the server's certificate first, then the chain."""
    tls_key: Path | None = None
    """For `own`: the PEM file of its key."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What the log file in the home keeps."""
    otel_endpoint: str = Field(
        default_factory=lambda: os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    )
    """The collector that traces are sent to, over HTTP; empty: none."""
    database_url: str = Field(default="", repr=False)
    """A PostgreSQL database instead of the file in the home; empty: the file."""
    max_body: int = Field(default=4 * _MIB, ge=_KIB)
    """Bytes of a request's body; a larger one is refused with 413."""
    body_timeout: float = Field(default=30.0, gt=0)
    """Seconds in which a request's body must have arrived."""
    engine_slots: int = Field(default=16, ge=1, le=256)
    """Generations that one replica runs at once; further ones wait for a slot."""
    engine_threads: int = Field(default=0, ge=0, le=1024)
    """Threads of one engine; 0 takes what suits the model, at most the cores it may use."""
    engine_context: int = Field(default=0, ge=0)
    """Tokens of prompt and completion in one slot; 0 takes the model's own length."""
    core_quota: int = Field(default=0, ge=0)
    """Cores of a project's managed deployments, unless it has a quota itself; 0: all there are."""

    limits: Literal["enforce", "shadow"] = "enforce"
    """Whether limits refuse, or only count what they would have refused."""
    limits_reserve: Literal["usual", "whole"] = "usual"
    """What is reserved for a completion: what is usual for the model, or all that it may have."""
    limits_queue_length: int = Field(default=0, ge=0)
    """Requests that may wait for room in one scope, instead of being refused at once."""
    limits_queue_seconds: float = Field(default=5.0, gt=0)
    """How long one may wait."""
    limits_reseed_seconds: float = Field(default=60.0, gt=0)
    """Seconds after which counters of days and months are corrected by the ledger, over again."""
    limits_without_redis: Literal["open", "closed"] = "open"
    """While Redis is away: requests pass uncounted, or are refused."""
    redis_url: str = Field(default="", repr=False)
    """The Redis in which several gateways count together; empty: each counts in memory."""
    usage_days: int = Field(default=0, ge=0)
    """Days for which records of requests are kept; 0: for ever. Sums are kept in any case."""
    webhook_hosts: str = ""
    """Hosts, addresses and networks that webhooks may go to beside the public internet."""

    session_hours: float = Field(default=168.0, gt=0, le=24 * 366)
    """Hours after which who signed in has to do so again."""
    public_url: str = ""
    """Where people reach the server, as `https://ai.example.com`; empty: as each request says."""

    offline: bool = Field(default_factory=lambda: _is_set(os.environ.get("HF_HUB_OFFLINE", "")))
    """Whether nothing is ever fetched from a hub."""
    hub_endpoint: str = Field(default_factory=lambda: os.environ.get("HF_ENDPOINT", ""))
    """The hub's address, as of a mirror; empty: the library's own."""
    hub_token_env: str = "HF_TOKEN"
    """The variable that holds the hub's token, if there is one."""
    hub_token_file: Path | None = None
    """The file that holds the hub's token; it goes before the variable."""
    scale_idle: float = Field(default=300.0, gt=0)
    """Seconds without need after which a serverless replica is stopped."""
    drain_timeout: float = Field(default=60.0, ge=0)
    """Seconds for what is under way in a replica that is to be stopped."""
    rollout_timeout: float = Field(default=600.0, gt=0)
    """Seconds in which a changed deployment must be ready, else it goes back to what it was."""

    endpoint_domain: str = ""
    """The domain at which `NAME.DOMAIN` and `NAME.REGION.DOMAIN` are endpoints; empty: none is."""
    extra_parameters: Literal["error", "drop", "pass-through"] = "error"
    """What becomes of unknown fields on the Azure routes if no header says so."""
    extra_parameters_aliases: bool = False
    """Whether the headers `extra-params` and `unknown-parameters` count as `extra-parameters`."""
    model_error_status: Literal["direct", "424"] = "direct"
    """The status of what a model refuses or fails at: its own, or 424 as of managed endpoints."""

    @field_validator("endpoint_domain")
    @classmethod
    def _normalise_domain(cls, domain: str) -> str:
        domain = domain.strip(".").lower()
        if domain and not _DOMAIN.fullmatch(domain):
            raise ValueError("should be a domain name without scheme and port, as example.com")
        return domain

    @field_validator("public_url")
    @classmethod
    def _check_address(cls, url: str) -> str:
        if url and not _ADDRESS.fullmatch(url):
            raise ValueError("should be scheme and host without a path, as https://ai.example.com")
        return url.rstrip("/")

    @field_validator("hub_endpoint")
    @classmethod
    def _check_hub(cls, endpoint: str) -> str:
        if endpoint and not endpoint.startswith(("https://", "http://")):
            raise ValueError("should be an address that begins with https://")
        return endpoint.rstrip("/")

    @field_validator("otel_endpoint")
    @classmethod
    def _check_collector(cls, endpoint: str) -> str:
        if endpoint and not endpoint.startswith(("https://", "http://")):
            raise ValueError("should be an address as http://collector:4318")
        return endpoint.rstrip("/")

    @field_validator("home")
    @classmethod
    def _make_absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        files = (self.tls_certificate, self.tls_key)
        if (self.tls == "own") != all(files) or any(files) != all(files):
            raise ValueError("tls_certificate and tls_key belong to CUPOLA_TLS=own, both of them")
        return self

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


class ClientSettings(BaseSettings):
    """Where commands find a server, and as whom."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    server: str | None = None
    """The server that commands ask."""
    token: str | None = Field(default=None, repr=False)
    """What lets one in."""
    project: str = "default"
    """Where a command's `--project` is not given."""
    ca_file: str | None = None
    """The certificates to trust, if the server's is not of an authority that the machine trusts."""
    timeout: float = Field(default=30.0, gt=0)
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


def _load(kind: type[S], options: Mapping[str, Any]) -> S:
    _refuse_near_misses(os.environ)
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return kind(**given)
    except ValidationError as error:
        raise Invalid(_describe(error)) from None


def _refuse_near_misses(environment: Mapping[str, str]) -> None:
    """A misspelt variable would otherwise be ignored in silence."""
    fields = (*Settings.model_fields, *ClientSettings.model_fields)
    known = [PREFIX + name.upper() for name in fields]
    for name in environment:
        if not name.upper().startswith(PREFIX) or name.upper() in known:
            continue
        if nearest := difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.85):
            raise Invalid(
                f"The environment variable {name} is not a setting. Did you mean {nearest[0]}?"
            )


def _describe(error: ValidationError) -> str:
    """All faults at once, each with the variable that may be the cause."""
    faults = [_spell(fault) for fault in error.errors()]
    return "These settings cannot be used:\n  " + "\n  ".join(faults)


def _spell(fault: ErrorDetails) -> str:
    if not fault["loc"]:  # of several settings together
        return f"{fault['msg']}."
    name = str(fault["loc"][0])
    said = f"{'.'.join(map(str, fault['loc']))} (option or {PREFIX}{name.upper()}): {fault['msg']}"
    return f"{said}, not {fault['input']!r}."


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


def _is_set(value: str) -> bool:
    """As the hub's library reads a flag."""
    return value.strip().lower() in ("1", "on", "yes", "true")


def read_variable(name: str) -> str | None:
    """A variable that is no setting: one that an operator's file names as the place of a secret."""
    return os.environ.get(name)
