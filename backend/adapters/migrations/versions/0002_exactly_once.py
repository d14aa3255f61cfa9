"""Reveals with a state of their own; quotes that hold their amount back; seeds, obligations."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ID = ("id", sa.BigInteger(), sa.Identity())
_TIME = sa.DateTime(timezone=True)
_LIVE = sa.text("state in ('open', 'signed')")
_REVEAL_COLUMNS = (
    ("box_id", sa.String(60)),
    ("metadata_uri", sa.String(200)),
    ("reveal_tx_signature", sa.String(88)),
    ("reveal_tx", sa.LargeBinary()),
    ("reveal_last_valid_block_height", sa.BigInteger()),
)


def upgrade() -> None:
    op.add_column("skin_templates", sa.Column("weight", sa.Integer(), nullable=False,
                                              server_default="1"))  # fmt: skip
    op.add_column("skin_templates", sa.Column("stock", sa.Integer()))
    op.create_check_constraint("weight_is_not_negative", "skin_templates", "weight >= 0")
    op.create_check_constraint("stock_is_not_negative", "skin_templates", "stock >= 0")
    _seeds_and_reveals()
    _quotes()
    op.create_table(
        "obligations",
        sa.Column(*_ID, primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("nft_mint", sa.String(44), nullable=False),
        sa.Column("wallet", sa.String(44)),
        sa.Column("amount_lamports", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("tx_signature", sa.String(88)),
        sa.Column("signed_tx", sa.LargeBinary()),
        sa.Column("last_valid_block_height", sa.BigInteger()),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("settled_at", _TIME),
        sa.UniqueConstraint("kind", "nft_mint"),
    )


def _seeds_and_reveals() -> None:
    op.create_table(
        "server_seeds",
        sa.Column(*_ID, primary_key=True),
        sa.Column("commitment", sa.String(64), nullable=False, unique=True),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.Column("next_nonce", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("disclosed_at", _TIME),
    )
    op.create_table(
        "reveals",
        sa.Column(*_ID, primary_key=True),
        sa.Column("nft_mint", sa.String(44), nullable=False, unique=True),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("box_id", sa.String(60), nullable=False),
        sa.Column("skin_template_id", sa.BigInteger(), sa.ForeignKey("skin_templates.id")),
        sa.Column("metadata_uri", sa.String(200)),
        sa.Column("tx_signature", sa.String(88)),
        sa.Column("signed_tx", sa.LargeBinary()),
        sa.Column("last_valid_block_height", sa.BigInteger()),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_try_at", _TIME),
        sa.Column("error_code", sa.String(40)),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("revealed_at", _TIME),
        sa.Column("choices", sa.Text()),
        sa.Column("client_seed", sa.String(64)),
        sa.Column("nonce", sa.BigInteger()),
        sa.Column("server_seed_id", sa.BigInteger(), sa.ForeignKey("server_seeds.id")),
        sa.CheckConstraint("(state = 'pending') = (signed_tx is null)", name="signed_once_rolled"),
    )
    op.create_index("ix_reveals_next_try_at", "reveals", ["next_try_at"],
                    postgresql_where=sa.text("next_try_at is not null"))  # fmt: skip
    op.execute(
        "insert into reveals (nft_mint, state, box_id, skin_template_id, metadata_uri,"
        " tx_signature, signed_tx, last_valid_block_height, created_at, revealed_at, next_try_at)"
        " select nft_mint_address, case when revealed_at is null then 'submitted' else 'revealed'"
        " end, box_id, skin_template_id, metadata_uri, reveal_tx_signature, reveal_tx,"
        " reveal_last_valid_block_height, created_at, revealed_at,"
        " case when revealed_at is null then created_at end from user_skins order by id"
    )
    op.execute("delete from user_skins where revealed_at is null")
    for name in [name for name, _ in _REVEAL_COLUMNS] + ["revealed_at"]:
        op.drop_column("user_skins", name)


def _quotes() -> None:
    op.create_table(
        "treasury_books",
        sa.Column("treasury", sa.String(44), primary_key=True),
        sa.Column("reserved_lamports", sa.BigInteger(), nullable=False),
        sa.Column("paid_lamports", sa.BigInteger(), nullable=False),
    )
    for column in (
        sa.Column("state", sa.String(12)),
        sa.Column("price_usd", sa.Numeric(14, 4)),
        sa.Column("sol_usd", sa.Numeric(20, 8)),
        sa.Column("issued_tx", sa.LargeBinary()),
        sa.Column("treasury_signed", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("expires_at", _TIME),
        sa.Column("next_check_at", _TIME),
    ):
        op.add_column("buyback_quotes", column)
    # Of an NFT's unpaid quotes the last one may still be on its way; the reconciler will look.
    op.execute(
        "update buyback_quotes q set expires_at = created_at, state = case"
        " when exists (select from buyback_records r where r.tx_signature = q.tx_signature)"
        " then 'paid'"
        " when exists (select from buyback_records r where r.nft_mint = q.nft_mint)"
        " or exists (select from buyback_quotes later where later.nft_mint = q.nft_mint"
        " and later.id > q.id) then 'dead'"
        " when signed_tx is null then 'open' else 'signed' end"
    )
    op.execute(f"update buyback_quotes set next_check_at = created_at where {_LIVE.text}")
    op.alter_column("buyback_quotes", "state", nullable=False)
    op.alter_column("buyback_quotes", "expires_at", nullable=False)
    op.alter_column("buyback_quotes", "treasury_signed", server_default=None)
    op.create_index("ix_buyback_quotes_live", "buyback_quotes", ["nft_mint"], unique=True,
                    postgresql_where=_LIVE)  # fmt: skip
    op.create_index("ix_buyback_quotes_next_check_at", "buyback_quotes", ["next_check_at"],
                    postgresql_where=sa.text("next_check_at is not null"))  # fmt: skip
    op.add_column("buyback_records", sa.Column("quote_id", sa.BigInteger(),
                                               sa.ForeignKey("buyback_quotes.id")))  # fmt: skip
    op.execute(
        "update buyback_records r set quote_id = q.id from buyback_quotes q"
        " where q.tx_signature = r.tx_signature"
    )


def downgrade() -> None:
    """Loses what the first schema has no place for: pending reveals, seeds, obligations."""
    op.drop_table("obligations")
    op.drop_column("buyback_records", "quote_id")
    op.drop_index("ix_buyback_quotes_next_check_at", "buyback_quotes")
    op.drop_index("ix_buyback_quotes_live", "buyback_quotes")
    for name in ("state", "price_usd", "sol_usd", "issued_tx", "treasury_signed", "expires_at",
                 "next_check_at"):  # fmt: skip
        op.drop_column("buyback_quotes", name)
    op.drop_table("treasury_books")
    for name, kind in _REVEAL_COLUMNS:
        op.add_column("user_skins", sa.Column(name, kind))
    op.add_column("user_skins", sa.Column("revealed_at", _TIME))
    op.execute(
        "insert into user_skins (nft_mint_address, skin_template_id, created_at, is_burned_back)"
        " select nft_mint, skin_template_id, created_at, false from reveals"
        " where state = 'submitted'"
    )
    op.execute(
        "update user_skins u set box_id = r.box_id, metadata_uri = r.metadata_uri,"
        " reveal_tx_signature = r.tx_signature, reveal_tx = r.signed_tx,"
        " reveal_last_valid_block_height = r.last_valid_block_height,"
        " revealed_at = r.revealed_at from reveals r where r.nft_mint = u.nft_mint_address"
    )
    for name, _ in _REVEAL_COLUMNS:
        op.alter_column("user_skins", name, nullable=False)
    op.drop_table("reveals")
    op.drop_table("server_seeds")
    for name in ("stock_is_not_negative", "weight_is_not_negative"):
        op.drop_constraint(name, "skin_templates")
    op.drop_column("skin_templates", "stock")
    op.drop_column("skin_templates", "weight")
