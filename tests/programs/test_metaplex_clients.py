"""What the clients write is what the programs read, and the other way round."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from solders.pubkey import Pubkey

from programs.candy_guard import client as candy_guard
from programs.candy_machine import client as candy_machine
from programs.token_metadata import client as token_metadata


def test_a_mint_has_the_placeholder_and_the_verified_collection(economy: Any) -> None:
    mint = economy.minted()
    found = token_metadata.Metadata.parse(economy.data(token_metadata.metadata_address(mint)))
    assert (found.name, found.uri, found.symbol) == (
        "Mystery Skin #1", "https://arweave.net/placeholder", "SKIN",
    )  # fmt: skip
    collection = economy.deployment.collection_mint
    assert found.collection == token_metadata.Collection(collection, verified=True)
    assert found.update_authority == economy.authority.pubkey()
    assert found.seller_fee_basis_points == 500


def test_an_update_changes_name_and_uri_and_nothing_else(economy: Any) -> None:
    mint = economy.minted()
    address = token_metadata.metadata_address(mint)
    before = token_metadata.Metadata.parse(economy.data(address))
    update = token_metadata.update(
        mint=mint, authority=economy.authority.pubkey(), metadata=before,
        name="AK-47 | Redline", uri="https://arweave.net/skins/1",
    )  # fmt: skip
    assert economy.send([update], economy.authority).outcome == "landed"
    after = token_metadata.Metadata.parse(economy.data(address))
    assert (after.name, after.uri) == ("AK-47 | Redline", "https://arweave.net/skins/1")
    assert vars(after) == {**vars(before), "name": after.name, "uri": after.uri}


def test_an_update_that_is_too_long_is_refused_before_it_is_sent(economy: Any) -> None:
    mint = economy.minted()
    metadata = token_metadata.Metadata.parse(economy.data(token_metadata.metadata_address(mint)))
    with pytest.raises(ValueError, match="name too long: 33 bytes, at most 32"):
        token_metadata.update(mint=mint, authority=mint, metadata=metadata, name="x" * 33, uri="u")
    with pytest.raises(ValueError, match="URI too long: 201 bytes, at most 200"):
        token_metadata.update(mint=mint, authority=mint, metadata=metadata, name="x", uri="u" * 201)


def test_the_machine_counts(economy: Any) -> None:
    economy.minted()
    economy.minted()
    machine = candy_machine.CandyMachine.parse(economy.data(economy.deployment.candy_machine))
    assert (machine.items_redeemed, machine.items_available) == (2, 100)
    assert machine.mint_authority == economy.deployment.candy_guard
    assert machine.hidden is not None
    assert machine.hidden.name == "Mystery Skin #$ID+1$"


def test_guards_come_back_as_they_were_sent(economy: Any) -> None:
    every = candy_guard.Guards(
        bot_tax=candy_guard.BotTax(5, True),
        sol_payment=candy_guard.SolPayment(7, Pubkey.new_unique()),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        end_date=datetime(2027, 1, 1, tzinfo=UTC),
        mint_limit=candy_guard.MintLimit(3, 2),
    )
    guard = economy.deployment.candy_guard
    update = candy_guard.update(guard=guard, authority=economy.authority.pubkey(), guards=every)
    assert economy.send([update], economy.authority).outcome == "landed"
    assert candy_guard.Guards.parse(economy.data(guard)) == every


@pytest.mark.parametrize(
    ("parse", "what"),
    [
        (token_metadata.Metadata.parse, "metadata"),
        (candy_machine.CandyMachine.parse, "candy machine"),
    ],
)
def test_other_bytes_are_not_taken_for_accounts(parse: Any, what: str) -> None:
    for data in (b"", b"\0" * 700, b"\4" + b"\xff" * 700):
        with pytest.raises(ValueError, match=what):
            parse(data)
