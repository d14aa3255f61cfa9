"""Stocking up before a load: wallets, minted NFTs, and those among them that are revealed already.

Minting is the ledger's work and is measured here, apart from HTTP; revealing goes through the
backend as a player's browser would do it, with a few requests at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
from solana.rpc.commitment import Confirmed
from solana.rpc.types import TxOpts
from solders.compute_budget import set_compute_unit_limit
from solders.keypair import Keypair
from solders.message import Message
from solders.transaction import VersionedTransaction

from harness.errors import StartError
from harness.load.plan import REVEALED, SEALED, StockItem, signed_challenge
from harness.submission import COMPUTE_UNITS_LIMIT
from harness.testbed import Testbed
from programs.candy_guard import client as candy_guard
from programs.token_metadata import client as token_metadata

NFTS_PER_WALLET = 4  # the guide lets a wallet open five boxes a minute
_AT_ONCE = 8
_ACCOUNTS_PER_CALL = 100
_TIMEOUT_SECONDS = 60.0
_LAND_SECONDS_MAX = 30.0  # a validator takes its slots; the embedded ledger has landed it by now
_LOOK_SECONDS = 0.2
LAMPORTS_A_MINT = 250_000_000  # price, rent of four accounts and fees, with room

Tell = Callable[[str, int, int], None]
"""tell(what, done, of) is called as it goes on."""


@dataclass(frozen=True)
class Minted:
    """How fast the ledger minted, with nothing else going on."""

    nfts: int
    seconds: float

    @property
    def a_second(self) -> float:
        return self.nfts / self.seconds if self.seconds else 0.0


def mint_stock(bed: Testbed, nfts: int, tell: Tell) -> tuple[list[tuple[Keypair, str]], Minted]:
    """Mint NFTs into wallets of `NFTS_PER_WALLET` each: wallet key and NFT address.

    Raises StartError if the ledger does not hold what was minted.
    """
    held: list[tuple[Keypair, str]] = []
    wallet = Keypair()
    started = time.perf_counter()
    for number in range(nfts):
        if number % NFTS_PER_WALLET == 0:
            wallet = new_wallet(bed, NFTS_PER_WALLET * LAMPORTS_A_MINT)
        index, nft = bed.next_nft()
        bed.book.add(f"nft-{index}", nft.pubkey())
        instruction = candy_guard.mint(
            machine=bed.deployment.machine, payer=wallet.pubkey(), mint=nft.pubkey()
        )
        latest = bed.client.get_latest_blockhash(Confirmed).value
        message = Message.new_with_blockhash(
            [set_compute_unit_limit(COMPUTE_UNITS_LIMIT), instruction],
            wallet.pubkey(),
            latest.blockhash,
        )
        bed.client.send_raw_transaction(
            bytes(VersionedTransaction(message, [wallet, nft])),
            TxOpts(preflight_commitment=Confirmed),
        )
        held.append((wallet, str(nft.pubkey())))
        tell("minting", number + 1, nfts)
    addresses = [token_metadata.metadata_address(bed.book.address(f"nft-{n + 1}"))
                 for n in range(nfts)]  # fmt: skip
    for start in range(0, nfts, _ACCOUNTS_PER_CALL):
        part = addresses[start : start + _ACCOUNTS_PER_CALL]
        deadline = time.monotonic() + _LAND_SECONDS_MAX
        while None in bed.client.get_multiple_accounts(part, commitment=Confirmed).value:
            if time.monotonic() > deadline:
                raise StartError(
                    "a mint of the stock landed without an NFT: is the machine sold out?"
                )
            time.sleep(_LOOK_SECONDS)
    return held, Minted(nfts, time.perf_counter() - started)


def new_wallet(bed: Testbed, lamports: int) -> Keypair:
    """A funded wallet that the judges know."""
    name = f"player-{len(bed.book.named('player-')) + 1}"
    wallet = bed.seed.keypair(name)
    bed.book.add(name, wallet.pubkey())
    bed.ledger.fund(wallet.pubkey(), lamports)
    return wallet


def reveal_stock(
    held: Sequence[tuple[Keypair, str]],
    base_url: str,
    box_id: str,
    *,
    forwarded: bool,
    sign_in: bool,
    tell: Tell,
) -> None:
    """Reveal NFTs through the backend. Raises StartError with the first answer but a yes."""

    def reveal(number: int) -> httpx.Response:
        headers = {"x-forwarded-for": f"198.19.255.{number % 250}"} if forwarded else {}
        if sign_in:
            headers["authorization"] = f"Bearer {_token(http, held[number][0], headers)}"
        return http.post(f"/reveal/{held[number][1]}", json={"boxId": box_id}, headers=headers)

    limits = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE)
    with (
        httpx.Client(
            base_url=base_url, timeout=_TIMEOUT_SECONDS, limits=limits, verify=False
        ) as http,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):
        for done, answer in enumerate(pool.map(reveal, range(len(held))), start=1):
            if answer.is_error:
                raise StartError(f"the backend would not reveal the stock: {answer.status_code} "
                                 f"{answer.text[:200]}")  # fmt: skip
            tell("revealing", done, len(held))


def _token(http: httpx.Client, wallet: Keypair, headers: dict[str, str]) -> str:
    """Sign in as the wallet. Raises StartError with the answer if it fails."""
    address = str(wallet.pubkey())
    asked = http.post("/auth/challenge", json={"walletAddress": address}, headers=headers)
    if asked.is_success:
        body = signed_challenge(wallet, asked.json())
        answer = http.post("/auth/sign-in", json=body, headers=headers)
        if answer.is_success:
            return str(answer.json()["accessToken"])
        asked = answer
    raise StartError(f"the stock could not sign in: {asked.status_code} {asked.text[:200]}")


def stock_items(
    held: Sequence[tuple[Keypair, str]], revealed: int, wallets: Sequence[Keypair]
) -> list[StockItem]:
    """The stock as the generator reads it: the first `revealed` NFTs are open."""
    items = [
        StockItem(str(wallet), mint, REVEALED if number < revealed else SEALED)
        for number, (wallet, mint) in enumerate(held)
    ]
    return [*items, *(StockItem(str(wallet), "", "wallet") for wallet in wallets)]
