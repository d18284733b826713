"""Until when a project waits by itself, and how often it has done so in a row."""

import sqlalchemy as sa
from alembic import op

revision = "0003_recovery"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pipeline_states", sa.Column("resumes_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("pipeline_states", sa.Column("waits", sa.Integer(), server_default="0", nullable=False))
