"""What a database holds that has been in production: NFTs that were revealed and sold before.

Written straight into Postgres, five rows an NFT (reveal, skin, quote, record, audit), and taken out
again before the judges come: the ledger of a load knows nothing of these NFTs.
"""

from __future__ import annotations

from sqlalchemy import Engine, text

NFTS_MAX = 200_000
ROWS_AN_NFT = 5
_BOX = "history"  # marks them; no box is called so
#: Names as spread out as addresses are, so that index pages are touched as in production.
_NAMES = (
    "select n, substr(md5(n::text) || md5('mint' || n), 1, 44) as mint,"
    " substr(md5('wallet' || n) || md5(n::text), 1, 44) as wallet,"
    " substr(repeat(md5('tx' || n), 3), 1, 88) as signature"
    " from generate_series(1, :nfts) n"
)
_WRITE = (
    "insert into reveals (nft_mint, state, box_id, skin_template_id, metadata_uri, tx_signature,"
    " signed_tx, last_valid_block_height, tries, created_at, revealed_at)"
    " select mint, 'revealed', :box, (select min(id) from skin_templates), 'https://x.example/' ||"
    f" mint, signature, decode(repeat('00', 400), 'hex'), 1, 1, now(), now() from ({_NAMES}) a",
    "insert into user_skins (nft_mint_address, skin_template_id, created_at, is_burned_back,"
    " buyback_tx_signature) select nft_mint, skin_template_id, now(), true, tx_signature"
    " from reveals where box_id = :box",
    "insert into buyback_quotes (nft_mint, user_wallet, state, amount_lamports, price_usd, sol_usd,"
    " message_sha256, issued_tx, treasury_signed, last_valid_block_height, created_at, expires_at,"
    " tx_signature, signed_tx) select mint, wallet, 'paid', 1, 1, 200, sha256(mint::bytea),"
    " decode(repeat('00', 500), 'hex'), true, 1, now(), now(), signature,"
    f" decode(repeat('00', 500), 'hex') from ({_NAMES}) a",
    "insert into buyback_records (nft_mint, user_wallet, amount_paid, tx_signature, created_at,"
    " quote_id) select nft_mint, user_wallet, 0.000000001, tx_signature, now(), id"
    " from buyback_quotes where nft_mint in (select nft_mint from reveals where box_id = :box)",
)
_OF_HISTORY = "in (select nft_mint from reveals where box_id = :box)"
_TAKE_AWAY = (
    f"delete from buyback_records where nft_mint {_OF_HISTORY}",
    f"delete from buyback_quotes where nft_mint {_OF_HISTORY}",
    f"delete from user_skins where nft_mint_address {_OF_HISTORY}",
    "delete from reveals where box_id = :box",
)


def add_history(engine: Engine, nfts: int) -> None:
    """Write the rows of so many NFTs, and let Postgres know how many there are."""
    with engine.begin() as connection:
        for statement in _WRITE:
            given = {"box": _BOX, "nfts": nfts}
            connection.execute(
                text(statement), {k: v for k, v in given.items() if f":{k}" in statement}
            )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("analyze"))


def take_history_away(engine: Engine) -> None:
    """Remove what the ledger knows nothing of."""
    with engine.begin() as connection:
        for statement in _TAKE_AWAY:
            connection.execute(text(statement), {"box": _BOX})
