"""What an agent was asked and what it answered, so that neither is asked for twice after an interruption."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    answer = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    op.add_column("session_logs", sa.Column("attempt", sa.Integer(), server_default="1", nullable=False))
    op.add_column("session_logs", sa.Column("prompt_hash", sa.String(length=64), nullable=True))
    op.add_column("session_logs", sa.Column("answer", answer, nullable=True))


def downgrade() -> None:
    for column in ("answer", "prompt_hash", "attempt"):
        op.drop_column("session_logs", column)
