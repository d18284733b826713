"""What people say to agents unasked, and questions of agents with their answers."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("input_requests", sa.Column("asked_by", sa.Text(), nullable=True))
    op.add_column("input_requests", sa.Column("pattern", sa.Text(), nullable=True))
    op.add_column("input_requests", sa.Column("taken_at", MOMENT, nullable=True))
    op.create_table(
        "instructions",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("agent_id", ID, nullable=True),
        sa.Column("work_item_id", sa.String(length=100), nullable=True),
        sa.Column("status", sa.String(length=50), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("kind IN ('steer', 'note', 'interrupt')", name="ck_instructions_kind"),
        sa.CheckConstraint("status IN ('open', 'taken', 'void')", name="ck_instructions_status"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_instructions_project_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_instructions"),
    )
    op.create_index("idx_instructions_project_id_status", "instructions", ["project_id", "status"])


def downgrade() -> None:
    op.drop_table("instructions")
    for column in ("taken_at", "pattern", "asked_by"):
        op.drop_column("input_requests", column)
