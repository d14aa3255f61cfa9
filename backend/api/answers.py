"""What the API takes and gives, field by field as in the guide.

Addresses and transactions are parsed once, here, and reach the services as what they are.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic.alias_generators import to_camel
from solders.pubkey import Pubkey
from solders.signature import Signature as SolanaSignature
from solders.transaction import VersionedTransaction

from backend.access.sign_in import Tokens
from backend.domain.challenge import Challenge
from backend.domain.payout import to_sol
from backend.service.buyback import Issued, Paid, Quote, Status
from backend.service.inventory import Owned

_TRANSACTION_CHARS_MAX = 4000
_EXAMPLE_MINT = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU"
_EXAMPLE_WALLET = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"


def _address(value: object) -> Pubkey:
    try:
        return Pubkey.from_string(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("is not a Solana address in base58") from None


def _signature(value: object) -> SolanaSignature:
    try:
        return SolanaSignature.from_string(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("is not a signature in base58") from None


def _transaction(value: object) -> VersionedTransaction:
    try:
        if not isinstance(value, str) or len(value) > _TRANSACTION_CHARS_MAX:
            raise ValueError
        transaction = VersionedTransaction.from_bytes(base64.b64decode(value, validate=True))
        transaction.sanitize()
        return transaction
    except (binascii.Error, ValueError):
        raise ValueError("is not a transaction in base64") from None
    except Exception:  # what solders raises for inconsistent ones has no base of its own
        raise ValueError("is not a consistent transaction") from None


def _text(pattern: str, example: str, **more: object) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example], **more})


Address = Annotated[
    Pubkey,
    PlainValidator(_address),
    _text("^[1-9A-HJ-NP-Za-km-z]{32,44}$", _EXAMPLE_WALLET, format="solana-address"),
]
MintPath = Annotated[Address, Path(alias="nftMint", examples=[_EXAMPLE_MINT])]
WalletPath = Annotated[Address, Path(alias="walletAddress", examples=[_EXAMPLE_WALLET])]
WalletSignature = Annotated[
    SolanaSignature,
    PlainValidator(_signature),
    _text("^[1-9A-HJ-NP-Za-km-z]{64,88}$", "4" * 88, format="solana-signature"),
]
Transaction = Annotated[
    VersionedTransaction,
    PlainValidator(_transaction),
    _text("^[A-Za-z0-9+/]+={0,2}$", "AQAB...", maxLength=_TRANSACTION_CHARS_MAX,
          format="solana-transaction"),
]  # fmt: skip
RefreshToken = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}$")]


class _CamelCase(BaseModel):
    """Fields are written as in the guide: nft_mint is nftMint."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class RevealBody(_CamelCase):
    box_id: Annotated[str, Field(min_length=1, max_length=60, examples=["mystery-box"])]
    #: The player's part of a provably fair roll.
    client_seed: Annotated[str, Field(pattern="^[!-~]{1,64}$")] | None = None


class RequestBody(_CamelCase):
    nft_mint: Address
    wallet_address: Address


class ConfirmBody(RequestBody):
    signed_transaction: Transaction


class ChallengeBody(_CamelCase):
    wallet_address: Address


class SignInBody(ChallengeBody):
    nonce: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    signature: WalletSignature


class RefreshBody(_CamelCase):
    refresh_token: RefreshToken


class RevealData(_CamelCase):
    nft_mint: str
    skin_name: str
    skin_rarity: str
    metadata_uri: str
    tx_signature: str


class RevealAnswer(BaseModel):
    success: Literal[True] = True
    data: RevealData


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


class SkinData(_CamelCase):
    nft_mint: str
    skin_name: str
    skin_rarity: str
    condition: str
    image_url: str


class InventoryAnswer(BaseModel):
    success: Literal[True] = True
    data: list[SkinData]

    @classmethod
    def of(cls, owned: list[Owned]) -> Self:
        return cls(data=[SkinData(**vars(one)) for one in owned])


class ChallengeAnswer(_CamelCase):
    """`message` is what the wallet signs, byte for byte (UTF-8)."""

    message: str
    nonce: str
    expires_at: datetime

    @classmethod
    def of(cls, asked: Challenge) -> Self:
        return cls(message=asked.message, nonce=asked.nonce, expires_at=asked.expires_at)


class TokensAnswer(_CamelCase):
    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in_seconds: int

    @classmethod
    def of(cls, tokens: Tokens) -> Self:
        return cls(**vars(tokens))


class SignedOutAnswer(BaseModel):
    success: Literal[True] = True


class CommitmentAnswer(BaseModel):
    """SHA-256 of the server seed that the next rolls come from; null outside fair mode."""

    commitment: str | None


class ProofAnswer(_CamelCase):
    """What repeats a roll (docs/backend.md); `server_seed` in hex once it is disclosed."""

    commitment: str
    client_seed: str | None
    nonce: int
    choices: str
    box_id: str
    tier: str
    template_id: int
    server_seed: str | None


class HealthAnswer(BaseModel):
    status: Literal["ok"] = "ok"


class ReadyAnswer(BaseModel):
    """Each part is `ok` or the code of what is wrong with it."""

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


def _quote_fields(quote: Quote) -> dict[str, Any]:
    return {
        "nft_mint": quote.nft_mint,
        "skin_price": to_sol(quote.skin_lamports),
        "buyback_amount": to_sol(quote.buyback_lamports),
        "buyback_amount_lamports": str(quote.buyback_lamports),
    }
