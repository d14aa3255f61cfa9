"""Every way the backend says no: a stable code, an HTTP status, a sentence for a person.

docs/errors.md has cause and cure of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


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

    def body(self) -> dict[str, object]:
        """The answer's JSON."""
        return {"success": False, "error": {"code": self.code, "message": self.message}}


class RateLimited(Refusal):
    """Too often; `limit` names the limit, the answer says when its window ends."""

    code, status, message = "RATE_LIMITED", 429, "Too many requests; wait and try again"

    def __init__(self, limit: str = "general", retry_after_seconds: int = 1) -> None:
        super().__init__()
        self.limit = limit
        self.headers = {"retry-after": str(retry_after_seconds)}


def _refusal(
    status: int, code: str, message: str, retry_after_seconds: int | None = None
) -> type[Refusal]:
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    if retry_after_seconds is not None:
        headers["retry-after"] = str(retry_after_seconds)
    values = {"code": code, "status": status, "message": message, "headers": headers}
    return type(code.title().replace("_", ""), (Refusal,), values)


# fmt: off
InvalidInput = _refusal(422, "INVALID_INPUT", "A field is missing or malformed")
PathUnknown = _refusal(404, "PATH_UNKNOWN", "There is nothing at this path")
MethodNotAllowed = _refusal(405, "METHOD_NOT_ALLOWED", "This path does not take this method")
BodyTooSlow = _refusal(408, "BODY_TOO_SLOW", "The request's body did not arrive in time")
BodyTooLarge = _refusal(413, "BODY_TOO_LARGE", "The request's body is larger than is taken")
InternalError = _refusal(
    500, "INTERNAL_ERROR",
    "Something went wrong on our side; the log has it under this request's id")
DatabaseUnavailable = _refusal(
    503, "DATABASE_UNAVAILABLE", "The database does not answer; try again", 2)
LedgerUnavailable = _refusal(
    503, "LEDGER_UNAVAILABLE", "The ledger does not answer; try again", 2)
#: As much is under way as this process takes. Said before anything is done.
Overloaded = _refusal(503, "OVERLOADED", "Too much is under way; wait and try again", 1)

SignInRequired = _refusal(401, "SIGN_IN_REQUIRED", "Sign in with the wallet first")
TokenInvalid = _refusal(
    401, "TOKEN_INVALID",
    "The access token is malformed, forged, expired or revoked; refresh it or sign in again")
ChallengeInvalid = _refusal(
    401, "CHALLENGE_INVALID",
    "The challenge is unknown, used, expired or another wallet's; ask for a new one")
WrongSignature = _refusal(
    401, "WRONG_SIGNATURE", "The signature is not this wallet's over the challenge's message")
RefreshInvalid = _refusal(
    401, "REFRESH_INVALID", "The refresh token is unknown, revoked or expired; sign in again")
RefreshReused = _refusal(
    401, "REFRESH_REUSED",
    "The refresh token was used before; all tokens of this sign-in are revoked")
WrongWallet = _refusal(403, "WRONG_WALLET", "A wallet acts for itself only")

UnknownBox = _refusal(
    400, "UNKNOWN_BOX", "The box does not exist or is not sold by this machine")
ForeignNft = _refusal(
    400, "FOREIGN_NFT", "The NFT is not a verified member of the collection")
MetadataNotFound = _refusal(
    404, "METADATA_NOT_FOUND",
    "Metadata account not found; wait for it to propagate and try again")
NotAMysteryBox = _refusal(
    409, "NOT_A_MYSTERY_BOX", "The NFT does not carry the placeholder metadata")
NoTemplate = _refusal(
    503, "NO_TEMPLATE", "A rarity of this box has no skin template left; nothing was rolled")
LabelTooLong = _refusal(
    503, "LABEL_TOO_LONG",
    "A skin's name has more than 32 bytes or its URI more than 200; nothing was rolled")
RevealInProgress = _refusal(
    409, "REVEAL_IN_PROGRESS", "This NFT is being revealed; try again shortly")
RevealFailed = _refusal(
    502, "REVEAL_FAILED", "The reveal did not land on the ledger; try again")

NftNotFound = _refusal(404, "NFT_NOT_FOUND", "NFT not found in user inventory")
AlreadyBoughtBack = _refusal(
    409, "ALREADY_BOUGHT_BACK", "This NFT has been bought back already")
NotTheHolder = _refusal(403, "NOT_THE_HOLDER", "The wallet does not hold this NFT")
BuybackDisabled = _refusal(409, "BUYBACK_DISABLED", "Buyback is currently disabled")
InsufficientTreasury = _refusal(
    409, "INSUFFICIENT_TREASURY", "Treasury has insufficient balance")
NothingToPay = _refusal(409, "NOTHING_TO_PAY", "The buyback amount rounds to nothing")
QuotePending = _refusal(
    409, "QUOTE_PENDING",
    "An earlier quote for this NFT can still be paid; use it or wait until it expires")
QuoteExpired = _refusal(410, "QUOTE_EXPIRED", "The quote has expired; request a new one")
TransactionMismatch = _refusal(
    400, "TRANSACTION_MISMATCH",
    "The transaction is not the one that was issued for this NFT and wallet")
MissingSignature = _refusal(
    400, "MISSING_SIGNATURE", "The transaction is not signed by everybody")
BuybackFailed = _refusal(502, "BUYBACK_FAILED", "The buyback did not land on the ledger")
OutcomeUnknown = _refusal(
    503, "OUTCOME_UNKNOWN",
    "Sent, but the ledger does not say yet what became of it; repeat the same call", 2)
PriceUnavailable = _refusal(
    503, "PRICE_UNAVAILABLE", "No SOL price is available; payouts stop until there is one", 2)
PriceTooOld = _refusal(
    503, "PRICE_TOO_OLD",
    "The last SOL price is too old to pay with; payouts stop until there is a new one", 2)
# fmt: on

#: Errors of the buyback program that have an answer of their own.
PROGRAM_REFUSALS = {
    "BuybackDisabled": BuybackDisabled,
    "InsufficientTreasury": InsufficientTreasury,
    "InvalidAmount": NothingToPay,
    "WrongCollection": ForeignNft,
    "CollectionNotVerified": ForeignNft,
    "InvalidMetadata": ForeignNft,
    "NotHolder": NotTheHolder,
}
