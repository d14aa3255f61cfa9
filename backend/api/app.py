"""The HTTP application, put together: everything it needs is passed in or made once, here."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TextIO

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from solana.rpc.api import Client
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from backend.access.sign_in import SignIn
from backend.access.tokens import AccessTokens
from backend.adapters.clock import Clock, SystemClock
from backend.adapters.database import open_engine
from backend.adapters.ledger import Ledger
from backend.adapters.price_feed import PriceFeed
from backend.adapters.price_sources import make_sources
from backend.api.gate import Gate
from backend.api.limits import RateLimits
from backend.api.logs import Logger, make_logger
from backend.api.metrics import Metrics
from backend.api.probes import POOL_CONNECTIONS_KEPT, Probes
from backend.api.routes import make_routes, operations_routes
from backend.domain import errors as no
from backend.domain.price import SolPrice, StaticPrice
from backend.domain.rarity import Randomness
from backend.service.wiring import Services, build_services
from backend.settings import Settings

_RPC_TIMEOUT_SECONDS = 30.0
_STOP_SECONDS = 35.0  # a round of the worker waits for the ledger at most that long
_OF_STATUS = {404: no.PathUnknown, 405: no.MethodNotAllowed, 408: no.BodyTooSlow,
              413: no.BodyTooLarge}  # fmt: skip


def create_app(
    settings: Settings, *, clock: Clock | None = None, randomness: Randomness | None = None,
    rpc: Client | None = None, price: SolPrice | None = None, log: TextIO | None = None,
) -> FastAPI:  # fmt: skip
    """The application. Without arguments beside the settings it is the production form: system
    clock, the operating system's randomness, the RPC of SOLANA_RPC_URL, the sources of
    PRICE_SOURCES, logs to standard error.

    A testbed passes its own clock, generator and client in process; nothing in the settings, no
    header and no endpoint can. Worker and price feed run while a server runs the application's
    lifespan; a testbed does not, and ticks them as it likes.
    """
    clock = clock or SystemClock()
    logger = make_logger(log or sys.stderr, clock, settings)
    engine = open_engine(settings.sqlalchemy_url(), POOL_CONNECTIONS_KEPT)
    metrics = Metrics()
    ledger = Ledger(rpc or _rpc(settings, metrics), clock)
    price = price or _price(settings, clock, logger, metrics)
    services = build_services(
        settings, engine, ledger, clock, randomness=randomness or random.SystemRandom(),
        price=price,
    )  # fmt: skip
    tokens = AccessTokens(settings, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        stop = threading.Event()
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.threads
        threads = _start(services, price, stop, logger)
        logger.info("started")
        yield
        stop.set()
        for thread in threads:
            await anyio.to_thread.run_sync(thread.join, _STOP_SECONDS)
        engine.dispose()
        logger.info("stopped")

    app = FastAPI(
        title="Mystery box: reveal and buyback", version="1.0.0", lifespan=lifespan,
        redirect_slashes=False, redoc_url=None,
        docs_url=None if settings.node_env == "production" else "/docs",
        description="Errors have stable codes: docs/errors.md has cause and cure of each.",
    )  # fmt: skip
    app.state.engine = engine
    app.state.services = services
    app.state.price = price
    app.add_middleware(
        Gate, settings=settings, tokens=tokens, limits=RateLimits(settings, clock),
        metrics=metrics, logger=logger,
    )  # fmt: skip
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST"], allow_headers=["content-type", "authorization"],
            expose_headers=["x-request-id", "retry-after"],
        )  # fmt: skip
    _answer_errors(app)
    access = SignIn(settings, services.buybacks.db, tokens, clock)
    routes = make_routes(services, access, settings.auth_required)
    app.include_router(routes, prefix=settings.api_prefix)
    app.include_router(operations_routes(Probes(services.buybacks, engine), metrics))
    return app


def _rpc(settings: Settings, metrics: Metrics) -> Client:
    """The ordinary client, whose answers are counted."""
    client = Client(settings.solana_rpc_url, timeout=_RPC_TIMEOUT_SECONDS)
    answered = client._provider.session.event_hooks["response"]
    answered.append(lambda answer: metrics.rpc_answered(answer.status_code))
    return client


def _price(settings: Settings, clock: Clock, logger: Logger, metrics: Metrics) -> SolPrice:
    if settings.price_sources == ("static",):
        return StaticPrice(settings.sol_price_usd)

    def report(source: str, problem: str) -> None:
        metrics.price_source_failed(source)
        logger.warning("price source failed", source=source, problem=problem)

    return PriceFeed(
        make_sources(settings), clock, refresh_seconds=settings.price_refresh_seconds,
        max_age_seconds=settings.price_max_age_seconds, max_jump=settings.price_max_jump,
        report=report,
    )  # fmt: skip


def _start(
    services: Services, price: SolPrice, stop: threading.Event, logger: Logger
) -> list[threading.Thread]:
    """The threads of a served application: the worker, and the feed if there is one."""

    def report(error: Exception) -> None:
        if isinstance(error, no.Refusal):
            logger.warning("worker round refused", code=error.code)
        else:
            logger.error("worker round failed", exc_info=error)

    threads = [threading.Thread(target=services.worker.run, args=(stop, report), name="worker")]
    if isinstance(price, PriceFeed):
        threads.append(threading.Thread(target=price.run, args=(stop,), name="price"))
    for thread in threads:
        thread.daemon = True
        thread.start()
    return threads


def _answer_errors(app: FastAPI) -> None:
    """What is raised inside becomes a Refusal and leaves by the gate's one form."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"][1:]) or "body"
        raise no.InvalidInput(f"{where}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        refusal = _OF_STATUS.get(error.status_code, no.InvalidInput)()
        refusal.headers = dict(error.headers or {})
        raise refusal
