"""What the program reports: each event with its configuration's version, and none that it did not
report itself."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import Any

from solders.pubkey import Pubkey

from programs.buyback import client as buyback
from programs.buyback.client import Event

STRANGER = Pubkey.from_string("11111111111111111111111111111112")


def test_every_instruction_reports_what_it_did(economy: Any) -> None:
    authority, heir = economy.authority, economy.key()
    who, collection = authority.pubkey(), economy.deployment.collection_mint
    economy.ledger.fund(heir.pubkey(), 10**9)
    treasury = economy.treasury.pubkey()
    made = buyback.initialize(
        authority=who, treasury=treasury, collection_mint=collection, min_treasury_balance=7,
        version=2,
    )  # fmt: skip
    steps = [
        (made, authority, Event("Initialized", {
            "version": 2, "authority": who, "treasury": treasury, "collection_mint": collection,
            "min_treasury_balance": 7,
        })),
        (buyback.set_enabled(authority=who, enabled=False, version=2), authority,
         Event("EnabledSet", {"enabled": False, "version": 2})),
        (buyback.set_min_treasury_balance(authority=who, min_treasury_balance=2**64 - 1), authority,
         Event("MinTreasuryBalanceSet", {"min_treasury_balance": 2**64 - 1, "version": 1})),
        (buyback.set_treasury(authority=who, treasury=heir.pubkey(), version=2), authority,
         Event("TreasurySet", {"treasury": heir.pubkey(), "version": 2})),
        (buyback.propose_authority(authority=who, new_authority=heir.pubkey()), authority,
         Event("AuthorityProposed", {"new_authority": heir.pubkey(), "version": 1})),
        (buyback.accept_authority(new_authority=heir.pubkey()), heir,
         Event("AuthorityAccepted", {"authority": heir.pubkey(), "version": 1})),
        (buyback.propose_authority(authority=who, new_authority=None, version=2), authority,
         Event("AuthorityProposed", {"new_authority": None, "version": 2})),
    ]  # fmt: skip
    for instruction, signer, event in steps:
        sent = economy.send([instruction], signer)
        assert sent.outcome == "landed", sent.logs
        assert buyback.events(sent.logs) == [event]
        assert buyback.events(sent.logs, STRANGER) == []


def line(name: str, body: bytes) -> str:
    content = sha256(f"event:{name}".encode()).digest()[:8] + body
    return "Program data: " + base64.b64encode(content).decode()


def test_another_programs_forgery_does_not_count() -> None:
    forged = line("EnabledSet", b"\0\1")
    own, other = (f"Program {key} invoke [1]" for key in (buyback.PROGRAM_ID, STRANGER))
    ends, other_ends = (f"Program {key} success" for key in (buyback.PROGRAM_ID, STRANGER))
    inner = f"Program {STRANGER} invoke [2]"
    genuine = [Event("EnabledSet", {"enabled": False, "version": 1})]
    assert buyback.events([own, forged, ends]) == genuine
    assert buyback.events([other, forged, other_ends]) == []
    assert buyback.events([own, inner, forged, other_ends, ends]) == []
    assert buyback.events([own, inner, other_ends, forged, ends]) == genuine
    assert buyback.events([forged]) == []


def test_what_cannot_be_read_is_left_out() -> None:
    own = f"Program {buyback.PROGRAM_ID} invoke [1]"
    for unread in (
        "Program data: %%%",
        "Program data: ",
        "Program data: AAAA BBBB",
        line("EnabledSet", b""),
        line("NeverHeardOf", b"\0" * 40),
    ):
        assert buyback.events([own, unread]) == []
