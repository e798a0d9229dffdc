"""The tables as the code expects them. A change here needs a revision in `migrations/versions`.

A test compares the two, so that neither is changed alone. Times are seconds since the Unix epoch;
columns of type `JSON` hold what is read and written as a whole.
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
    Column("made_by", String, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    UniqueConstraint("project", "name", name="project_keys_name"),
)

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
