"""Operators' routes: an application of its own, on a port of its own, off unless started.

What the house owes is decided here, and seeds are disclosed here. Every call carries ADMIN_TOKEN;
nothing in the public application leads here.
"""

from __future__ import annotations

import hmac
import random
import sys
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from backend.adapters import buyback_sql as sql
from backend.adapters.clock import SystemClock
from backend.adapters.database import Database, open_engine
from backend.api.answers import Address
from backend.api.logs import make_logger
from backend.domain import errors as no
from backend.service.fairness import Fairness
from backend.settings import Settings

_Token = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


class Decision(BaseModel):
    """`wallet` is needed where the house does not know whom it owes."""

    state: Literal["approved", "waived"]
    wallet: Address | None = None


def create_admin_app(settings: Settings) -> FastAPI:
    """Raises ValueError without ADMIN_TOKEN."""
    if settings.admin_token is None:
        raise ValueError("ADMIN_TOKEN is not set")
    secret = settings.admin_token.get_secret_value().encode()
    clock = SystemClock()
    logger = make_logger(sys.stderr, clock, settings)
    db = Database(open_engine(settings.sqlalchemy_url(), 2))
    fairness = Fairness(db, clock, random.SystemRandom())

    def operator(token: _Token) -> None:
        given = "" if token is None else token.credentials
        if not hmac.compare_digest(given.encode(), secret):
            raise no.SignInRequired("Send ADMIN_TOKEN as a bearer token")

    app = FastAPI(
        title="Mystery box: operators", version="1.0.0", docs_url=None, redoc_url=None,
        openapi_url=None, dependencies=[Depends(operator)],
    )  # fmt: skip

    @app.get("/obligations")
    def owed() -> list[dict[str, Any]]:
        """What the house may owe, oldest first."""
        return [row._asdict() for row in db.rows(sql.OBLIGATIONS)]

    @app.post("/obligations/{number}")
    def decide(number: int, decision: Decision) -> dict[str, bool]:
        """Approve an open one, which the worker then pays, or waive it."""
        wallet = None if decision.wallet is None else str(decision.wallet)
        if not db.rows(sql.DECIDE, id=number, state=decision.state, wallet=wallet):
            raise no.NftNotFound("No open obligation with this number, or no wallet to pay to")
        logger.info("obligation decided", number=number, state=decision.state)
        return {"success": True}

    @app.post("/fairness/rotate")
    def rotate() -> dict[str, str | None]:
        """Disclose the seed in use and commit to a new one."""
        commitment, seed = fairness.rotate()
        return {"commitment": commitment, "disclosedSeed": None if seed is None else seed.hex()}

    @app.get("/payouts")
    def payouts(after: int = 0) -> list[dict[str, Any]]:
        """The audit table, a thousand at a time."""
        return [row._asdict() for row in db.rows(sql.PAYOUTS, after=after)]

    @app.exception_handler(no.Refusal)
    async def refused(_: Request, error: no.Refusal) -> JSONResponse:
        return JSONResponse(error.body(), status_code=error.status)

    return app
