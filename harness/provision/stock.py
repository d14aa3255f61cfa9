"""The one-shot job before Locust: wallets with NFTs on a real ledger, and the plan of the load.

Like filling a shop the evening before it opens. `harness load` fills the embedded ledger's by
itself; here each delivery is waited for until the ledger has confirmed it, several at once.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from solana.rpc.commitment import Confirmed
from solders.keypair import Keypair

from harness.deployment_file import FoundDeployment, find_deployment, read_deployment_file
from harness.errors import StartError, UsageError
from harness.ledger.bank import Bank
from harness.ledger.cluster import ClusterLedger, place, require_answer
from harness.ledger.mainnet import refuse_mainnet
from harness.load.plan import PROFILE_FILE, STOCK_FILE, Plan, write_stock
from harness.load.profile import Profile, read_profile
from harness.load.stock import NFTS_PER_WALLET, reveal_stock, stock_items
from harness.provision.job import BOX_ID
from harness.provision.keys import KeyFolder
from harness.submission import Outcome, sign, submit
from programs.candy_guard import client as candy_guard
from programs.token_metadata import client as token_metadata

_API_PREFIX = "/api/v1"
_AT_ONCE = 8
_RENT_LAMPORTS = 50_000_000  # rent of an NFT's accounts and fees, with room
_JOURNEY_WALLETS = 8
_JOURNEY_NFTS = 100  # what a wallet of journeys can pay for

Tell = Callable[[str, int, int], None]


class StockJob:
    """Fills `load` with profile, stock of keys (its owner's to read) and plan, for Locust."""

    def __init__(self, keys: KeyFolder, load: Path, rpc_url: str, backend_url: str) -> None:
        self._keys = keys
        self._load = load
        self._backend_url = backend_url.rstrip("/")
        self._ledger = ClusterLedger(rpc_url)
        self._client = self._ledger.client()

    def run(self, profile_path: Path, generators: int, tell: Tell) -> int:
        """Mint what the profile uses, reveal its part and write the plan; the number of NFTs.

        Raises UsageError for a profile that this cannot serve, StartError if a part fails.
        """
        profile = read_profile(profile_path)
        if profile.rate_limits:
            raise UsageError(f"profile {profile.name}: needs addresses of its own for its wallets "
                             "(rate_limits); play it with harness load")  # fmt: skip
        if profile.faults or profile.nfts_sold_before:
            raise UsageError(f"profile {profile.name}: needs a backend of the harness's own "
                             "(faults, nfts_sold_before); play it with harness load")  # fmt: skip
        if urlsplit(self._backend_url).path:
            raise UsageError(f"--backend {place(self._backend_url)}: give it without a path")
        require_answer(self._client, self._ledger.rpc_url)
        refuse_mainnet(self._client)
        file = read_deployment_file(self._keys.folder / "deployment.json")
        found = find_deployment(file, self._client)
        sealed, revealed = profile.stock_needed()
        if found.items_redeemed + sealed + revealed > found.config.items_available:
            raise StartError(
                f"the machine has {found.config.items_available - found.items_redeemed} boxes "
                f"left, the profile needs {sealed + revealed}: set up a new economy"
            )
        held = self._mint(found, sealed + revealed, tell)
        base_url, box_id = self._backend_url + _API_PREFIX, file.box_id or BOX_ID
        reveal_stock(
            held[:revealed], base_url, box_id, forwarded=False, sign_in=profile.sign_in, tell=tell
        )
        journeys = _JOURNEY_WALLETS if profile.needs_wallets else 0
        wallets = [self._wallet(found, _JOURNEY_NFTS) for _ in range(journeys)]
        stock = self._load / STOCK_FILE
        stock.unlink(missing_ok=True)
        write_stock(stock, stock_items(held, revealed, wallets))
        self._plan(profile, profile_path, found, box_id, generators)
        return len(held)

    def _mint(self, found: FoundDeployment, nfts: int, tell: Tell) -> list[tuple[Keypair, str]]:
        shares = [min(NFTS_PER_WALLET, nfts - n) for n in range(0, nfts, NFTS_PER_WALLET)]
        held: list[tuple[Keypair, str]] = []
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for part in pool.map(lambda share: self._fill(found, share), shares):
                held += part
                tell("minted", len(held), nfts)
        return held

    def _fill(self, found: FoundDeployment, nfts: int) -> list[tuple[Keypair, str]]:
        """A wallet with so many NFTs. Raises StartError if one did not come into being."""
        wallet = self._wallet(found, nfts)
        held = []
        for _ in range(nfts):
            nft = Keypair()
            mint = candy_guard.mint(
                machine=found.deployment.machine, payer=wallet.pubkey(), mint=nft.pubkey()
            )
            transaction, last_height = sign(self._client, [mint], [wallet, nft])
            sent = submit(self._client, self._ledger.clock, transaction, last_height)
            metadata = token_metadata.metadata_address(nft.pubkey())
            # A taxed bot's transaction lands too: only the NFT proves the mint.
            if (
                sent.outcome is not Outcome.LANDED
                or self._client.get_account_info(metadata, Confirmed).value is None
            ):
                reason = sent.fault.message if sent.fault else "it landed without an NFT"
                raise StartError(f"a mint of the stock was {sent.outcome}: {reason}")
            held.append((wallet, str(nft.pubkey())))
        return held

    def _wallet(self, found: FoundDeployment, nfts: int) -> Keypair:
        """A new wallet that can pay for so many boxes."""
        wallet = Keypair()
        bank = Bank(self._client, self._ledger.clock, self._keys.keypair("bank"))
        bank.pay(wallet.pubkey(), nfts * (found.config.mint_price_lamports + _RENT_LAMPORTS))
        return wallet

    def _plan(
        self, profile: Profile, path: Path, found: FoundDeployment, box_id: str, generators: int
    ) -> None:
        shutil.copyfile(path, self._load / PROFILE_FILE)
        deployment = found.deployment
        Plan(
            backend_url=self._backend_url,
            api_prefix=_API_PREFIX,
            rpc_url=self._ledger.rpc_url,
            box_id=box_id,
            generators=generators,
            forwarded=False,
            sign_in=profile.sign_in,
            candy_machine=str(deployment.candy_machine),
            candy_guard=str(deployment.candy_guard),
            collection_mint=str(deployment.collection_mint),
            authority=str(deployment.authority),
        ).write(self._load)
