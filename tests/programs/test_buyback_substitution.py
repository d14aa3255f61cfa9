"""Accounts of execute_buyback exchanged for others: nobody gains, nothing is lost.

Every account in turn is replaced by every other plausible one, then two at a time at random. The
treasury signs whatever it is given here, which is worse than the backend does.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from programs.addresses import SLOT_HASHES_SYSVAR, associated_token_address
from programs.buyback import client as buyback
from programs.token_metadata.client import edition_address, metadata_address

AMOUNT = 53_125_000
TOKEN_RECORD = 8  # its place among the accounts
_PAIRS = 250


class Crime:
    """Someone's sale, strangers' accounts to put into it, and a look at who has what."""

    def __init__(self, props: Any, *, programmable: bool) -> None:
        self.economy = economy = props.economy
        collection = economy.deployment.collection_mint
        self.sold = props.nft(collection, programmable=programmable)
        self.honest = self.sold.sale(amount=AMOUNT)
        owner, economy.user = economy.user, economy.key()
        economy.ledger.fund(economy.user.pubkey(), 10**9)
        self.accomplice = economy.user
        theirs = [props.nft(collection, programmable=kind) for kind in (True, False)]
        theirs.append(props.nft(props.unsized()))
        economy.user = owner
        mine = [props.nft(collection), props.nft(collection, programmable=True)]
        props.do(second_version(economy))
        pool = {meta.pubkey for meta in self.honest.accounts}
        for nft in (*theirs, *mine):
            pool |= {meta.pubkey for meta in nft.sale().accounts}
            pool.add(associated_token_address(self.accomplice.pubkey(), nft.mint))
        pool |= {
            economy.authority.pubkey(),
            self.accomplice.pubkey(),
            economy.deployment.candy_machine,
            economy.deployment.candy_guard,
            collection,
            edition_address(collection),
            metadata_address(theirs[-1].collection),
            buyback.config_address(2),
            buyback.config_address(3),
            SLOT_HASHES_SYSVAR,
            economy.key().pubkey(),
        }
        self.pool = sorted(pool, key=bytes)
        self.keys = {
            key.pubkey(): key
            for key in (economy.authority, self.accomplice, economy.user, economy.treasury)
        }

    def holdings(self) -> list[int]:
        return [self.economy.balance(key) for key in self.keys if key != self.payer.pubkey()]

    @property
    def payer(self) -> Keypair:
        return self.economy.authority

    def replaced(self, changes: dict[int, Pubkey]) -> Instruction | None:
        """The sale with other accounts; None where a signature is needed that nobody can give."""
        accounts = list(self.honest.accounts)
        for place, stranger in changes.items():
            meta = accounts[place]
            if meta.is_signer and stranger not in self.keys:
                return None
            accounts[place] = AccountMeta(stranger, meta.is_signer, meta.is_writable)
        return Instruction(self.honest.program_id, self.honest.data, accounts)

    def commit(self, instruction: Instruction) -> bool:
        """Whether it went through."""
        needed = {meta.pubkey for meta in instruction.accounts if meta.is_signer}
        others = [self.keys[key] for key in needed - {self.payer.pubkey()}]
        return self.economy.send([instruction], self.payer, *others).outcome == "landed"


def second_version(economy: Any) -> Instruction:
    """A configuration beside the first with another treasury and no minimum: the authority's."""
    return buyback.initialize(
        authority=economy.authority.pubkey(),
        treasury=economy.authority.pubkey(),
        collection_mint=economy.deployment.collection_mint,
        min_treasury_balance=0,
        version=2,
    )


@pytest.mark.parametrize("programmable", [False, True], ids=["plain", "programmable"])
def test_no_account_can_be_replaced_to_anybodys_gain(props: Any, programmable: bool) -> None:
    crime = Crime(props, programmable=programmable)
    before, tried = crime.holdings(), 0
    for place, meta in enumerate(crime.honest.accounts):
        if place == TOKEN_RECORD and not programmable:
            continue  # a plain NFT has none; the next test is about that
        for stranger in crime.pool:
            instruction = crime.replaced({place: stranger})
            if stranger == meta.pubkey or instruction is None:
                continue
            assert not crime.commit(instruction), (place, str(stranger))
            tried += 1
    assert tried > 350
    assert crime.holdings() == before
    assert crime.commit(crime.honest), "untouched, it goes through"
    assert crime.holdings() != before


def test_nor_two_at_a_time(props: Any) -> None:
    crime = Crime(props, programmable=True)
    generator = random.Random(4)
    before, tried = crime.holdings(), 0
    places = range(len(crime.honest.accounts))
    for _ in range(_PAIRS):
        changes = {place: generator.choice(crime.pool) for place in generator.sample(places, 2)}
        unchanged = [
            place for place in changes if changes[place] == crime.honest.accounts[place].pubkey
        ]
        instruction = crime.replaced(changes)
        if unchanged or instruction is None:
            continue
        assert not crime.commit(instruction), {k: str(v) for k, v in changes.items()}
        tried += 1
    assert tried > _PAIRS // 2
    assert crime.holdings() == before


@pytest.mark.parametrize("record", ["stranger", "candy machine", "treasury", "its own address"])
def test_a_token_record_that_a_plain_nft_has_not(props: Any, record: str) -> None:
    """Whatever stands in the place of the record, either nothing happens or an ordinary sale."""
    economy = props.economy
    held = props.nft(economy.deployment.collection_mint)
    address = {
        "stranger": economy.key().pubkey(),
        "candy machine": economy.deployment.candy_machine,
        "treasury": economy.treasury.pubkey(),
        "its own address": metadata_address(held.mint),
    }[record]
    before = economy.balance(economy.treasury.pubkey())
    sent = held.sell(amount=AMOUNT, token_record=address)
    after = economy.balance(economy.treasury.pubkey())
    gone = economy.data(metadata_address(held.mint)) is None
    assert (before - after, gone) == ((AMOUNT, True) if sent.outcome == "landed" else (0, False))
