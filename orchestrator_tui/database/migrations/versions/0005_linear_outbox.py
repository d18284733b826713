"""What things are called in an outside tracker, and the changes that still have to reach it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "tracker_links",
        sa.Column("project_id", ID, nullable=False),
        sa.Column("tracker", sa.String(length=50), nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("local_id", sa.String(length=100), nullable=False),
        sa.Column("remote_id", sa.String(length=100), nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_tracker_links_project_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "tracker", "kind", "local_id", name="pk_tracker_links"),
        sa.UniqueConstraint(
            "project_id", "tracker", "kind", "remote_id", name="uq_tracker_links_project_id_tracker_kind_remote_id"
        ),
    )
    op.create_table(
        "tracker_outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("tracker", sa.String(length=50), nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("work_item_id", ID, nullable=True),
        sa.Column("data", JSON, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_tracker_outbox_project_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["work_item_id"], ["work_items.id"], name="fk_tracker_outbox_work_item_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_tracker_outbox"),
    )
    op.create_index("idx_tracker_outbox_project_id_tracker_seq", "tracker_outbox", ["project_id", "tracker", "seq"])


def downgrade() -> None:
    op.drop_table("tracker_outbox")
    op.drop_table("tracker_links")
