"""What is alive in an inbox is found without its tombstones."""

from __future__ import annotations

from alembic import op

revision = "0002_live_deliveries"
down_revision = "0001_coordination"
branch_labels = None
depends_on = None

INDEX = "CREATE INDEX deliveries_live ON coordination.deliveries (subject, seq) WHERE live"


def upgrade() -> None:
    """Makes the index."""
    op.execute(INDEX)
