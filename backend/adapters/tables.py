"""The tables: the guide's three, and the buyback transactions that were issued.

`user_skins` doubles as the reveal's state: the row with its roll and its signed transaction is
there before the transaction is first sent, so that no crash can lead to a second roll.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Numeric,
    String,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

_Address = String(44)
_Signature = String(88)


class Table(DeclarativeBase):
    pass


class SkinTemplate(Table):
    """A skin that a box can turn into. Prices in US dollars."""

    __tablename__ = "skin_templates"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    weapon: Mapped[str] = mapped_column(String(40))
    skin_name: Mapped[str] = mapped_column(String(60))
    condition: Mapped[str] = mapped_column(String(20))
    rarity: Mapped[str] = mapped_column(String(20), index=True)
    base_price_usd: Mapped[Decimal] = mapped_column(Numeric(14, 4))
    image_url: Mapped[str] = mapped_column(String(200))

    @property
    def title(self) -> str:
        """What the NFT is called once revealed."""
        return f"{self.weapon} | {self.skin_name}"


class UserSkin(Table):
    """A revealed NFT, or one whose reveal is under way (`revealed_at` is empty)."""

    __tablename__ = "user_skins"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    nft_mint_address: Mapped[str] = mapped_column(_Address, unique=True)
    skin_template_id: Mapped[int] = mapped_column(ForeignKey("skin_templates.id"))
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    box_id: Mapped[str] = mapped_column(String(60))
    metadata_uri: Mapped[str] = mapped_column(String(200))
    reveal_tx_signature: Mapped[str] = mapped_column(_Signature)
    reveal_tx: Mapped[bytes] = mapped_column(LargeBinary)
    reveal_last_valid_block_height: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    revealed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    is_burned_back: Mapped[bool] = mapped_column(default=False)
    buyback_tx_signature: Mapped[str | None] = mapped_column(_Signature)

    template: Mapped[SkinTemplate] = relationship(lazy="joined", innerjoin=True)


class BuybackQuote(Table):
    """A buyback transaction that the treasury has signed, and what became of it."""

    __tablename__ = "buyback_quotes"
    __table_args__ = (Index("ix_buyback_quotes_message", "message_sha256", unique=True),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    nft_mint: Mapped[str] = mapped_column(_Address, index=True)
    user_wallet: Mapped[str] = mapped_column(_Address)
    amount_lamports: Mapped[int] = mapped_column(BigInteger)
    message_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    last_valid_block_height: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    #: Set before the first broadcast; only these bytes are ever sent.
    tx_signature: Mapped[str | None] = mapped_column(_Signature)
    signed_tx: Mapped[bytes | None] = mapped_column(LargeBinary)


class BuybackRecord(Table):
    """Audit trail of what was paid. `amount_paid` in SOL, to the lamport."""

    __tablename__ = "buyback_records"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    nft_mint: Mapped[str] = mapped_column(_Address, unique=True)
    user_wallet: Mapped[str] = mapped_column(_Address)
    amount_paid: Mapped[Decimal] = mapped_column(Numeric(20, 9))
    tx_signature: Mapped[str] = mapped_column(_Signature, unique=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
