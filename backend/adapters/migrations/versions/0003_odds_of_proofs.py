"""The odds of a fair roll beside its choices; refunds on their way hold back what they cost."""

from alembic import op

revision = "0003"
down_revision = "0002"

_RESERVED = "update treasury_books set reserved_lamports = reserved_lamports"
_HELD = "(select coalesce(sum(amount_lamports + 5000), 0) from obligations where state = 'paying')"


def upgrade() -> None:
    op.execute(f"alter table reveals add odds json; {_RESERVED} + {_HELD}")


def downgrade() -> None:
    op.execute(f"alter table reveals drop odds; {_RESERVED} - {_HELD}")
