"""Which projects wait is found at once, however many rest; which workers do not find the folder of one."""

import sqlalchemy as sa
from alembic import op

revision = "0014_gaps"
down_revision = "0013_fair"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")


def upgrade() -> None:
    op.create_table(
        "missing_folders",
        sa.Column("project_id", ID, nullable=False),
        sa.Column("worker_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_missing_folders_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["workers.id"], name=op.f("fk_missing_folders_worker_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "worker_id", name=op.f("pk_missing_folders")),
    )
    waits = sa.text("queued_at IS NOT NULL")
    op.create_index(
        "idx_pipeline_states_queued", "pipeline_states", ["queued_at"], postgresql_where=waits, sqlite_where=waits
    )


def downgrade() -> None:
    op.drop_index("idx_pipeline_states_queued", table_name="pipeline_states")
    op.drop_table("missing_folders")
