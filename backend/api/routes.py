"""The guide's endpoints, the inventory, the proofs, signing in: thin, one service call each.

Answers are written straight from their models; FastAPI would validate them a second time.
"""

from __future__ import annotations

import base64

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from solders.pubkey import Pubkey

from backend.access.sign_in import SignIn
from backend.api import answers as give
from backend.api.answers import MintPath, WalletPath
from backend.api.metrics import Metrics
from backend.api.openapi import called_by_wallet, refuses
from backend.api.probes import Probes
from backend.domain import errors as no
from backend.domain.payout import to_sol
from backend.service.wiring import Services

_PRICE = (no.PriceUnavailable, no.PriceTooOld)
_SELLING = (
    no.SignInRequired, no.WrongWallet, no.NftNotFound, no.AlreadyBoughtBack, no.BuybackDisabled,
    no.NothingToPay, no.InsufficientTreasury, no.NotTheHolder, no.LedgerUnavailable,
)  # fmt: skip


def answer(model: BaseModel, status: int = 200) -> Response:
    body = model.model_dump_json(by_alias=True)
    return Response(body, status, media_type="application/json")


def caller_of(
    request: Request, access: SignIn, required: bool, wallet: Pubkey | None = None
) -> Pubkey | None:
    """Who signed in, who must be `wallet` where an endpoint acts for one.
    Raises SignInRequired, TokenInvalid, WrongWallet."""
    caller = request.scope.get("caller")
    if caller is None:
        if required:
            raise no.SignInRequired
        return None
    access.check(caller.family)
    if wallet is not None and caller.wallet != wallet:
        raise no.WrongWallet
    return Pubkey.from_bytes(bytes(caller.wallet))


