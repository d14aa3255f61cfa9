"""Setting the economy up on a ledger: collection, candy machine, guard, buyback.

What `sugar deploy`, `sugar guard add` and the guide's `init-buyback-on-chain.ts` do, in ordinary
transactions signed by the operator's wallet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from harness.candy_config import CandyConfig
from harness.errors import StartError
from harness.submission import Outcome, Submission
from programs.buyback import client as buyback
from programs.candy_guard import client as candy_guard
from programs.candy_guard.client import MintAccounts
from programs.candy_machine import client as candy_machine
from programs.token_metadata import client as token_metadata

#: submit(action, instructions, signers) -> what became of it
Submit = Callable[[str, Sequence[Instruction], Sequence[Keypair]], Submission]
RentExemption = Callable[[int], int]
#: Whether what is at an address has been set up before.
Done = Callable[[Pubkey], bool]


class Step(Protocol):
    """One transaction of the operator's: action, account that it sets up, instructions, more keys
    than the operator's own. Raises StartError if it does not land."""

    def __call__(
        self, action: str, account: Pubkey, instructions: Sequence[Instruction], *keys: Keypair
    ) -> None: ...


class Keys(Protocol):
    """Where keys come from: a seed, or a folder."""

    def keypair(self, purpose: str, /) -> Keypair: ...


def nothing_done(_: Pubkey) -> bool:
    """On a fresh ledger."""
    return False


@dataclass(frozen=True)
class Deployment:
    """Where everything is. `machine` is what a mint needs to know."""

    authority: Pubkey
    treasury: Pubkey
    destination: Pubkey
    collection_mint: Pubkey
    candy_machine: Pubkey
    candy_guard: Pubkey
    buyback_program: Pubkey
    buyback_config: Pubkey
    machine: MintAccounts
    buyback_config_version: int = buyback.CONFIG_VERSION


def deploy(
    config: CandyConfig,
    *,
    seed: Keys,
    authority: Keypair,
    treasury: Pubkey,
    min_treasury_lamports: int,
    items_available: int,
    submit: Submit,
    rent_lamports: RentExemption,
    buyback_config_version: int = buyback.CONFIG_VERSION,
    done: Done = nothing_done,
) -> Deployment:
    """Set everything up. Raises StartError with the program's last log lines.

    A step whose account is `done` is left out, so that a job can be run again.
    """

    def step(
        action: str, account: Pubkey, instructions: Sequence[Instruction], *keys: Keypair
    ) -> None:
        if done(account):
            return
        sent = submit(action, instructions, [authority, *keys])
        if sent.outcome is not Outcome.LANDED:
            reason = sent.fault.message if sent.fault else "no reason given"
            raise StartError(
                f"deployment: {action} was {sent.outcome}: {reason}", [*sent.logs[-8:]]
            )

    owner = authority.pubkey()
    destination = config.destination or treasury
    collection = seed.keypair("collection")
    step(
        "create the collection",
        collection.pubkey(),
        token_metadata.create_nft(
            authority=owner,
            owner=owner,
            mint=collection.pubkey(),
            name=config.symbol,
            symbol=config.symbol,
            uri=config.hidden.uri,
            seller_fee_basis_points=config.seller_fee_basis_points,
            rent_lamports=rent_lamports(token_metadata.MINT_BYTES),
            sized_collection=True,
        ),
        collection,
    )
    machine = deploy_machine(
        config, seed=seed, owner=owner, destination=destination,
        collection_mint=collection.pubkey(), items_available=items_available, step=step,
        rent_lamports=rent_lamports,
    )  # fmt: skip
    step(
        "initialise the buyback",
        buyback.config_address(buyback_config_version),
        [
            buyback.initialize(
                authority=owner,
                treasury=treasury,
                collection_mint=collection.pubkey(),
                min_treasury_balance=min_treasury_lamports,
                version=buyback_config_version,
            )
        ],
    )
    return Deployment(
        authority=owner,
        treasury=treasury,
        destination=destination,
        collection_mint=collection.pubkey(),
        candy_machine=machine.machine,
        candy_guard=machine.guard,
        buyback_program=buyback.PROGRAM_ID,
        buyback_config=buyback.config_address(buyback_config_version),
        buyback_config_version=buyback_config_version,
        machine=machine,
    )


def deploy_machine(
    config: CandyConfig,
    *,
    seed: Keys,
    owner: Pubkey,
    destination: Pubkey,
    collection_mint: Pubkey,
    items_available: int,
    step: Step,
    rent_lamports: RentExemption,
    name: str = "",
) -> MintAccounts:
    """A candy machine with its guard, in a collection that is there. `name` tells the keys of a
    further machine from those of the first."""
    prefix = f"{name}-" if name else ""
    machine = seed.keypair(f"{prefix}candy-machine")
    base = seed.keypair(f"{prefix}candy-guard-base")
    settings = candy_machine.MachineSettings(
        items_available=items_available,
        symbol=config.symbol,
        seller_fee_basis_points=config.seller_fee_basis_points,
        is_mutable=config.is_mutable,
        creators=tuple(
            candy_machine.Creator(creator.address or owner, creator.share_percent)
            for creator in config.creators
        ),
        hidden=candy_machine.HiddenSettings(
            config.hidden.name, config.hidden.uri, config.hidden.hash
        ),
    )
    step(
        "create the candy machine",
        machine.pubkey(),
        candy_machine.initialize(
            machine=machine.pubkey(),
            authority=owner,
            collection_mint=collection_mint,
            settings=settings,
            rent_lamports=rent_lamports(candy_machine.ACCOUNT_BYTES),
        ),
        machine,
    )
    guards = candy_guard.Guards(
        bot_tax=(
            candy_guard.BotTax(config.bot_tax_lamports, config.bot_tax_last_instruction)
            if config.bot_tax_lamports or config.bot_tax_last_instruction
            else None
        ),
        sol_payment=candy_guard.SolPayment(config.mint_price_lamports, destination),
        start_date=config.start_date,
    )
    guard = candy_guard.guard_address(base.pubkey())
    step(
        "add the candy guard",
        guard,
        [
            candy_guard.initialize(base=base.pubkey(), authority=owner, payer=owner, guards=guards),
            candy_guard.wrap(guard=guard, authority=owner, machine=machine.pubkey()),
        ],
        base,
    )
    return MintAccounts(
        machine=machine.pubkey(),
        guard=guard,
        collection_mint=collection_mint,
        collection_update_authority=owner,
        guards=guards,
    )
