"""A ledger with the four programs and a set-up economy, without backend and database.

`Economy` is the ledger with its wallets, `Props` makes NFTs of every kind on it, and `Held` is one
of them with all that a holder or a delegate may have done to it before it is sold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account

from harness.candy_config import read_candy_config
from harness.deployment import Deployment, deploy
from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.preloaded import program_images
from harness.programs import assets
from harness.programs.borsh import option, u8, u64
from harness.programs.interface import METADATA
from harness.programs.sets import open_set
from harness.seeds import Seed
from harness.submission import Submission, sign, submit
from programs.addresses import TOKEN, associated_token_address
from programs.buyback import client as buyback
from programs.candy_guard import client as candy_guard
from programs.token_metadata import client as token_metadata
from programs.token_metadata.client import edition_address, metadata_address

SOL = 10**9
MIN_TREASURY = 100 * SOL
AMOUNT = 53_125_000
_TOKEN_ACCOUNT_BYTES = 165
_CLOSE_ACCOUNT = 3  # SPL Token's authority types


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


@dataclass
class Props:
    """Makes things at the authority's expense; stands where the conformance flows have a stage."""

    economy: Any

    @property
    def payer(self) -> Pubkey:
        return self.economy.authority.pubkey()

    def rent(self, size: int) -> int:
        return self.economy.rent(size)

    def do(self, *instructions: Any, keys: tuple[Keypair, ...] = ()) -> None:
        listed: list[Instruction] = []
        for one in instructions:
            listed += [one] if isinstance(one, Instruction) else one
        sent = self.economy.send(listed, self.economy.authority, *keys)
        assert sent.outcome == "landed", sent.logs

    def unsized(self) -> Pubkey:
        """A collection without size, of the authority's."""
        return self.economy.unsized_collection()

    def nft(self, collection: Pubkey, *, programmable: bool = False) -> Held:
        """An NFT of the user's, a verified member of the collection."""
        mint, user = self.economy.key(), self.economy.user
        standard = assets.PROGRAMMABLE if programmable else assets.NON_FUNGIBLE
        address = mint.pubkey()
        self.do(assets.create(self, address, standard, member_of=collection), keys=(mint,))
        self.do(assets.mint_v1(self, address, user.pubkey(), programmable=programmable))
        verify = METADATA(
            "Verify",
            b"\1",
            authority=self.payer,
            metadata=metadata_address(address),
            collection_mint=collection,
            collection_metadata=metadata_address(collection),
            collection_master_edition=edition_address(collection),
        )
        self.do(verify)
        return self.held(address, collection, programmable=programmable)

    def held(self, mint: Pubkey, collection: Pubkey, *, programmable: bool = False) -> Held:
        """An NFT of the user's that was made elsewhere."""
        return Held(self, mint, collection, programmable)


@dataclass
class Held:
    """One NFT of the user's."""

    props: Props
    mint: Pubkey
    collection: Pubkey
    programmable: bool

    @property
    def economy(self) -> Any:
        return self.props.economy

    @property
    def token(self) -> Pubkey:
        return associated_token_address(self.economy.user.pubkey(), self.mint)

    @property
    def record(self) -> Pubkey | None:
        return assets.token_record(self.mint, self.token) if self.programmable else None

    def sale(self, **changes: Any) -> Instruction:
        arguments: dict[str, Any] = {
            "user": self.economy.user.pubkey(),
            "treasury": self.economy.treasury.pubkey(),
            "mint": self.mint,
            "collection_mint": self.collection,
            "amount": AMOUNT,
            "token_record": self.record,
        }
        return buyback.execute_buyback(**(arguments | changes))

    def sell(self, **changes: Any) -> Submission:
        return self.economy.send([self.sale(**changes)], self.economy.user, self.economy.treasury)

    # -- what a holder or a delegate may have done before -----------------------------------------

    def approve(self, delegate: Pubkey) -> None:
        """SPL Token's own approval, as marketplaces ask for it."""
        self._token(b"\4" + u64(1), self.token, (delegate, False))

    def close_authority(self, closer: Pubkey) -> None:
        self._token(b"\6" + u8(_CLOSE_ACCOUNT) + option(bytes(closer)), self.token)

    def moved(self) -> Pubkey:
        """Moves the NFT into a token account that is not the associated one."""
        held = self.economy.key()
        user = self.economy.user.pubkey()
        self.props.do(
            create_account(
                CreateAccountParams(
                    from_pubkey=self.props.payer,
                    to_pubkey=held.pubkey(),
                    lamports=self.economy.rent(_TOKEN_ACCOUNT_BYTES),
                    space=_TOKEN_ACCOUNT_BYTES,
                    owner=TOKEN,
                )
            ),
            Instruction(  # InitializeAccount3
                TOKEN,
                b"\x12" + bytes(user),
                [AccountMeta(held.pubkey(), False, True), AccountMeta(self.mint, False, False)],
            ),
            keys=(held,),
        )
        self._token(b"\3" + u64(1), self.token, (held.pubkey(), True))
        return held.pubkey()

    def freeze(self, delegate: Keypair) -> None:
        """A delegate freezes a plain NFT."""
        self._frozen("FreezeDelegatedAccount", delegate)

    def thaw(self, delegate: Keypair) -> None:
        self._frozen("ThawDelegatedAccount", delegate)

    def _frozen(self, name: str, delegate: Keypair) -> None:
        change = METADATA(
            name,
            delegate=delegate.pubkey(),
            token_account=self.token,
            edition=edition_address(self.mint),
            mint=self.mint,
        )
        self.props.do(change, keys=(delegate,))

    def delegate(self, role: Any, delegate: Pubkey, *, revoke: bool = False) -> None:
        """Token Metadata's delegation of a programmable NFT."""
        change = METADATA(
            "Revoke" if revoke else "Delegate",
            u8(role.number) + (b"" if revoke else role.arguments),
            delegate=delegate,
            metadata=metadata_address(self.mint),
            master_edition=edition_address(self.mint),
            token_record=self.record,
            mint=self.mint,
            token=self.token,
            authority=self.economy.user.pubkey(),
            payer=self.props.payer,
        )
        self.props.do(change, keys=(self.economy.user,))

    def lock(self, name: str, delegate: Keypair) -> None:
        """`Lock` or `Unlock` by the utility delegate."""
        change = METADATA(
            name,
            b"\0" + option(None),
            authority=delegate.pubkey(),
            token_owner=self.economy.user.pubkey(),
            token=self.token,
            mint=self.mint,
            metadata=metadata_address(self.mint),
            edition=edition_address(self.mint),
            token_record=self.record,
            payer=self.props.payer,
        )
        self.props.do(change, keys=(delegate,))

    def _token(self, data: bytes, account: Pubkey, *others: tuple[Pubkey, bool]) -> None:
        """An instruction of SPL Token's, signed by the user."""
        user = self.economy.user
        metas = [AccountMeta(account, False, True)]
        metas += [AccountMeta(address, False, writable) for address, writable in others]
        metas.append(AccountMeta(user.pubkey(), True, False))
        self.props.do(Instruction(TOKEN, data, metas), keys=(user,))


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


@pytest.fixture
def props(economy: Economy) -> Props:
    return Props(economy)
