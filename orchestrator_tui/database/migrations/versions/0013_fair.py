"""Seats of agents at work, and whose a project is."""

import sqlalchemy as sa
from alembic import op

revision = "0013_fair"
down_revision = "0012_lapsed"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")


def upgrade() -> None:
    op.add_column("projects", sa.Column("created_by", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.create_index("idx_projects_created_by", "projects", ["created_by"])
    op.create_table(
        "agent_seats",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("most_here", sa.Integer(), nullable=False),
        sa.Column("awaits", sa.String(length=50), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("awaits IN ('installation', 'worker')", name=op.f("ck_agent_seats_awaits")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_agent_seats_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_seats")),
    )


def downgrade() -> None:
    op.drop_table("agent_seats")
    op.drop_index("idx_projects_created_by", table_name="projects")
    op.drop_column("projects", "created_by")
