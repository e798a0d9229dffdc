"""Metering: prices, budgets and their warnings; in the ledger, usage and its roll-ups.

With SQLite the ledger is a file of its own, to which only its part of each revision is applied.
"""

import sqlalchemy as sa
from alembic import context, op

revision = "0003"
down_revision = "0002"

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    part = context.config.attributes["part"]
    if part != "ledger":
        _make_prices()
        _make_budgets()
    if part != "main":
        _make_records()
        for name in ("usage_hours", "usage_days"):
            _make_roll_up(name)


def _make_prices() -> None:
    op.create_table(
        "prices",
        sa.Column("version", _SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("of", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("valid_from", sa.BigInteger, nullable=False),
        sa.Column("input", sa.BigInteger, nullable=False),
        sa.Column("output", sa.BigInteger, nullable=False),
        sa.Column("hour", sa.BigInteger, nullable=False),
    )


def _make_budgets() -> None:
    op.create_table(
        "budgets",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column(
            "project", sa.String, sa.ForeignKey("projects.name", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("scope", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("period", sa.String, nullable=False),
        sa.Column("warn", sa.JSON, nullable=False),
        sa.Column("refuse", sa.Boolean, nullable=False),
        sa.Column("webhook", sa.String),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("budgets_project", "budgets", ["project"])
    op.create_table(
        "notices",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("budget", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("share", sa.Integer, nullable=False),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("url", sa.String),
        sa.Column("body", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due", sa.BigInteger),
        sa.Column("delivered", sa.BigInteger),
        sa.Column("failure", sa.String, nullable=False),
        sa.UniqueConstraint("budget", "start", "share", name="notices_once"),
    )
    op.create_index("notices_due", "notices", ["due"])


def _make_records() -> None:
    texts = ("project", "endpoint", "deployment", "kind", "key", "model", "dialect")
    op.create_table(
        "usage_records",
        sa.Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("request", sa.String, nullable=False),
        sa.Column("time", sa.Float, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in texts),
        sa.Column("prompt", sa.BigInteger, nullable=False),
        sa.Column("cached", sa.BigInteger, nullable=False),
        sa.Column("completion", sa.BigInteger, nullable=False),
        sa.Column("counted", sa.Boolean, nullable=False),
        sa.Column("finish", sa.String, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("queue", sa.Float),
        sa.Column("first_token", sa.Float),
        sa.Column("total", sa.Float),
        sa.Column("replica", sa.String, nullable=False),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("price_version", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
    )
    op.create_index("usage_records_request", "usage_records", ["request"], unique=True)
    op.create_index("usage_records_time", "usage_records", ["time", "sequence"])


def _make_roll_up(name: str) -> None:
    groups = ("currency", "project", "endpoint", "deployment", "kind", "key", "model")
    sums = ("requests", "failures", "prompt", "cached", "completion", "cost")
    op.create_table(
        name,
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(group, sa.String, primary_key=True) for group in groups),
        *(sa.Column(each, sa.BigInteger, nullable=False) for each in sums),
        sqlite_with_rowid=False,
    )
