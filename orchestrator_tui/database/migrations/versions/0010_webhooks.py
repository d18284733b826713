"""How far webhook receivers have been told."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "webhook_places",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", moment, nullable=True),
        sa.Column("turn_of", sa.Text(), nullable=True),
        sa.Column("turn_until", moment, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_webhook_places")),
    )


def downgrade() -> None:
    op.drop_table("webhook_places")
