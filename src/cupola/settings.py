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
from typing import Any, Literal, Self

import platformdirs
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from cupola.kit.errors import Invalid

PREFIX = "CUPOLA_"
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
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


def load_settings(**options: Any) -> Settings:
    """The settings; an option that is not None goes before the environment.

    Raises:
        Invalid: A value is not usable, or a variable's name is nearly, but not quite, a setting's.
    """
    _refuse_near_misses(os.environ)
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise Invalid(_describe(error)) from None


def _refuse_near_misses(environment: Mapping[str, str]) -> None:
    """A misspelt variable would otherwise be ignored in silence."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
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


def read_variable(name: str) -> str | None:
    """A variable that is no setting: one that an operator's file names as the place of a secret."""
    return os.environ.get(name)
