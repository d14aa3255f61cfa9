"""Every way the backend says no: a stable code, an HTTP status, a sentence for a person."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_SOON = MappingProxyType({"retry-after": "2"})


class Refusal(Exception):
    """A request that is not carried out. `code` never changes; `message` may."""

    code = "REFUSED"
    status = 400
    message = "The request was refused"
    #: Of the answer, beside those that every answer has.
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)
        self.message = message or self.message


class InvalidInput(Refusal):
    code, status, message = "INVALID_INPUT", 422, "A field is missing or malformed"


class MetadataNotFound(Refusal):
    code, status = "METADATA_NOT_FOUND", 404
    message = "Metadata account not found; wait for it to propagate and try again"


class ForeignNft(Refusal):
    code, status = "FOREIGN_NFT", 400
    message = "The NFT is not a verified member of the collection"


class NotAMysteryBox(Refusal):
    code, status = "NOT_A_MYSTERY_BOX", 409
    message = "The NFT does not carry the placeholder metadata"


class UnknownBox(Refusal):
    code, status, message = (
        "UNKNOWN_BOX",
        400,
        "The box does not exist or is not sold by this machine",
    )


class NoTemplate(Refusal):
    code, status, message = (
        "NO_TEMPLATE",
        503,
        "No skin template is available for the rolled rarity",
    )


class RevealInProgress(Refusal):
    code, status, message = (
        "REVEAL_IN_PROGRESS",
        409,
        "This NFT is being revealed; try again shortly",
    )


class RevealFailed(Refusal):
    code, status, message = "REVEAL_FAILED", 502, "The reveal did not land on the ledger; try again"


class NftNotFound(Refusal):
    code, status, message = "NFT_NOT_FOUND", 404, "NFT not found in user inventory"


class AlreadyBoughtBack(Refusal):
    code, status, message = "ALREADY_BOUGHT_BACK", 409, "This NFT has been bought back already"


class NotTheHolder(Refusal):
    code, status, message = "NOT_THE_HOLDER", 403, "The wallet does not hold this NFT"


class BuybackDisabled(Refusal):
    code, status, message = "BUYBACK_DISABLED", 409, "Buyback is currently disabled"


class InsufficientTreasury(Refusal):
    code, status, message = "INSUFFICIENT_TREASURY", 409, "Treasury has insufficient balance"


class NothingToPay(Refusal):
    code, status, message = "NOTHING_TO_PAY", 409, "The buyback amount rounds to nothing"


class TransactionMismatch(Refusal):
    code, status = "TRANSACTION_MISMATCH", 400
    message = "The transaction is not the one that was issued for this NFT and wallet"


class MissingSignature(Refusal):
    code, status, message = "MISSING_SIGNATURE", 400, "The transaction is not signed by everybody"


class QuoteExpired(Refusal):
    code, status, message = "QUOTE_EXPIRED", 410, "The quote has expired; request a new one"


class BuybackFailed(Refusal):
    code, status, message = "BUYBACK_FAILED", 502, "The buyback did not land on the ledger"


class LedgerUnavailable(Refusal):
    code, status, message = "LEDGER_UNAVAILABLE", 503, "The ledger does not answer; try again"
    headers = _SOON


class OutcomeUnknown(Refusal):
    code, status = "OUTCOME_UNKNOWN", 503
    message = "Sent, but the ledger does not say yet what became of it; repeat the same call"
    headers = _SOON


class QuotePending(Refusal):
    code, status = "QUOTE_PENDING", 409
    message = "An earlier quote for this NFT can still be paid; use it or wait until it expires"


class LabelTooLong(Refusal):
    code, status = "LABEL_TOO_LONG", 503
    message = "The rolled skin's name has more than 32 bytes or its URI more than 200"


class PriceUnavailable(Refusal):
    code, status = "PRICE_UNAVAILABLE", 503
    message = "No SOL price is available; payouts stop until there is one"


class PriceTooOld(Refusal):
    code, status = "PRICE_TOO_OLD", 503
    message = "The last SOL price is too old to pay with; payouts stop until there is a new one"


class DatabaseUnavailable(Refusal):
    code, status, message = "DATABASE_UNAVAILABLE", 503, "The database does not answer; try again"
    headers = _SOON


#: Errors of the buyback program that have an answer of their own.
PROGRAM_REFUSALS: dict[str, type[Refusal]] = {
    "BuybackDisabled": BuybackDisabled,
    "InsufficientTreasury": InsufficientTreasury,
    "InvalidAmount": NothingToPay,
    "WrongCollection": ForeignNft,
    "CollectionNotVerified": ForeignNft,
    "InvalidMetadata": ForeignNft,
    "NotHolder": NotTheHolder,
}
