"""What the documentation of an endpoint says beside its fields: how it refuses, who may call it."""

from __future__ import annotations

from typing import Any

from fastapi import Depends
from fastapi.security import HTTPBearer

from backend.api.answers import ErrorAnswer
from backend.domain import errors as no

#: What every endpoint of the API may answer.
EVERYWHERE: tuple[type[no.Refusal], ...] = (
    no.InvalidInput, no.TokenInvalid, no.BodyTooSlow, no.BodyTooLarge, no.RateLimited,
    no.Overloaded, no.InternalError, no.DatabaseUnavailable,
)  # fmt: skip
#: For the schema only; the gate reads the token.
_WALLET = HTTPBearer(
    auto_error=False, scheme_name="wallet", bearerFormat="JWT",
    description="From /auth/sign-in: docs/access.md",
)  # fmt: skip
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}}


def refuses(*kinds: type[no.Refusal]) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses` for the refusals of an endpoint, with an example of each."""
    by_status: dict[int, list[type[no.Refusal]]] = {}
    for kind in dict.fromkeys((*kinds, *EVERYWHERE)):
        by_status.setdefault(kind.status, []).append(kind)
    return {
        status: {
            "model": ErrorAnswer,
            "description": ", ".join(kind.code for kind in some),
            "content": {"application/json": {"examples": {
                kind.code: {"value": kind().body()} for kind in some
            }}},
            **({"headers": _RETRY_AFTER} if status in (429, 503) else {}),
        }
        for status, some in by_status.items()
    }  # fmt: skip


def called_by_wallet(required: bool) -> dict[str, Any]:
    """More of a route that a wallet calls: the schema says how it signs in, and if it must."""
    return {"dependencies": [Depends(_WALLET)],
            "openapi_extra": None if required else {"security": [{}]}}  # fmt: skip
