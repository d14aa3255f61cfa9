"""First tables: skin templates, user skins, buyback quotes and records."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = ("id", sa.BigInteger(), sa.Identity())
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "skin_templates",
        sa.Column(*_ID, primary_key=True),
        sa.Column("weapon", sa.String(40), nullable=False),
        sa.Column("skin_name", sa.String(60), nullable=False),
        sa.Column("condition", sa.String(20), nullable=False),
        sa.Column("rarity", sa.String(20), nullable=False, index=True),
        sa.Column("base_price_usd", sa.Numeric(14, 4), nullable=False),
        sa.Column("image_url", sa.String(200), nullable=False),
    )
    op.create_table(
        "user_skins",
        sa.Column(*_ID, primary_key=True),
        sa.Column("nft_mint_address", sa.String(44), nullable=False, unique=True),
        sa.Column(
            "skin_template_id", sa.BigInteger(), sa.ForeignKey("skin_templates.id"), nullable=False
        ),
        sa.Column("user_id", sa.BigInteger()),
        sa.Column("box_id", sa.String(60), nullable=False),
        sa.Column("metadata_uri", sa.String(200), nullable=False),
        sa.Column("reveal_tx_signature", sa.String(88), nullable=False),
        sa.Column("reveal_tx", sa.LargeBinary(), nullable=False),
        sa.Column("reveal_last_valid_block_height", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("revealed_at", _TIME),
        sa.Column("is_burned_back", sa.Boolean(), nullable=False),
        sa.Column("buyback_tx_signature", sa.String(88)),
    )
    op.create_table(
        "buyback_quotes",
        sa.Column(*_ID, primary_key=True),
        sa.Column("nft_mint", sa.String(44), nullable=False, index=True),
        sa.Column("user_wallet", sa.String(44), nullable=False),
        sa.Column("amount_lamports", sa.BigInteger(), nullable=False),
        sa.Column("message_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("last_valid_block_height", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("tx_signature", sa.String(88)),
        sa.Column("signed_tx", sa.LargeBinary()),
    )
    op.create_index("ix_buyback_quotes_message", "buyback_quotes", ["message_sha256"], unique=True)
    op.create_table(
        "buyback_records",
        sa.Column(*_ID, primary_key=True),
        sa.Column("nft_mint", sa.String(44), nullable=False, unique=True),
        sa.Column("user_wallet", sa.String(44), nullable=False),
        sa.Column("amount_paid", sa.Numeric(20, 9), nullable=False),
        sa.Column("tx_signature", sa.String(88), nullable=False, unique=True),
        sa.Column("created_at", _TIME, nullable=False),
    )


def downgrade() -> None:
    for table in ("buyback_records", "buyback_quotes", "user_skins", "skin_templates"):
        op.drop_table(table)
