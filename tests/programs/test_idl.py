"""The IDLs agree with the sources and with what the clients send."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair

import programs
from programs.buyback import client as buyback
from programs.candy_guard import client as candy_guard
from programs.candy_machine import client as candy_machine

FOLDER = Path(programs.__file__).parent
KEYS = [Keypair.from_seed(bytes([number]) * 32).pubkey() for number in range(1, 7)]


def idl(path: str) -> dict[str, Any]:
    return json.loads((FOLDER / path).read_text())


def test_the_buybacks_idl_is_of_its_present_source() -> None:
    digest = hashlib.sha256()
    for path in sorted((FOLDER / "buyback" / "src").glob("*.rs")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    recorded = (FOLDER / "buyback" / "idl" / "source.sha256").read_text().strip()
    assert digest.hexdigest() == recorded, "run programs/buyback/idl/make"


def buyback_instructions() -> dict[str, Instruction]:
    return {
        "initialize": buyback.initialize(
            authority=KEYS[0], treasury=KEYS[1], collection_mint=KEYS[2], min_treasury_balance=9
        ),
        "execute_buyback": buyback.execute_buyback(
            user=KEYS[0], treasury=KEYS[1], mint=KEYS[2], collection_mint=KEYS[3], amount=5,
            token_record=KEYS[4],
        ),
        "set_enabled": buyback.set_enabled(authority=KEYS[0], enabled=True),
        "set_min_treasury_balance": buyback.set_min_treasury_balance(
            authority=KEYS[0], min_treasury_balance=3
        ),
        "set_treasury": buyback.set_treasury(authority=KEYS[0], treasury=KEYS[1]),
        "propose_authority": buyback.propose_authority(authority=KEYS[0], new_authority=KEYS[1]),
        "accept_authority": buyback.accept_authority(new_authority=KEYS[0]),
    }  # fmt: skip


def test_every_buyback_instruction_has_its_discriminator_and_flags() -> None:
    described = {one["name"]: one for one in idl("buyback/idl/buyback.json")["instructions"]}
    built = buyback_instructions()
    assert set(built) == set(described)
    for name, instruction in built.items():
        discriminator = hashlib.sha256(f"global:{name}".encode()).digest()[:8]
        assert instruction.data[:8] == discriminator == bytes(described[name]["discriminator"])
        flags = [
            (one.get("signer", False), one.get("writable", False))
            for one in described[name]["accounts"]
        ]
        assert [(one.is_signer, one.is_writable) for one in instruction.accounts] == flags


def test_error_codes() -> None:
    described = {one["code"]: one["name"] for one in idl("buyback/idl/buyback.json")["errors"]}
    assert buyback.errors() == described
    assert described[6001] == "InsufficientTreasury"


@pytest.mark.parametrize("file", ["candy_guard/idl/candy_guard.json"])
def test_the_guarded_mint_has_the_accounts_of_its_idl(file: str) -> None:
    mint_v2 = next(one for one in idl(file)["instructions"] if one["name"] == "mintV2")
    machine = candy_guard.MintAccounts(KEYS[0], KEYS[1], KEYS[2], KEYS[3], candy_guard.Guards())
    built = candy_guard.mint(machine=machine, payer=KEYS[4], mint=KEYS[5])
    assert len(built.accounts) == len(mint_v2["accounts"])
    for meta, described in zip(built.accounts, mint_v2["accounts"], strict=True):
        if meta.pubkey == candy_guard.PROGRAM_ID:
            assert described["isOptional"], described["name"]
        else:
            assert meta.is_writable == described["isMut"], described["name"]


def test_the_machines_initialisation_has_the_accounts_of_its_idl() -> None:
    described = next(
        one
        for one in idl("candy_machine/idl/candy_machine_core.json")["instructions"]
        if one["name"] == "initializeV2"
    )
    settings = candy_machine.MachineSettings(
        5, "S", 0, True, (), candy_machine.HiddenSettings("x $ID$", "u", bytes(32))
    )
    _, built = candy_machine.initialize(
        machine=KEYS[0], authority=KEYS[1], collection_mint=KEYS[2], settings=settings,
        rent_lamports=1,
    )  # fmt: skip
    assert len(built.accounts) == len(described["accounts"])
    for meta, one in zip(built.accounts, described["accounts"], strict=True):
        if meta.pubkey != candy_machine.PROGRAM_ID:
            assert meta.is_writable >= one["isMut"], one["name"]
            assert meta.is_signer >= one["isSigner"], one["name"]
