"""Leases that a worker has seen lapse, for every other one to know."""

import sqlalchemy as sa
from alembic import op

revision = "0012_lapsed"
down_revision = "0011_cluster"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pipeline_states", sa.Column("lapsed", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("pipeline_states", "lapsed")
