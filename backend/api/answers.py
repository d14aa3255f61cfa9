"""What the API takes and gives, field by field as in the guide."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal, Self

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from solders.pubkey import Pubkey

from backend.domain.payout import to_sol
from backend.service.buyback import Issued, Paid, Quote, Status
from backend.service.reveal import Revealed


def _is_address(text: str) -> str:
    try:
        Pubkey.from_string(text)
    except ValueError:
        raise ValueError("is not a Solana address in base58") from None
    return text


Address = Annotated[str, Field(min_length=32, max_length=44), AfterValidator(_is_address)]
MintPath = Annotated[str, Path(alias="nftMint", min_length=32, max_length=44)]


class _CamelCase(BaseModel):
    """Fields are written as in the guide: nft_mint is nftMint."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class RevealBody(_CamelCase):
    box_id: Annotated[str, Field(min_length=1, max_length=60)]


class RequestBody(_CamelCase):
    nft_mint: Address
    wallet_address: Address


class ConfirmBody(RequestBody):
    signed_transaction: Annotated[str, Field(max_length=4000)]


class RevealData(_CamelCase):
    nft_mint: str
    skin_name: str
    skin_rarity: str
    metadata_uri: str
    tx_signature: str


class RevealAnswer(BaseModel):
    success: Literal[True] = True
    data: RevealData

    @classmethod
    def of(cls, revealed: Revealed) -> Self:
        return cls(data=RevealData(**vars(revealed)))


class StatusData(_CamelCase):
    """Lamports as text, since JavaScript's numbers cannot hold them all."""

    buyback_enable: bool
    min_treasury_balance: str
    treasury_balance: str
    buyback_rate: float
    sol_price_usd: float


class StatusAnswer(BaseModel):
    success: Literal[True] = True
    data: StatusData

    @classmethod
    def of(cls, status: Status) -> Self:
        return cls(
            data=StatusData(
                buyback_enable=status.enabled,
                min_treasury_balance=str(status.min_treasury_lamports),
                treasury_balance=str(status.treasury_lamports),
                buyback_rate=float(status.rate),
                sol_price_usd=float(status.sol_usd),
            )
        )


class QuoteAnswer(_CamelCase):
    nft_mint: str
    skin_price: float
    buyback_amount: float
    buyback_amount_lamports: str

    @classmethod
    def of(cls, quote: Quote) -> Self:
        return cls(**_quote_fields(quote))


class IssuedAnswer(QuoteAnswer):
    transaction: str

    @classmethod
    def of_issued(cls, issued: Issued) -> Self:
        encoded = base64.b64encode(bytes(issued.transaction)).decode()
        return cls(transaction=encoded, **_quote_fields(issued.quote))


class PaidAnswer(_CamelCase):
    message: str
    tx_signature: str
    amount_paid: float

    @classmethod
    def of(cls, paid: Paid) -> Self:
        return cls(
            message="Buyback completed successfully",
            tx_signature=paid.tx_signature,
            amount_paid=to_sol(paid.amount_lamports),
        )


class ErrorDetail(BaseModel):
    code: str
    message: str


class ErrorAnswer(BaseModel):
    success: Literal[False] = False
    error: ErrorDetail


def _quote_fields(quote: Quote) -> dict[str, Any]:
    return {
        "nft_mint": quote.nft_mint,
        "skin_price": to_sol(quote.skin_lamports),
        "buyback_amount": to_sol(quote.buyback_lamports),
        "buyback_amount_lamports": str(quote.buyback_lamports),
    }
