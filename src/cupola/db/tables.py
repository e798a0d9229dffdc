"""The tables as the code expects them. A change here needs a revision in `migrations/versions`.

A test compares the two, so that neither is changed alone. Times are seconds since the Unix epoch;
columns of type `JSON` hold what is read and written as a whole.

The tables of `metadata` lie in the main database, those of `ledger` in a SQLite file of their own
or, with PostgreSQL, beside the others (decision 0022).
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself in columns of type INTEGER only."""

metadata = MetaData()
ledger = MetaData()

changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""One row, whose number each transaction counts up that changes what others watch."""

users = Table(
    "users",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("origin", String, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("administrator", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("issuer", String),
    Column("subject", String),
    Column("password_hash", String),
    Column("version", Integer, nullable=False),
    UniqueConstraint("issuer", "subject", name="users_subject"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("user", String, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("label", String, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("scopes", JSON(none_as_null=True)),
    Index("sessions_user", "user"),
)

projects = Table(
    "projects",
    metadata,
    Column("name", String, primary_key=True),
    Column("display_name", String, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("core_quota", Integer),
    Column("version", Integer, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("project", String, ForeignKey("projects.name", ondelete="CASCADE"), primary_key=True),
    Column("user", String, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("role", String, nullable=False),
    Index("members_user", "user"),
)

audit = Table(
    "audit",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("time", Float, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("target", String, nullable=False),
    Column("project", String),
    Column("source", String, nullable=False),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Index("audit_project", "project", "sequence"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("project", String, ForeignKey("projects.name", ondelete="CASCADE"), primary_key=True),
    Column("model", String, primary_key=True),
    Column("accepted", BigInteger, nullable=False),
    Column("accepted_by", String, nullable=False),
    Column("license", String, nullable=False),
    Column("terms", String, nullable=False),
    Column("price_input", String, nullable=False),
    Column("price_output", String, nullable=False),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("name", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("project", String, ForeignKey("projects.name"), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("deployments", JSON, nullable=False),
    Column("traffic", JSON, nullable=False),
    Column("auth_mode", String, nullable=False),
    Column("key_seed", String, nullable=False),
    Column("primary_generation", Integer, nullable=False),
    Column("secondary_generation", Integer, nullable=False),
    Column("limits", JSON, nullable=False),
    Column("content_safety", Boolean, nullable=False),
    Column("expires", BigInteger),
    Column("description", String, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    Index("endpoints_project", "project", "name"),
)
"""`deployments` is a column, because an endpoint is read and saved as a whole."""

project_keys = Table(
    "project_keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("project", String, ForeignKey("projects.name", ondelete="CASCADE"), nullable=False),
    Column("name", String, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("endpoints", JSON(none_as_null=True)),
    Column("made_by", String, ForeignKey("users.id", ondelete="CASCADE")),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    UniqueConstraint("project", "name", name="project_keys_name"),
)
"""`made_by` is null for the console's, which is no user."""

instance_types = Table(
    "instance_types",
    metadata,
    Column("name", String, primary_key=True),
    Column("cores", Integer, nullable=False),
    Column("memory", BigInteger, nullable=False),
    Column("gpus", Integer, nullable=False),
)

intervals = Table(
    "intervals",
    metadata,
    Column("id", String, primary_key=True),
    Column("endpoint", String, nullable=False),
    Column("deployment", String, nullable=False),
    Column("project", String, nullable=False),
    Column("model", String, nullable=False),
    Column("instance_type", String, nullable=False),
    Column("cores", Integer, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Index("intervals_project", "project", "started"),
)
"""Of the endpoint they name nothing else need exist any more: a bill outlives what it is for."""

memory_use = Table(
    "memory_use",
    metadata,
    Column("model", String, primary_key=True),
    Column("quantisation", String, primary_key=True),
    Column("slots", Integer, primary_key=True),
    Column("context", Integer, primary_key=True),
    Column("memory", BigInteger, nullable=False),
)

replies = Table(
    "replies",
    metadata,
    Column("key", String, primary_key=True),
    Column("request", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", String, nullable=False),
    Column("created", BigInteger, nullable=False),
)
"""What requests with an `Idempotency-Key` were answered, to answer their repetitions the same."""

prices = Table(
    "prices",
    metadata,
    Column("version", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("of", String, nullable=False),
    Column("name", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("input", BigInteger, nullable=False),
    Column("output", BigInteger, nullable=False),
    Column("hour", BigInteger, nullable=False),
)
"""It only grows: records name the version that they were reckoned with."""

budgets = Table(
    "budgets",
    metadata,
    Column("id", String, primary_key=True),
    Column("project", String, ForeignKey("projects.name", ondelete="CASCADE"), nullable=False),
    Column("scope", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("unit", String, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("period", String, nullable=False),
    Column("warn", JSON, nullable=False),
    Column("refuse", Boolean, nullable=False),
    Column("webhook", String),
    Column("created", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Index("budgets_project", "project"),
)

limits = Table(
    "limits",
    metadata,
    Column("kind", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("limits", JSON, nullable=False),
)
"""Of keys and projects; an endpoint's stand with it. Not tied to what they are set for, because
that may be an endpoint's key, which has no row."""

notices = Table(
    "notices",
    metadata,
    Column("id", String, primary_key=True),
    Column("budget", String, nullable=False),
    Column("project", String, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("share", Integer, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("url", String),
    Column("body", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", BigInteger),
    Column("delivered", BigInteger),
    Column("failure", String, nullable=False),
    UniqueConstraint("budget", "start", "share", name="notices_once"),
    Index("notices_due", "due"),
)
"""Warnings given, each once; those with `due` still have to be delivered."""

usage_records = Table(
    "usage_records",
    ledger,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("request", String, nullable=False),
    Column("time", Float, nullable=False),
    *(Column(name, String, nullable=False) for name in ("project", "endpoint", "deployment")),
    *(Column(name, String, nullable=False) for name in ("kind", "key", "model", "dialect")),
    *(Column(name, BigInteger, nullable=False) for name in ("prompt", "cached", "completion")),
    Column("counted", Boolean, nullable=False),
    Column("finish", String, nullable=False),
    Column("status", Integer, nullable=False),
    *(Column(name, Float) for name in ("queue", "first_token", "total")),
    Column("replica", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("price_version", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Index("usage_records_request", "request", unique=True),
    Index("usage_records_time", "time", "sequence"),
)
"""One row a request, never changed."""


def _roll_up(name: str) -> Table:
    groups = ("currency", "project", "endpoint", "deployment", "kind", "key", "model")
    sums = ("requests", "failures", "prompt", "cached", "completion", "cost")
    return Table(
        name,
        ledger,
        Column("start", BigInteger, primary_key=True, autoincrement=False),
        *(Column(group, String, primary_key=True) for group in groups),
        *(Column(each, BigInteger, nullable=False) for each in sums),
        sqlite_with_rowid=False,
    )


usage_hours = _roll_up("usage_hours")
usage_days = _roll_up("usage_days")
"""Sums of the records of an hour, and of a day, of UTC; written in the records' transaction."""
