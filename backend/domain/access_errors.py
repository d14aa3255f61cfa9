"""How the door says no: signing in, limits, sizes, paths. The rest is in `errors`."""

from __future__ import annotations

from types import MappingProxyType

from backend.domain.errors import Refusal


class Unauthorised(Refusal):
    """Whoever calls has not shown who it is."""

    status, headers = 401, {"www-authenticate": "Bearer"}


class SignInRequired(Unauthorised):
    code, message = "SIGN_IN_REQUIRED", "Sign in with the wallet first"


class TokenInvalid(Unauthorised):
    code = "TOKEN_INVALID"
    message = "The access token is malformed, forged or expired; refresh it or sign in again"


class ChallengeInvalid(Unauthorised):
    code = "CHALLENGE_INVALID"
    message = "The challenge is unknown, used, expired or another wallet's; ask for a new one"


class WrongSignature(Unauthorised):
    code = "WRONG_SIGNATURE"
    message = "The signature is not this wallet's over the challenge's message"


class RefreshInvalid(Unauthorised):
    code = "REFRESH_INVALID"
    message = "The refresh token is unknown, revoked or expired; sign in again"


class RefreshReused(Unauthorised):
    code = "REFRESH_REUSED"
    message = "The refresh token was used before; all tokens of this sign-in are revoked"


class WrongWallet(Refusal):
    code, status, message = "WRONG_WALLET", 403, "A wallet acts for itself only"


class PathUnknown(Refusal):
    code, status, message = "PATH_UNKNOWN", 404, "There is nothing at this path"


class MethodNotAllowed(Refusal):
    code, status, message = "METHOD_NOT_ALLOWED", 405, "This path does not take this method"


class BodyTooLarge(Refusal):
    code, status, message = "BODY_TOO_LARGE", 413, "The request's body is larger than is taken"


class RateLimited(Refusal):
    """Too often; `limit` names the limit, the answer says when its window ends."""

    code, status, message = "RATE_LIMITED", 429, "Too many requests; wait and try again"

    def __init__(self, limit: str = "general", retry_after_seconds: int = 1) -> None:
        super().__init__()
        self.limit = limit
        self.headers = {"retry-after": str(retry_after_seconds)}


class Overloaded(Refusal):
    """As much is under way as this process takes. Said before anything is done."""

    code, status, message = "OVERLOADED", 503, "Too much is under way; wait and try again"
    headers = MappingProxyType({"retry-after": "1"})


class InternalError(Refusal):
    code, status = "INTERNAL_ERROR", 500
    message = "Something went wrong on our side; the log has it under this request's id"
