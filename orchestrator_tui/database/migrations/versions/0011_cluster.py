"""Processes that run the projects of several machines, and projects that wait for one of them."""

import sqlalchemy as sa
from alembic import op

revision = "0011_cluster"
down_revision = "0010"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("pipeline_states", sa.Column("queued_at", moment, nullable=True))
    op.create_table(
        "workers",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("draining", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("load", sa.Double(), nullable=False),
        sa.Column("started_at", moment, nullable=False),
        sa.Column("heartbeat", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )


def downgrade() -> None:
    op.drop_table("workers")
    op.drop_column("pipeline_states", "queued_at")
