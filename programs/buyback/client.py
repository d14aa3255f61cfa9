"""The buyback program: instructions, accounts, events and errors, by its IDL.

anchorpy reads `idl/buyback.legacy.json` and encodes and decodes; this module gives the names that
the rest of the project uses, and the addresses.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from anchorpy import Context, Program, Provider, Wallet
from anchorpy_core.idl import Idl
from construct import ConstructError
from solana.rpc.async_api import AsyncClient
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from programs.addresses import (
    INSTRUCTIONS_SYSVAR,
    SYSTEM,
    TOKEN,
    associated_token_address,
    program_data_address,
)
from programs.token_metadata import client as token_metadata

#: The program's key on local ledgers comes from this published sentence: anybody can deploy it
#: there, nobody should fund it. A real deployment has its own key, declared in src/lib.rs.
LOCAL_KEY_SENTENCE = "mystery-box testbed: buyback program on local ledgers, version 1"
PROGRAM_ID = Pubkey.from_string("EnaEFT4oda8qNh6ETT9wxZFTC4ucRByeNituR3gyzxPt")

CONFIG_VERSION = 1
_IDL = Path(__file__).parent / "idl" / "buyback.legacy.json"
_EVENT_PREFIX = "Program data: "
_INVOKED = re.compile(r"^Program (\w+) invoke \[\d+\]$")
_ENDED = re.compile(r"^Program (\w+) (?:success|failed: .*)$")


@cache
def program(program_id: Pubkey = PROGRAM_ID) -> Program:
    """anchorpy's view of the program. Its provider is never used to send anything."""
    idl = Idl.from_json(_IDL.read_text(encoding="utf-8"))
    nowhere = Provider(AsyncClient("http://127.0.0.1:1"), Wallet(Keypair()))
    return Program(idl, program_id, nowhere)


@cache
def errors() -> dict[int, str]:
    """The program's error names by code, such as 6000: BuybackDisabled."""
    return {error.code: error.name for error in program().idl.errors or []}


def local_keypair() -> Keypair:
    """The key of PROGRAM_ID, for deploying it to a local ledger."""
    return Keypair.from_seed(sha256(LOCAL_KEY_SENTENCE.encode()).digest())


def config_address(version: int = CONFIG_VERSION, program_id: Pubkey = PROGRAM_ID) -> Pubkey:
    """Where the configuration of one version is."""
    return Pubkey.find_program_address([b"buyback_config", bytes([version])], program_id)[0]


@dataclass(frozen=True)
class Config:
    """The configuration account. Balances in lamports."""

    version: int
    buyback_enabled: bool
    min_treasury_balance: int
    authority: Pubkey
    treasury: Pubkey
    collection_mint: Pubkey
    pending_authority: Pubkey | None

    @classmethod
    def parse(cls, data: bytes) -> Config:
        """Read the account. Raises ValueError if the bytes are something else."""
        try:
            raw = program().coder.accounts.decode(data)
        except Exception as error:
            raise ValueError(f"not a buyback configuration: {type(error).__name__}") from None
        return cls(
            version=raw.version,
            buyback_enabled=raw.buyback_enabled,
            min_treasury_balance=raw.min_treasury_balance,
            authority=raw.authority,
            treasury=raw.treasury,
            collection_mint=raw.collection_mint,
            pending_authority=raw.pending_authority,
        )


@dataclass(frozen=True)
class Event:
    """Something that the program reported, such as EnabledSet with `enabled` and `version`."""

    name: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class BuybackExecuted:
    """The program's event of one buyback. `amount` in lamports."""

    user: Pubkey
    mint: Pubkey
    treasury: Pubkey
    amount: int
    version: int


def events(logs: Iterable[str], program_id: Pubkey = PROGRAM_ID) -> list[Event]:
    """What the program itself reported in a transaction's log, in order.

    Other programs can log the same bytes; only lines from within a call of this one count.
    """
    found, running = [], []
    for line in logs:
        if invoked := _INVOKED.match(line):
            running.append(invoked[1])
        elif _ENDED.match(line):
            running = running[:-1]
        elif line.startswith(_EVENT_PREFIX) and running[-1:] == [str(program_id)]:
            event = _event(line.removeprefix(_EVENT_PREFIX))
            if event is not None:
                found.append(event)
    return found


def _event(written: str) -> Event | None:
    try:
        parsed = program().coder.events.parse(base64.b64decode(written, validate=True))
    except (ValueError, ConstructError):
        return None
    if parsed is None:
        return None
    fields = vars(parsed.data)
    return Event(parsed.name, {key: value for key, value in fields.items() if key[0] != "_"})