def make_routes(services: Services, access: SignIn, required: bool) -> APIRouter:
    """`required`: whether whoever acts must have signed in."""
    reveals, buybacks, fairness = services.reveals, services.buybacks, services.fairness
    router, wallet_only = APIRouter(), called_by_wallet(required)

    @router.post(
        "/reveal/{nftMint}", response_model=give.Answer[give.RevealData],
        **wallet_only,
        responses=refuses(
            no.SignInRequired, no.UnknownBox, no.ForeignNft, no.NotTheHolder, no.MetadataNotFound,
            no.NotAMysteryBox, no.RevealInProgress, no.RevealFailed, no.NoTemplate,
            no.LabelTooLong, no.LedgerUnavailable,
        ),
    )  # fmt: skip
    def reveal(request: Request, mint: MintPath, body: give.RevealBody) -> Response:
        """Reveal a mystery box; asked again, answers the same."""
        caller = caller_of(request, access, required)
        revealed = reveals.reveal(mint, body.box_id, caller, body.client_seed)
        return answer(give.Answer(data=give.RevealData.model_validate(revealed)))

    @router.get(
        "/buyback/status", response_model=give.Answer[give.StatusData],
        responses=refuses(no.BuybackDisabled, no.LedgerUnavailable, *_PRICE),
    )  # fmt: skip
    def status() -> Response:
        """Whether buybacks are on, and the treasury's state."""
        config, lamports, _ = buybacks.treasury_state()
        if config is None:
            raise no.BuybackDisabled("The buyback program has no configuration yet")
        return answer(give.Answer(data=give.StatusData(
            buyback_enable=config.buyback_enabled,
            min_treasury_balance=str(config.min_treasury_balance),
            treasury_balance=str(lamports),
            buyback_rate=float(buybacks.settings.buyback_rate),
            sol_price_usd=float(buybacks.price.payout_price()),
        )))  # fmt: skip

    @router.get(
        "/buyback/calculate/{nftMint}", response_model=give.QuoteAnswer, **wallet_only,
        responses=refuses(no.SignInRequired, no.NftNotFound, no.AlreadyBoughtBack, *_PRICE),
    )  # fmt: skip
    def calculate(request: Request, mint: MintPath) -> Response:
        """What would be paid for a revealed NFT now."""
        caller_of(request, access, required)
        return answer(give.QuoteAnswer(**give.quote_fields(buybacks.calculate(mint))))

    @router.post(
        "/buyback/request", response_model=give.IssuedAnswer, **wallet_only,
        responses=refuses(*_SELLING, no.QuotePending, *_PRICE),
    )  # fmt: skip
    def request(request: Request, body: give.RequestBody) -> Response:
        """A buyback transaction for the wallet to sign; the treasury has, if it signs first."""
        caller_of(request, access, required, body.wallet_address)
        issued = buybacks.request(body.nft_mint, body.wallet_address)
        encoded = base64.b64encode(bytes(issued.transaction)).decode()
        return answer(give.IssuedAnswer(transaction=encoded, **give.quote_fields(issued.quote)))

    @router.post(
        "/buyback/confirm", response_model=give.PaidAnswer, **wallet_only,
        responses=refuses(
            *_SELLING, no.TransactionMismatch, no.MissingSignature, no.ForeignNft,
            no.QuoteExpired, no.BuybackFailed, no.OutcomeUnknown,
        ),
    )  # fmt: skip
    def confirm(request: Request, body: give.ConfirmBody) -> Response:
        """Send the signed transaction, wait for it, record the payment. Safe to repeat."""
        caller_of(request, access, required, body.wallet_address)
        paid = buybacks.confirm(body.nft_mint, body.wallet_address, body.signed_transaction)
        return answer(give.PaidAnswer(
            tx_signature=paid.tx_signature, amount_paid=to_sol(paid.amount_lamports)
        ))  # fmt: skip

    @router.get(
        "/inventory/{walletAddress}", response_model=give.Answer[list[give.SkinData]],
        **wallet_only,
        responses=refuses(no.SignInRequired, no.WrongWallet, no.LedgerUnavailable),
    )  # fmt: skip
    def own(request: Request, wallet: WalletPath) -> Response:
        """The revealed skins that a wallet holds: one's own."""
        caller_of(request, access, required, wallet)
        skins = [give.SkinData(**skin) for skin in buybacks.inventory(wallet)]
        return answer(give.Answer(data=skins))

    @router.get("/fairness", response_model=give.CommitmentAnswer, responses=refuses())
    def commitment() -> Response:
        """What the next provably fair rolls are bound to."""
        return answer(give.CommitmentAnswer(commitment=fairness.current()))

    @router.get(
        "/fairness/{nftMint}", response_model=give.ProofAnswer, responses=refuses(no.NftNotFound)
    )
    def proof(mint: MintPath) -> Response:
        """What it takes to repeat an NFT's roll."""
        return answer(give.ProofAnswer(**fairness.proof(str(mint))))

    @router.post("/auth/challenge", response_model=give.ChallengeAnswer, responses=refuses())
    def challenge(body: give.ChallengeBody) -> Response:
        """A text for the wallet to sign; good once, for five minutes."""
        asked = access.challenge(body.wallet_address)
        return answer(give.ChallengeAnswer.model_validate(asked))

    @router.post(
        "/auth/sign-in", response_model=give.TokensAnswer,
        responses=refuses(no.ChallengeInvalid, no.WrongSignature),
    )  # fmt: skip
    def sign_in(body: give.SignInBody) -> Response:
        """Tokens for a challenge and the wallet's signature over its message."""
        tokens = access.sign_in(body.wallet_address, body.nonce, body.signature)
        return answer(give.TokensAnswer.model_validate(tokens))

    @router.post(
        "/auth/refresh", response_model=give.TokensAnswer,
        responses=refuses(no.RefreshInvalid, no.RefreshReused),
    )  # fmt: skip
    def refresh(body: give.RefreshBody) -> Response:
        """New tokens for the newest refresh token, which is used up by it."""
        return answer(give.TokensAnswer.model_validate(access.refresh(body.refresh_token)))

    @router.post("/auth/sign-out", response_model=give.Success, responses=refuses())
    def sign_out(body: give.RefreshBody) -> Response:
        """Revoke a sign-in: its refresh tokens and its access tokens."""
        access.sign_out(body.refresh_token)
        return answer(give.Success())

    return router


def operations_routes(probes: Probes, metrics: Metrics) -> APIRouter:
    """Outside the API's prefix and its limits: for the house, not for the public."""
    router = APIRouter()

    @router.get("/health", response_model=give.HealthAnswer)
    async def health() -> Response:
        """The process answers."""
        return answer(give.HealthAnswer())

    @router.get(
        "/ready", response_model=give.ReadyAnswer, responses={503: {"model": give.ReadyAnswer}}
    )
    def ready() -> Response:
        """Database, RPC and a fresh price are there; 503 while one is not."""
        seen = probes.look()
        return answer(give.ReadyAnswer.model_validate(seen), 200 if seen.ready else 503)

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
