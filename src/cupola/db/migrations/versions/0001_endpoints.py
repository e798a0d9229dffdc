"""Endpoints: what clients call, and the model behind each."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "endpoints",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("created", sa.Integer, nullable=False),
        sa.Column("primary_generation", sa.Integer, nullable=False),
        sa.Column("secondary_generation", sa.Integer, nullable=False),
    )
