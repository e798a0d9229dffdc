"""Project keys that this machine's console made: `made_by` is null, for it is no user."""

import sqlalchemy as sa
from alembic import context, op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    if context.config.attributes["part"] == "ledger":
        return
    # SQLite copies the table, and does not find a constraint without a name by itself.
    with op.batch_alter_table("project_keys", copy_from=_make_old()) as batch:
        batch.alter_column("made_by", existing_type=sa.String, nullable=True)


def _make_old() -> sa.Table:
    project = sa.ForeignKey("projects.name", ondelete="CASCADE")
    return sa.Table(
        "project_keys",
        sa.MetaData(),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("project", sa.String, project, nullable=False),
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
