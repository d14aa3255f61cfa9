"""What the documentation of an endpoint says beside its fields: how it refuses, who may call it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from backend.api.answers import ErrorAnswer
from backend.domain.access_errors import (
    BodyTooLarge,
    InternalError,
    Overloaded,
    RateLimited,
    TokenInvalid,
)
from backend.domain.errors import DatabaseUnavailable, InvalidInput, Refusal

#: What every endpoint of the API may answer.
EVERYWHERE: tuple[type[Refusal], ...] = (
    InvalidInput, TokenInvalid, BodyTooLarge, RateLimited, Overloaded, InternalError,
    DatabaseUnavailable,
)  # fmt: skip
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}}


def refuses(*kinds: type[Refusal]) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses` for the refusals of an endpoint, with an example of each."""
    documented: dict[int | str, dict[str, Any]] = {}
    for kind in dict.fromkeys((*kinds, *EVERYWHERE)):
        entry = documented.setdefault(
            kind.status,
            {"model": ErrorAnswer, "description": "",
             "content": {"application/json": {"examples": {}}}},
        )  # fmt: skip
        entry["description"] += (", " if entry["description"] else "") + kind.code
        entry["content"]["application/json"]["examples"][kind.code] = {
            "value": {"success": False, "error": {"code": kind.code, "message": kind.message}}
        }
        if kind is RateLimited or "retry-after" in kind.headers:
            entry["headers"] = _RETRY_AFTER
    return documented


def signed_in(required: bool) -> dict[str, Any]:
    """`openapi_extra` of an endpoint that a wallet calls."""
    return {"security": [{"wallet": []}] if required else [{"wallet": []}, {}]}


def document(app: FastAPI) -> None:
    """Add how to sign in to the schema, and take out what FastAPI thinks a 422 looks like."""

    def schema() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, description=app.description,
                routes=app.routes,
            )  # fmt: skip
            parts = made.setdefault("components", {})
            parts["securitySchemes"] = {
                "wallet": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                           "description": "From /auth/sign-in: docs/access.md"}
            }  # fmt: skip
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = schema  # type: ignore[method-assign]  # FastAPI's documented way
