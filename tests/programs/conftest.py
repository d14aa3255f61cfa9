"""A ledger with the four programs and a set-up economy, without backend and database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from harness.candy_config import read_candy_config
from harness.deployment import Deployment, deploy
from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.preloaded import program_images
from harness.programs.sets import open_set
from harness.seeds import Seed
from harness.submission import Submission, sign, submit
from programs.candy_guard import client as candy_guard
from programs.token_metadata import client as token_metadata

SOL = 10**9
MIN_TREASURY = 100 * SOL


@dataclass
class Economy:
    """Wallets and addresses of one ledger, and ways to use them."""

    ledger: EmbeddedLedger
    client: Client
    authority: Keypair
    treasury: Keypair
    user: Keypair
    deployment: Deployment = field(init=False)
    _keys: int = 0

    def key(self) -> Keypair:
        """A key that nobody has used."""
        self._keys += 1
        return Seed("tests/programs").keypair(f"key-{self._keys}")

    def send(
        self, instructions: Sequence[Instruction], *signers: Keypair, **options: object
    ) -> Submission:
        transaction, last_height = sign(self.client, instructions, signers)
        return submit(self.client, self.ledger.clock, transaction, last_height, **options)

    def balance(self, address: Pubkey) -> int:
        return self.client.get_balance(address, Confirmed).value

    def data(self, address: Pubkey) -> bytes | None:
        account = self.client.get_account_info(address, Confirmed).value
        return None if account is None else bytes(account.data)

    def minted(self) -> Pubkey:
        """A box that the user minted from the machine."""
        mint = self.key()
        instruction = candy_guard.mint(
            machine=self.deployment.machine, payer=self.user.pubkey(), mint=mint.pubkey()
        )
        sent = self.send([instruction], self.user, mint)
        assert sent.outcome == "landed", sent.logs
        return mint.pubkey()

    def nft(self, collection: Pubkey | None, *, verified: bool = False) -> Pubkey:
        """An NFT of the user's that did not come from the machine."""
        mint = self.key()
        made = token_metadata.create_nft(
            authority=self.authority.pubkey(),
            owner=self.user.pubkey(),
            mint=mint.pubkey(),
            name="Stranger",
            symbol="X",
            uri="https://arweave.net/x",
            seller_fee_basis_points=0,
            rent_lamports=self.rent(token_metadata.MINT_BYTES),
            collection=collection,
        )
        assert self.send(made, self.authority, mint).outcome == "landed"
        if verified and collection is not None:
            verify = token_metadata.verify_collection(
                mint=mint.pubkey(), collection=collection, authority=self.authority.pubkey()
            )
            assert self.send([verify], self.authority).outcome == "landed"
        return mint.pubkey()

    def unsized_collection(self) -> Pubkey:
        return self.nft(None)

    def rent(self, size: int) -> int:
        return self.client.get_minimum_balance_for_rent_exemption(size).value


@pytest.fixture
def economy(pytestconfig: pytest.Config) -> Iterator[Economy]:
    seed = Seed("tests/programs")
    authority = seed.keypair("authority")
    images = program_images(authority.pubkey(), open_set(pytestconfig.getoption("--programs")))
    with EmbeddedLedger.start(programs=images) as ledger:
        made = Economy(
            ledger, ledger.client(), authority, seed.keypair("treasury"), seed.keypair("user")
        )
        ledger.fund(made.authority.pubkey(), 100 * SOL)
        ledger.fund(made.treasury.pubkey(), 500 * SOL)
        ledger.fund(made.user.pubkey(), 100 * SOL)
        made.deployment = deploy(
            read_candy_config(),
            seed=seed,
            authority=authority,
            treasury=made.treasury.pubkey(),
            min_treasury_lamports=MIN_TREASURY,
            items_available=100,
            submit=lambda _, instructions, signers: made.send(instructions, *signers),
            rent_lamports=made.rent,
        )
        yield made
