"""Which projects wait is found at once, however many rest; which workers do not find the folder of one; what the ended
sessions of a project used together."""

import sqlalchemy as sa
from alembic import op

revision = "0014_kept_sums"
down_revision = "0013_fair"
branch_labels = None
depends_on = None

SPENT = """
    UPDATE projects SET
        spent_usd = (SELECT COALESCE(SUM(cost_usd), 0) FROM session_logs
            WHERE project_id = projects.id AND ended_at IS NOT NULL),
        spent_tokens = (SELECT COALESCE(SUM(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens), 0)
            FROM session_logs WHERE project_id = projects.id AND ended_at IS NOT NULL),
        spent_sessions = (SELECT COUNT(*) FROM session_logs WHERE project_id = projects.id AND ended_at IS NOT NULL)
"""
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
    for name, kind in (("spent_usd", sa.Double()), ("spent_tokens", sa.BigInteger()), ("spent_sessions", sa.Integer())):
        op.add_column("projects", sa.Column(name, kind, server_default=sa.text("0"), nullable=False))
    op.execute(SPENT)
    op.create_index("idx_session_logs_ended_at", "session_logs", ["ended_at"])


def downgrade() -> None:
    op.drop_index("idx_session_logs_ended_at", table_name="session_logs")
    for name in ("spent_usd", "spent_tokens", "spent_sessions"):
        op.drop_column("projects", name)
    op.drop_index("idx_pipeline_states_queued", table_name="pipeline_states")
    op.drop_table("missing_folders")
