"""Endpoints of signing in, and what operations asks: health, readiness, metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response

from backend.access.sign_in import SignIn
from backend.api.answers import (
    ChallengeAnswer,
    ChallengeBody,
    HealthAnswer,
    ReadyAnswer,
    RefreshBody,
    SignedOutAnswer,
    SignInBody,
    TokensAnswer,
)
from backend.api.metrics import Metrics
from backend.api.openapi import refuses
from backend.api.probes import Probes
from backend.api.routes import answer
from backend.domain import access_errors as no


def sign_in_routes(access: SignIn) -> APIRouter:
    router = APIRouter(prefix="/auth")

    @router.post("/challenge", response_model=ChallengeAnswer, responses=refuses())
    def challenge(body: ChallengeBody) -> Response:
        """A text for the wallet to sign; good once, for five minutes."""
        return answer(ChallengeAnswer.of(access.challenge(body.wallet_address)))

    @router.post(
        "/sign-in", response_model=TokensAnswer,
        responses=refuses(no.ChallengeInvalid, no.WrongSignature),
    )  # fmt: skip
    def sign_in(body: SignInBody) -> Response:
        """Tokens for a challenge and the wallet's signature over its message."""
        tokens = access.sign_in(body.wallet_address, body.nonce, body.signature)
        return answer(TokensAnswer.of(tokens))

    @router.post(
        "/refresh", response_model=TokensAnswer,
        responses=refuses(no.RefreshInvalid, no.RefreshReused),
    )  # fmt: skip
    def refresh(body: RefreshBody) -> Response:
        """New tokens for the newest refresh token, which is used up by it."""
        return answer(TokensAnswer.of(access.refresh(body.refresh_token)))

    @router.post("/sign-out", response_model=SignedOutAnswer, responses=refuses())
    def sign_out(body: RefreshBody) -> Response:
        """Revoke a sign-in's refresh tokens."""
        access.sign_out(body.refresh_token)
        return answer(SignedOutAnswer())

    return router


def operations_routes(probes: Probes, metrics: Metrics) -> APIRouter:
    """Outside the API's prefix and its limits: for the house, not for the public."""
    router = APIRouter()

    @router.get("/health", response_model=HealthAnswer)
    async def health() -> Response:
        """The process answers."""
        return answer(HealthAnswer())

    @router.get("/ready", response_model=ReadyAnswer, responses={503: {"model": ReadyAnswer}})
    def ready() -> Response:
        """Database, RPC and a fresh price are there; 503 while one is not."""
        seen = probes.look()
        shown = answer(
            ReadyAnswer(ready=seen.ready, database=seen.database, rpc=seen.rpc, price=seen.price)
        )
        shown.status_code = 200 if seen.ready else 503
        return shown

    @router.get(
        "/metrics", response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )  # fmt: skip
    def read_metrics() -> Response:
        """For Prometheus."""
        return Response(
            metrics.text(probes.gauges()), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    return router
