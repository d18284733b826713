"""How long an owner's lease lasts, so that another process with other settings waits long enough for it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pipeline_states", sa.Column("lease_seconds", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("pipeline_states", "lease_seconds")