def executed(logs: Iterable[str], program_id: Pubkey = PROGRAM_ID) -> list[BuybackExecuted]:
    """The buybacks that a transaction's log reports."""
    return [
        BuybackExecuted(**event.fields)
        for event in events(logs, program_id)
        if event.name == "BuybackExecuted"
    ]


def initialize(
    *,
    authority: Pubkey,
    treasury: Pubkey,
    collection_mint: Pubkey,
    min_treasury_balance: int,
    version: int = CONFIG_VERSION,
    program_id: Pubkey = PROGRAM_ID,
) -> Instruction:
    """Create a configuration. Signed by `authority`, the program's upgrade authority, who pays."""
    accounts = {
        "authority": authority,
        "treasury": treasury,
        "collection_mint": collection_mint,
        "config": config_address(version, program_id),
        "program": program_id,
        "program_data": program_data_address(program_id),
        "system_program": SYSTEM,
    }
    return _build("initialize", accounts, version, min_treasury_balance, program_id=program_id)


def execute_buyback(
    *,
    user: Pubkey,
    treasury: Pubkey,
    mint: Pubkey,
    collection_mint: Pubkey,
    amount: int,
    token_account: Pubkey | None = None,
    token_record: Pubkey | None = None,
    version: int = CONFIG_VERSION,
    program_id: Pubkey = PROGRAM_ID,
) -> Instruction:
    """Burn the user's NFT and pay `amount` lamports. Signed by `user` and `treasury`.

    `token_account` is the user's associated one unless given; `token_record` is for programmable
    NFTs only.
    """
    accounts = {
        "user": user,
        "treasury": treasury,
        "config": config_address(version, program_id),
        "mint": mint,
        "token_account": token_account or associated_token_address(user, mint),
        "metadata": token_metadata.metadata_address(mint),
        "edition": token_metadata.edition_address(mint),
        "collection_metadata": token_metadata.metadata_address(collection_mint),
        "token_record": token_record or program_id,  # Anchor's way to say "none"
        "token_metadata_program": token_metadata.PROGRAM_ID,
        "token_program": TOKEN,
        "system_program": SYSTEM,
        "sysvar_instructions": INSTRUCTIONS_SYSVAR,
    }
    instruction = _build("execute_buyback", accounts, amount, program_id=program_id)
    # A program can't be writable; anchorpy takes the flag from the IDL even where it stands for
    # "none".
    metas = [
        AccountMeta(meta.pubkey, False, False) if meta.pubkey == program_id else meta
        for meta in instruction.accounts
    ]
    return Instruction(program_id, instruction.data, metas)


def set_enabled(
    *,
    authority: Pubkey,
    enabled: bool,
    version: int = CONFIG_VERSION,
    program_id: Pubkey = PROGRAM_ID,
) -> Instruction:
    """Pause (False) or resume (True). Signed by `authority`."""
    return _administer("set_enabled", authority, enabled, version, program_id)


def set_min_treasury_balance(
    *,
    authority: Pubkey,
    min_treasury_balance: int,
    version: int = CONFIG_VERSION,
    program_id: Pubkey = PROGRAM_ID,
) -> Instruction:
    """Set the lamports that stay in the treasury. Signed by `authority`."""
    return _administer(
        "set_min_treasury_balance", authority, min_treasury_balance, version, program_id
    )


def set_treasury(
    *,
    authority: Pubkey,
    treasury: Pubkey,
    version: int = CONFIG_VERSION,
    program_id: Pubkey = PROGRAM_ID,
) -> Instruction:
    """Name another treasury. Signed by `authority`."""
    return _administer("set_treasury", authority, treasury, version, program_id)


def propose_authority(
    *,
    authority: Pubkey,
    new_authority: Pubkey | None,
    version: int = CONFIG_VERSION,
    program_id: Pubkey = PROGRAM_ID,
) -> Instruction:
    """Offer the authority to another key, or withdraw the offer. Signed by `authority`."""
    return _administer("propose_authority", authority, new_authority, version, program_id)


def accept_authority(
    *, new_authority: Pubkey, version: int = CONFIG_VERSION, program_id: Pubkey = PROGRAM_ID
) -> Instruction:
    """Take the offered authority. Signed by `new_authority`."""
    accounts = {"new_authority": new_authority, "config": config_address(version, program_id)}
    return _build("accept_authority", accounts, program_id=program_id)


def _administer(
    name: str, authority: Pubkey, argument: object, version: int, program_id: Pubkey
) -> Instruction:
    accounts = {"authority": authority, "config": config_address(version, program_id)}
    return _build(name, accounts, argument, program_id=program_id)


def _build(
    name: str, accounts: dict[str, Pubkey], *arguments: object, program_id: Pubkey
) -> Instruction:
    build = program(program_id).instruction[name]
    return build(*arguments, ctx=Context(accounts=accounts))
