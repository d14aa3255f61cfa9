"""The guide's endpoints, the inventory and the proofs: thin, one service call each.

Answers are written straight from their models; FastAPI would validate them a second time.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from solders.pubkey import Pubkey

from backend.api.answers import (
    CommitmentAnswer,
    ConfirmBody,
    InventoryAnswer,
    IssuedAnswer,
    MintPath,
    PaidAnswer,
    ProofAnswer,
    QuoteAnswer,
    RequestBody,
    RevealAnswer,
    RevealBody,
    RevealData,
    StatusAnswer,
    WalletPath,
)
from backend.api.openapi import refuses, signed_in
from backend.domain import errors as no
from backend.domain.access_errors import SignInRequired, WrongWallet
from backend.service.inventory import Inventory
from backend.service.wiring import Services

_PRICE = (no.PriceUnavailable, no.PriceTooOld)
_SELLING = (
    SignInRequired, no.NftNotFound, no.AlreadyBoughtBack, no.BuybackDisabled, no.NothingToPay,
    no.InsufficientTreasury, no.NotTheHolder, no.LedgerUnavailable,
)  # fmt: skip


def answer(model: BaseModel) -> Response:
    return Response(model.model_dump_json(by_alias=True), media_type="application/json")


def caller_of(request: Request, required: bool, wallet: Pubkey | None = None) -> Pubkey | None:
    """Who signed in, who must be `wallet` where an endpoint acts for one.
    Raises SignInRequired, WrongWallet."""
    caller: Pubkey | None = request.scope.get("caller")
    if caller is None and required:
        raise SignInRequired
    if caller is not None and wallet is not None and caller != wallet:
        raise WrongWallet
    return caller


def make_routes(services: Services, inventory: Inventory, required: bool) -> APIRouter:
    """`required`: whether whoever acts must have signed in."""
    reveals, buybacks, fairness = services.reveals, services.buybacks, services.fairness
    router, wallet_only = APIRouter(), signed_in(required)

    @router.post(
        "/reveal/{nftMint}", response_model=RevealAnswer, openapi_extra=wallet_only,
        responses=refuses(
            SignInRequired, no.UnknownBox, no.ForeignNft, no.NotTheHolder, no.MetadataNotFound,
            no.NotAMysteryBox, no.RevealInProgress, no.RevealFailed, no.NoTemplate,
            no.LabelTooLong, no.LedgerUnavailable,
        ),
    )  # fmt: skip
    def reveal(request: Request, mint: MintPath, body: RevealBody) -> Response:
        """Reveal a mystery box; asked again, answers the same."""
        caller = caller_of(request, required)
        revealed = reveals.reveal(mint, body.box_id, caller, body.client_seed)
        return answer(RevealAnswer(data=RevealData(**vars(revealed))))

    @router.get(
        "/buyback/status", response_model=StatusAnswer,
        responses=refuses(no.BuybackDisabled, no.LedgerUnavailable, *_PRICE),
    )  # fmt: skip
    def status() -> Response:
        """Whether buybacks are on, and the treasury's state."""
        return answer(StatusAnswer.of(buybacks.status()))

    @router.get(
        "/buyback/calculate/{nftMint}", response_model=QuoteAnswer, openapi_extra=wallet_only,
        responses=refuses(SignInRequired, no.NftNotFound, no.AlreadyBoughtBack, *_PRICE),
    )  # fmt: skip
    def calculate(request: Request, mint: MintPath) -> Response:
        """What would be paid for a revealed NFT now."""
        caller_of(request, required)
        return answer(QuoteAnswer.of(buybacks.calculate(mint)))

    @router.post(
        "/buyback/request", response_model=IssuedAnswer, openapi_extra=wallet_only,
        responses=refuses(*_SELLING, WrongWallet, no.QuotePending, *_PRICE),
    )  # fmt: skip
    def request(request: Request, body: RequestBody) -> Response:
        """A buyback transaction for the wallet to sign; the treasury has, if it signs first."""
        caller_of(request, required, body.wallet_address)
        return answer(IssuedAnswer.of_issued(buybacks.request(body.nft_mint, body.wallet_address)))

    @router.post(
        "/buyback/confirm", response_model=PaidAnswer, openapi_extra=wallet_only,
        responses=refuses(
            *_SELLING, WrongWallet, no.TransactionMismatch, no.MissingSignature, no.ForeignNft,
            no.QuoteExpired, no.BuybackFailed, no.OutcomeUnknown,
        ),
    )  # fmt: skip
    def confirm(request: Request, body: ConfirmBody) -> Response:
        """Send the signed transaction, wait for it, record the payment. Safe to repeat."""
        caller_of(request, required, body.wallet_address)
        paid = buybacks.confirm(body.nft_mint, body.wallet_address, body.signed_transaction)
        return answer(PaidAnswer.of(paid))

    @router.get(
        "/inventory/{walletAddress}", response_model=InventoryAnswer, openapi_extra=wallet_only,
        responses=refuses(SignInRequired, WrongWallet, no.LedgerUnavailable),
    )  # fmt: skip
    def own(request: Request, wallet: WalletPath) -> Response:
        """The revealed skins that a wallet holds: one's own."""
        caller_of(request, required, wallet)
        return answer(InventoryAnswer.of(inventory.of(wallet)))

    @router.get("/fairness", response_model=CommitmentAnswer, responses=refuses())
    def commitment() -> Response:
        """What the next provably fair rolls are bound to."""
        return answer(CommitmentAnswer(commitment=fairness.current()))

    @router.get(
        "/fairness/{nftMint}", response_model=ProofAnswer, responses=refuses(no.NftNotFound)
    )
    def proof(mint: MintPath) -> Response:
        """What it takes to repeat an NFT's roll."""
        found = vars(fairness.proof(str(mint)))
        seed = found.pop("server_seed")
        return answer(ProofAnswer(**found, server_seed=None if seed is None else seed.hex()))

    return router
