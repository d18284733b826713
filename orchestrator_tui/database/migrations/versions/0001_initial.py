"""The first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "event_counter",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_event_counter_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_event_counter"),
    )
    op.create_table(
        "projects",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=50), nullable=False),
        sa.Column("current_phase", sa.String(length=50), nullable=True),
        sa.Column("directory", sa.Text(), nullable=False),
        sa.Column("rehearsal", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("config", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "status IN ('not_started', 'running', 'paused', 'stopping', 'stopped', 'failed', 'completed')",
            name="ck_projects_status",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.UniqueConstraint("number", name="uq_projects_number"),
        sa.UniqueConstraint("slug", name="uq_projects_slug"),
    )
    op.create_index("idx_projects_status", "projects", ["status"])
    op.create_table(
        "transcripts",
        sa.Column("project_key", sa.String(length=255), nullable=False),
        sa.Column("session_id", sa.String(length=100), nullable=False),
        sa.Column("subpath", sa.String(length=255), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_uuid", sa.String(length=100), nullable=True),
        sa.Column("entry", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("project_key", "session_id", "subpath", "ordinal", name="pk_transcripts"),
        sa.UniqueConstraint(
            "project_key",
            "session_id",
            "subpath",
            "entry_uuid",
            name="uq_transcripts_project_key_session_id_subpath_entry_uuid",
        ),
    )
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_events_project_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq", name="pk_events"),
    )
    op.create_index("idx_events_project_id_seq", "events", ["project_id", "seq"])
    op.create_table(
        "phase_outputs",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("phase", sa.String(length=50), nullable=False),
        sa.Column("output_type", sa.String(length=100), nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.Column("content_hash", sa.String(length=128), nullable=False),
        sa.Column("file_path", sa.Text(), nullable=True),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_phase_outputs_project_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_phase_outputs"),
    )
    op.create_index("idx_phase_outputs_project_id_phase", "phase_outputs", ["project_id", "phase"])
    op.create_table(
        "pipeline_states",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("phases", JSON, nullable=False),
        sa.Column("last_checkpoint", MOMENT, nullable=False),
        sa.Column("heartbeat", MOMENT, nullable=True),
        sa.Column("shutdown_requested", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("shutdown_reason", sa.Text(), nullable=True),
        sa.Column("agent_snapshots", JSON, nullable=False),
        sa.Column("interrupted_work_items", JSON, nullable=False),
        sa.Column("last_successful_step", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_pipeline_states_project_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pipeline_states"),
    )
    op.create_index("idx_pipeline_states_project", "pipeline_states", ["project_id"], unique=True)
    op.create_table(
        "session_logs",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("phase", sa.String(length=50), nullable=False),
        sa.Column("session_number", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("work_item_id", sa.String(length=100), nullable=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("status", sa.String(length=50), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("tool_calls", JSON, nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", sa.Double(), nullable=False),
        sa.Column("cli_session_id", sa.String(length=100), nullable=True),
        sa.CheckConstraint(
            "status IN ('running', 'completed', 'failed', 'interrupted')", name="ck_session_logs_status"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_session_logs_project_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_session_logs"),
        sa.UniqueConstraint("project_id", "session_number", name="uq_session_logs_project_id_session_number"),
    )
    op.create_table(
        "work_items",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("acceptance", JSON, nullable=False),
        sa.Column("status", sa.String(length=50), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("phase", sa.String(length=50), nullable=False),
        sa.Column("parent_id", ID, nullable=True),
        sa.Column("dependencies", JSON, nullable=False),
        sa.Column("labels", JSON, nullable=False),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT, nullable=True),
        sa.CheckConstraint("status IN ('todo', 'in_progress', 'done', 'blocked')", name="ck_work_items_status"),
        sa.CheckConstraint("priority BETWEEN 1 AND 4", name="ck_work_items_priority"),
        sa.ForeignKeyConstraint(
            ["parent_id"],
            ["work_items.id"],
            name="fk_work_items_parent_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_work_items_project_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_work_items"),
        sa.UniqueConstraint("project_id", "number", name="uq_work_items_project_id_number"),
    )
    op.create_index("idx_work_items_project", "work_items", ["project_id"])
    op.create_index("idx_work_items_status", "work_items", ["status"])
    op.create_table(
        "input_requests",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("phase", sa.String(length=50), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("choices", JSON, nullable=False),
        sa.Column("content_hash", sa.String(length=128), nullable=False),
        sa.Column("artifact_id", ID, nullable=True),
        sa.Column("work_item_id", sa.String(length=100), nullable=True),
        sa.Column("status", sa.String(length=50), nullable=False),
        sa.Column("choice", sa.String(length=50), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "kind IN ('approval', 'clarification', 'permission', 'error_decision')", name="ck_input_requests_kind"
        ),
        sa.CheckConstraint("status IN ('open', 'answered', 'withdrawn')", name="ck_input_requests_status"),
        sa.ForeignKeyConstraint(
            ["artifact_id"], ["phase_outputs.id"], name="fk_input_requests_artifact_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_input_requests_project_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_input_requests"),
    )
    op.create_index("idx_input_requests_project_id_status", "input_requests", ["project_id", "status"])
    op.create_table(
        "work_item_comments",
        sa.Column("id", ID, nullable=False),
        sa.Column("work_item_id", ID, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["work_item_id"], ["work_items.id"], name="fk_work_item_comments_work_item_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_work_item_comments"),
    )
    op.create_index("idx_work_item_comments_work_item_id", "work_item_comments", ["work_item_id"])
    op.execute("INSERT INTO event_counter (id, seq) VALUES (1, 0)")


def downgrade() -> None:
    for table in (
        "work_item_comments",
        "input_requests",
        "work_items",
        "session_logs",
        "pipeline_states",
        "phase_outputs",
        "events",
        "transcripts",
        "projects",
        "event_counter",
    ):
        op.drop_table(table)
