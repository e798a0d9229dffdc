"""Limits: what people set for keys and projects."""

import sqlalchemy as sa
from alembic import context, op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    if context.config.attributes["part"] == "ledger":
        return
    op.create_table(
        "limits",
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("limits", sa.JSON, nullable=False),
    )
