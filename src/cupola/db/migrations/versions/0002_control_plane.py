"""The control plane: projects, people, offers, what is wanted of endpoints, what ran.

Endpoints of the first schema go into the project `default`, each with one deployment of its own
name. Their empty `key_seed` keeps the keys that callers hold.
"""

import sqlalchemy as sa
from alembic import op

from cupola.kit.clock import SystemClock

revision = "0002"
down_revision = "0001"

_LIMITS = {"tokens_per_minute": 200_000, "requests_per_minute": 1_000}


_endpoints = sa.table(
    "endpoints",
    *(sa.column(name, sa.String) for name in ("name", "kind", "project", "auth_mode", "key_seed")),
    *(sa.column(name, sa.JSON) for name in ("deployments", "traffic", "limits", "tags")),
    sa.column("created", sa.BigInteger),
    sa.column("primary_generation", sa.Integer),
    sa.column("secondary_generation", sa.Integer),
    sa.column("content_safety", sa.Boolean),
    sa.column("description", sa.String),
    sa.column("version", sa.Integer),
)


def upgrade() -> None:
    _make_people()
    _make_control()
    _make_fleet()
    op.execute("INSERT INTO changes (id, number) VALUES (1, 1)")
    old = op.get_bind().execute(sa.text("SELECT * FROM endpoints ORDER BY name")).mappings().all()
    op.drop_table("endpoints")
    _make_endpoints()
    created = min((int(row["created"]) for row in old), default=int(SystemClock().now()))
    op.execute(
        "INSERT INTO projects (name, display_name, created, version) "
        f"VALUES ('default', '', {created}, 1)"
    )
    for row in old:
        op.get_bind().execute(sa.insert(_endpoints).values(**_bring(row)))


def _bring(row: sa.RowMapping) -> dict[str, object]:
    """One endpoint of the first schema, for the new table."""
    deployment = {
        "name": row["name"],
        "spec": {
            "model": row["model"],
            "quantisation": None,
            "slots": None,
            "context_length": None,
        },
        "scale": {"minimum": 1, "maximum": 1, "instance_type": None},
        "created": row["created"],
        "revision": 1,
        "stable": None,
        "outcome": "",
    }
    return {
        **{name: row[name] for name in ("name", "kind", "created")},
        "project": "default",
        "deployments": [deployment],
        "traffic": {row["name"]: 100},
        "auth_mode": "key",
        "key_seed": "",
        "primary_generation": row["primary_generation"],
        "secondary_generation": row["secondary_generation"],
        "limits": _LIMITS,
        "content_safety": True,
        "description": "",
        "tags": {},
        "version": 1,
    }


def _make_people() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("administrator", sa.Boolean, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("issuer", sa.String),
        sa.Column("subject", sa.String),
        sa.Column("password_hash", sa.String),
        sa.Column("version", sa.Integer, nullable=False),
        sa.UniqueConstraint("issuer", "subject", name="users_subject"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("user", sa.String, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("label", sa.String, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("scopes", sa.JSON(none_as_null=True)),
    )
    op.create_index("sessions_user", "sessions", ["user"])
    op.create_table(
        "projects",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("display_name", sa.String, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("core_quota", sa.Integer),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "members",
        sa.Column(
            "project",
            sa.String,
            sa.ForeignKey("projects.name", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column(
            "user", sa.String, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("role", sa.String, nullable=False),
    )
    op.create_index("members_user", "members", ["user"])


def _make_control() -> None:
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("time", sa.Float, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("project", sa.String),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True)),
        sa.Column("after", sa.JSON(none_as_null=True)),
    )
    op.create_index("audit_project", "audit", ["project", "sequence"])
    op.create_table(
        "subscriptions",
        sa.Column(
            "project",
            sa.String,
            sa.ForeignKey("projects.name", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("model", sa.String, primary_key=True),
        sa.Column("accepted", sa.BigInteger, nullable=False),
        sa.Column("accepted_by", sa.String, nullable=False),
        sa.Column("license", sa.String, nullable=False),
        sa.Column("terms", sa.String, nullable=False),
        sa.Column("price_input", sa.String, nullable=False),
        sa.Column("price_output", sa.String, nullable=False),
    )
    op.create_table(
        "project_keys",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column(
            "project", sa.String, sa.ForeignKey("projects.name", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("endpoints", sa.JSON(none_as_null=True)),
        sa.Column(
            "made_by", sa.String, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger),
        sa.UniqueConstraint("project", "name", name="project_keys_name"),
    )
    op.create_table(
        "replies",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("request", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("body", sa.String, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
    )


def _make_fleet() -> None:
    op.create_table(
        "instance_types",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("cores", sa.Integer, nullable=False),
        sa.Column("memory", sa.BigInteger, nullable=False),
        sa.Column("gpus", sa.Integer, nullable=False),
    )
    op.create_table(
        "intervals",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("deployment", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("instance_type", sa.String, nullable=False),
        sa.Column("cores", sa.Integer, nullable=False),
        sa.Column("started", sa.BigInteger, nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
    )
    op.create_index("intervals_project", "intervals", ["project", "started"])
    op.create_table(
        "memory_use",
        sa.Column("model", sa.String, primary_key=True),
        sa.Column("quantisation", sa.String, primary_key=True),
        sa.Column("slots", sa.Integer, primary_key=True),
        sa.Column("context", sa.Integer, primary_key=True),
        sa.Column("memory", sa.BigInteger, nullable=False),
    )


def _make_endpoints() -> None:
    op.create_table(
        "endpoints",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("project", sa.String, sa.ForeignKey("projects.name"), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("deployments", sa.JSON, nullable=False),
        sa.Column("traffic", sa.JSON, nullable=False),
        sa.Column("auth_mode", sa.String, nullable=False),
        sa.Column("key_seed", sa.String, nullable=False),
        sa.Column("primary_generation", sa.Integer, nullable=False),
        sa.Column("secondary_generation", sa.Integer, nullable=False),
        sa.Column("limits", sa.JSON, nullable=False),
        sa.Column("content_safety", sa.Boolean, nullable=False),
        sa.Column("expires", sa.BigInteger),
        sa.Column("description", sa.String, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("endpoints_project", "endpoints", ["project", "name"])
