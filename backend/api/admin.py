"""Operators' routes: an application of its own, on a port of its own, off unless started.

What the house owes is decided here, and seeds are disclosed here. Every call carries ADMIN_TOKEN;
nothing in the public application leads here.
"""

from __future__ import annotations

import hmac
import random
import sys
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy import create_engine, text

from backend.adapters.clock import SystemClock
from backend.adapters.database import Database
from backend.adapters.obligation_rows import ObligationRows
from backend.api.answers import Address
from backend.api.logs import Redactor, make_logger
from backend.domain.access_errors import SignInRequired
from backend.domain.errors import NftNotFound, Refusal
from backend.service.fairness import Fairness
from backend.settings import Settings

_AUDIT = text(
    "select kind, nft_mint, wallet, amount_lamports, tx_signature, paid_at from payout_audit"
    " where id > :after order by id limit 1000"
)
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
    logger = make_logger(sys.stderr, clock, Redactor(settings.secret_texts()), settings.log_level)
    engine = create_engine(settings.sqlalchemy_url(), pool_size=2, hide_parameters=True)
    database = Database(engine)
    obligations = ObligationRows(database)
    fairness = Fairness(database, clock, random.SystemRandom())

    def operator(token: _Token) -> None:
        given = "" if token is None else token.credentials
        if not hmac.compare_digest(given.encode(), secret):
            raise SignInRequired("Send ADMIN_TOKEN as a bearer token")

    router = APIRouter(dependencies=[Depends(operator)])

    @router.get("/obligations")
    def owed() -> list[dict[str, Any]]:
        """What the house may owe, oldest first."""
        return [
            {key: value for key, value in vars(one).items() if key != "signed_tx"}
            for one in obligations.all()
        ]

    @router.post("/obligations/{number}")
    def decide(number: int, decision: Decision) -> dict[str, bool]:
        """Approve an open one, which the worker then pays, or waive it."""
        wallet = None if decision.wallet is None else str(decision.wallet)
        if not obligations.decide(number, decision.state, wallet):
            raise NftNotFound("No open obligation with this number, or no wallet to pay to")
        logger.info("obligation decided", number=number, state=decision.state)
        return {"success": True}

    @router.post("/fairness/rotate")
    def rotate() -> dict[str, str | None]:
        """Disclose the seed in use and commit to a new one."""
        turned = fairness.rotate()
        seed = turned.disclosed_seed
        return {
            "commitment": turned.commitment,
            "disclosedSeed": None if seed is None else seed.hex(),
        }

    @router.get("/payouts")
    def payouts(after: int = 0) -> list[dict[str, Any]]:
        """The audit table, a thousand at a time."""
        return [row._asdict() for row in database.rows(_AUDIT, after=after)]

    app = FastAPI(title="Mystery box: operators", version="1.0.0", docs_url=None, redoc_url=None)

    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refusal)
        body = {"success": False, "error": {"code": error.code, "message": error.message}}
        return JSONResponse(body, status_code=error.status)

    app.include_router(router)
    return app
