"""Sign-ins; what skins cost before; an audit table that nobody can rewrite."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TIME = sa.DateTime(timezone=True)

_KEEP_PRICE = """
create function keep_skin_price() returns trigger language plpgsql as $$
begin
    insert into skin_price_history (skin_template_id, old_price_usd, new_price_usd, changed_by)
    values (new.id, old.base_price_usd, new.base_price_usd, current_user);
    return null;
end $$;
create trigger skin_price_is_kept after update of base_price_usd on skin_templates for each row
    when (old.base_price_usd is distinct from new.base_price_usd)
    execute function keep_skin_price();
"""
# Entered by the database itself in the transaction that enters the payment, whoever pays.
_KEEP_PAYOUT = """
create function keep_buyback() returns trigger language plpgsql as $$
begin
    insert into payout_audit (kind, nft_mint, wallet, amount_lamports, tx_signature, paid_at)
    values ('buyback', new.nft_mint, new.user_wallet, new.amount_paid * 1000000000,
            new.tx_signature, new.created_at) on conflict do nothing;
    return null;
end $$;
create trigger buyback_is_audited after insert on buyback_records for each row
    execute function keep_buyback();
create function keep_refund() returns trigger language plpgsql as $$
begin
    insert into payout_audit (kind, nft_mint, wallet, amount_lamports, tx_signature, paid_at)
    values (new.kind, new.nft_mint, new.wallet, new.amount_lamports, new.tx_signature,
            new.settled_at) on conflict do nothing;
    return null;
end $$;
create trigger refund_is_audited after update of state on obligations for each row
    when (new.state = 'paid' and old.state <> 'paid') execute function keep_refund();
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'payout_audit is append-only';
end $$;
create trigger payout_audit_is_append_only before update or delete or truncate on payout_audit
    for each statement execute function refuse_change();
insert into payout_audit (kind, nft_mint, wallet, amount_lamports, tx_signature, paid_at)
    select 'buyback', nft_mint, user_wallet, amount_paid * 1000000000, tx_signature, created_at
    from buyback_records order by id;
insert into payout_audit (kind, nft_mint, wallet, amount_lamports, tx_signature, paid_at)
    select kind, nft_mint, wallet, amount_lamports, tx_signature, settled_at
    from obligations where state = 'paid' order by id;
"""


def upgrade() -> None:
    op.create_table(
        "sign_in_challenges",
        sa.Column("nonce", sa.String(32), primary_key=True),
        sa.Column("wallet", sa.String(44), nullable=False),
        sa.Column("issued_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False, index=True),
    )
    op.create_table(
        "sign_ins",
        sa.Column("family", sa.String(22), primary_key=True),
        sa.Column("wallet", sa.String(44), nullable=False),
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False, index=True),
        sa.Column("revoked_at", _TIME),
    )
    op.create_table(
        "skin_price_history",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("skin_template_id", sa.BigInteger(), sa.ForeignKey("skin_templates.id"),
                  nullable=False, index=True),
        sa.Column("old_price_usd", sa.Numeric(14, 4), nullable=False),
        sa.Column("new_price_usd", sa.Numeric(14, 4), nullable=False),
        sa.Column("changed_at", _TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("changed_by", sa.Text(), nullable=False),
    )  # fmt: skip
    op.create_table(
        "payout_audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("nft_mint", sa.String(44), nullable=False),
        sa.Column("wallet", sa.String(44), nullable=False),
        sa.Column("amount_lamports", sa.BigInteger(), nullable=False),
        sa.Column("tx_signature", sa.String(88), nullable=False, unique=True),
        sa.Column("paid_at", _TIME, nullable=False),
    )
    op.execute(_KEEP_PRICE)
    op.execute(_KEEP_PAYOUT)


def downgrade() -> None:
    op.execute(
        "drop trigger buyback_is_audited on buyback_records;"
        " drop trigger refund_is_audited on obligations;"
        " drop trigger skin_price_is_kept on skin_templates;"
    )
    for table in ("payout_audit", "skin_price_history", "sign_ins", "sign_in_challenges"):
        op.drop_table(table)
    op.execute("drop function keep_buyback(), keep_refund(), refuse_change(), keep_skin_price()")
