"""What the API takes and gives, field by field as in the guide.

Addresses and transactions are parsed once, here, and reach the services as what they are.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic.alias_generators import to_camel
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from backend.domain.payout import to_sol
from backend.service.buyback import Quote

_TRANSACTION_CHARS_MAX = 4000
_BASE58 = "[1-9A-HJ-NP-Za-km-z]"
_EXAMPLE_MINT = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU"
_EXAMPLE_WALLET = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"
T = TypeVar("T")


def _read(text: str) -> VersionedTransaction:
    if len(text) > _TRANSACTION_CHARS_MAX:
        raise ValueError
    transaction = VersionedTransaction.from_bytes(base64.b64decode(text, validate=True))
    transaction.sanitize()
    return transaction


def _parsed(read: Callable[[str], object], what: str) -> PlainValidator:
    def parse(value: object) -> object:
        try:
            return read(value if isinstance(value, str) else "")
        except Exception:  # what solders raises for inconsistent bytes has no base of its own
            raise ValueError(f"is not {what}") from None

    return PlainValidator(parse)


def _text(pattern: str, example: str, **more: object) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example], **more})


Address = Annotated[
    Pubkey,
    _parsed(Pubkey.from_string, "a Solana address in base58"),
    _text(f"^{_BASE58}{{32,44}}$", _EXAMPLE_WALLET, format="solana-address"),
]
MintPath = Annotated[Address, Path(alias="nftMint", examples=[_EXAMPLE_MINT])]
WalletPath = Annotated[Address, Path(alias="walletAddress", examples=[_EXAMPLE_WALLET])]
WalletSignature = Annotated[
    Signature,
    _parsed(Signature.from_string, "a signature in base58"),
    _text(f"^{_BASE58}{{64,88}}$", "4" * 88, format="solana-signature"),
]
Transaction = Annotated[
    VersionedTransaction,
    _parsed(_read, "a transaction in base64"),
    _text("^[A-Za-z0-9+/]+={0,2}$", "AQAB...", maxLength=_TRANSACTION_CHARS_MAX,
          format="solana-transaction"),
]  # fmt: skip


class _CamelCase(BaseModel):
    """Fields are written as in the guide: nft_mint is nftMint."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class RevealBody(_CamelCase):
    box_id: Annotated[str, Field(min_length=1, max_length=60, examples=["mystery-box"])]
    #: The player's part of a provably fair roll.
    client_seed: Annotated[str, Field(pattern="^[!-~]{1,64}$")] | None = None


class ChallengeBody(_CamelCase):
    wallet_address: Address


class RequestBody(ChallengeBody):
    nft_mint: Address


class ConfirmBody(RequestBody):
    signed_transaction: Transaction


class SignInBody(ChallengeBody):
    nonce: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    signature: WalletSignature


class RefreshBody(_CamelCase):
    refresh_token: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}$")]


class Answer(BaseModel, Generic[T]):
    """The guide's envelope of some answers."""

    success: Literal[True] = True
    data: T


class Success(BaseModel):
    success: Literal[True] = True


class RevealData(_CamelCase):
    nft_mint: str
    skin_name: str
    skin_rarity: str
    metadata_uri: str
    tx_signature: str


class StatusData(_CamelCase):
    """Lamports as text, since JavaScript's numbers cannot hold them all."""

    buyback_enable: bool
    min_treasury_balance: str
    treasury_balance: str
    buyback_rate: float
    sol_price_usd: float


class QuoteAnswer(_CamelCase):
    nft_mint: str
    skin_price: float
    buyback_amount: float
    buyback_amount_lamports: str


class IssuedAnswer(QuoteAnswer):
    transaction: str


class PaidAnswer(_CamelCase):
    message: str = "Buyback completed successfully"
    tx_signature: str
    amount_paid: float


class SkinData(_CamelCase):
    nft_mint: str
    skin_name: str
    skin_rarity: str
    condition: str
    image_url: str


class ChallengeAnswer(_CamelCase):
    """`message` is what the wallet signs, byte for byte (UTF-8)."""

    message: str
    nonce: str
    expires_at: datetime


class TokensAnswer(_CamelCase):
    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in_seconds: int


class CommitmentAnswer(BaseModel):
    """SHA-256 of the server seed that the next rolls come from; null outside fair mode."""

    commitment: str | None


class ProofAnswer(_CamelCase):
    """What repeats a roll (docs/backend.md); `server_seed` in hex once it is disclosed."""

    commitment: str
    client_seed: str | None
    nonce: int
    choices: str
    odds: dict[str, str] | None
    box_id: str
    tier: str
    template_id: int
    server_seed: str | None


class HealthAnswer(BaseModel):
    status: Literal["ok"] = "ok"


class ReadyAnswer(BaseModel):
    """Each part is `ok` or the code of what is wrong with it."""

    model_config = ConfigDict(from_attributes=True)
    ready: bool
    database: str
    rpc: str
    price: str


class ErrorDetail(BaseModel):
    code: str
    message: str


class ErrorAnswer(BaseModel):
    success: Literal[False] = False
    error: ErrorDetail


def quote_fields(quote: Quote) -> dict[str, Any]:
    return {
        "nft_mint": quote.nft_mint,
        "skin_price": to_sol(quote.skin_lamports),
        "buyback_amount": to_sol(quote.buyback_lamports),
        "buyback_amount_lamports": str(quote.buyback_lamports),
    }
