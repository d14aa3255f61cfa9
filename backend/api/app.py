"""The HTTP application: routes, errors, logs. Everything it needs is passed in or made once."""

from __future__ import annotations

import base64
import binascii
import random
import sys
from typing import Annotated, TextIO

from fastapi import APIRouter, FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from solana.rpc.api import Client
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from sqlalchemy import create_engine

from backend.adapters.clock import Clock, SystemClock
from backend.adapters.ledger import Ledger
from backend.api.answers import (
    Address,
    ConfirmBody,
    ErrorAnswer,
    IssuedAnswer,
    PaidAnswer,
    QuoteAnswer,
    RequestBody,
    RevealAnswer,
    RevealBody,
    StatusAnswer,
)
from backend.api.logs import RequestLog, make_logger
from backend.domain.errors import InvalidInput, Refusal
from backend.domain.price import SolPrice, StaticPrice
from backend.domain.rarity import Randomness
from backend.service.wiring import Services, build_services
from backend.settings import Settings

_POOL = 20
_RPC_TIMEOUT_SECONDS = 30.0
_MintPath = Annotated[Address, Path(alias="nftMint")]


def create_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    randomness: Randomness | None = None,
    rpc: Client | None = None,
    price: SolPrice | None = None,
    log: TextIO | None = None,
) -> FastAPI:
    """The application. Without arguments beside the settings it is the production form: system
    clock, the operating system's randomness, the RPC of SOLANA_RPC_URL, logs to standard error.

    A testbed passes its own clock, generator and client in process; nothing in the settings, no
    header and no endpoint can.
    """
    clock = clock or SystemClock()
    engine = create_engine(settings.sqlalchemy_url(), pool_size=_POOL, pool_pre_ping=False)
    services = build_services(
        settings,
        engine,
        Ledger(rpc or Client(settings.solana_rpc_url, timeout=_RPC_TIMEOUT_SECONDS), clock),
        clock,
        randomness=randomness or random.SystemRandom(),
        price=price or StaticPrice(settings.sol_price_usd),
    )

    app = FastAPI(
        title="Mystery box: reveal and buyback",
        version="1.0.0",
        responses={
            code: {"model": ErrorAnswer} for code in (400, 403, 404, 409, 410, 422, 502, 503)
        },
    )
    app.state.engine = engine
    app.state.services = services
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["content-type", "authorization"],
        )
    app.add_middleware(RequestLog, logger=make_logger(log or sys.stderr, clock))
    _answer_errors(app)
    app.include_router(_routes(services), prefix=settings.api_prefix)
    return app


def _routes(services: Services) -> APIRouter:
    reveals, buybacks = services.reveals, services.buybacks
    router = APIRouter()

    @router.post("/reveal/{nftMint}")
    def reveal(mint: _MintPath, body: RevealBody) -> RevealAnswer:
        """Reveal a mystery box; asked again, answers the same."""
        return RevealAnswer.of(reveals.reveal(Pubkey.from_string(mint), body.box_id))

    @router.get("/buyback/status")
    def status() -> StatusAnswer:
        """Whether buybacks are on, and the treasury's state."""
        return StatusAnswer.of(buybacks.status())

    @router.get("/buyback/calculate/{nftMint}")
    def calculate(mint: _MintPath) -> QuoteAnswer:
        """What would be paid for a revealed NFT now."""
        return QuoteAnswer.of(buybacks.calculate(Pubkey.from_string(mint)))

    @router.post("/buyback/request")
    def request(body: RequestBody) -> IssuedAnswer:
        """A buyback transaction, signed by the treasury, for the wallet to sign."""
        mint, wallet = Pubkey.from_string(body.nft_mint), Pubkey.from_string(body.wallet_address)
        return IssuedAnswer.of_issued(buybacks.request(mint, wallet))

    @router.post("/buyback/confirm")
    def confirm(body: ConfirmBody) -> PaidAnswer:
        """Send the signed transaction, wait for it, record the payment."""
        mint, wallet = Pubkey.from_string(body.nft_mint), Pubkey.from_string(body.wallet_address)
        return PaidAnswer.of(buybacks.confirm(mint, wallet, _decoded(body.signed_transaction)))

    return router


def _decoded(text: str) -> VersionedTransaction:
    try:
        return VersionedTransaction.from_bytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise InvalidInput("signedTransaction is not a transaction in base64") from None


def _answer_errors(app: FastAPI) -> None:
    def answer(refusal: Refusal) -> JSONResponse:
        body = {"success": False, "error": {"code": refusal.code, "message": refusal.message}}
        return JSONResponse(body, status_code=refusal.status)

    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refusal)
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"][1:]) or "body"
        return answer(InvalidInput(f"{where}: {first['msg']}"))
