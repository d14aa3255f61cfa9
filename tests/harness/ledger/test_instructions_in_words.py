"""Each instruction of the system and token programs is put into words as a node puts it."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from solders import system_program as system
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from harness.ledger.embedded.amounts import token_amount
from harness.ledger.embedded.parsed import parse_instruction
from programs.addresses import ASSOCIATED_TOKEN, TOKEN, UPGRADEABLE_LOADER

A, B, C, D, E, F = (Pubkey(bytes([number]) * 32) for number in range(1, 7))
a, b, c, d, e, f = (str(key) for key in (A, B, C, D, E, F))


def parsed(instruction: Instruction) -> Any:
    names = [str(meta.pubkey) for meta in instruction.accounts]
    shown = parse_instruction(instruction.program_id, instruction.data, names, None)
    return None if shown is None else (shown["parsed"]["type"], shown["parsed"].get("info"))


def token(data: bytes, *names: str) -> Any:
    shown = parse_instruction(TOKEN, data, names, None)
    return None if shown is None else (shown["parsed"]["type"], shown["parsed"]["info"])


def u64(number: int) -> bytes:
    return struct.pack("<Q", number)


SYSTEM_CASES: list[tuple[Instruction, str, dict[str, Any]]] = [
    (system.transfer(system.TransferParams(from_pubkey=A, to_pubkey=B, lamports=5)),
     "transfer", {"source": a, "destination": b, "lamports": 5}),
    (system.create_account(system.CreateAccountParams(
        from_pubkey=A, to_pubkey=B, lamports=5, space=7, owner=C)),
     "createAccount", {"source": a, "newAccount": b, "lamports": 5, "space": 7, "owner": c}),
    (system.assign(system.AssignParams(pubkey=A, owner=B)), "assign",
     {"account": a, "owner": b}),
    (system.allocate(system.AllocateParams(pubkey=A, space=9)), "allocate",
     {"account": a, "space": 9}),
    (system.create_account_with_seed(system.CreateAccountWithSeedParams(
        from_pubkey=A, to_pubkey=B, base=C, seed="seed", lamports=5, space=7, owner=D)),
     "createAccountWithSeed",
     {"source": a, "newAccount": b, "base": c, "seed": "seed", "lamports": 5, "space": 7,
      "owner": d}),
    (system.allocate_with_seed(system.AllocateWithSeedParams(
        address=A, base=B, seed="s", space=3, owner=C)),
     "allocateWithSeed", {"account": a, "base": b, "seed": "s", "space": 3, "owner": c}),
    (system.assign_with_seed(system.AssignWithSeedParams(address=A, base=B, seed="s", owner=C)),
     "assignWithSeed", {"account": a, "base": b, "seed": "s", "owner": c}),
    (system.transfer_with_seed(system.TransferWithSeedParams(
        from_pubkey=A, from_base=B, from_seed="s", from_owner=C, to_pubkey=D, lamports=5)),
     "transferWithSeed",
     {"source": a, "sourceBase": b, "destination": d, "lamports": 5, "sourceSeed": "s",
      "sourceOwner": c}),
    (system.withdraw_nonce_account(system.WithdrawNonceAccountParams(
        nonce_pubkey=A, authorized_pubkey=B, to_pubkey=C, lamports=5)),
     "withdrawFromNonce",
     {"nonceAccount": a, "destination": c, "nonceAuthority": b, "lamports": 5,
      "recentBlockhashesSysvar": "SysvarRecentB1ockHashes11111111111111111111",
      "rentSysvar": "SysvarRent111111111111111111111111111111111"}),
    (system.authorize_nonce_account(system.AuthorizeNonceAccountParams(
        nonce_pubkey=A, authorized_pubkey=B, new_authority=C)),
     "authorizeNonce", {"nonceAccount": a, "nonceAuthority": b, "newAuthorized": c}),
]  # fmt: skip


@pytest.mark.parametrize(("instruction", "kind", "info"), SYSTEM_CASES, ids=lambda v: str(v)[:30])
def test_system(instruction: Instruction, kind: str, info: dict[str, Any]) -> None:
    assert parsed(instruction) == (kind, info)


AMOUNT = {"uiAmount": 1.5, "decimals": 1, "amount": "15", "uiAmountString": "1.5"}
TOKEN_CASES: list[tuple[bytes, tuple[str, ...], str, dict[str, Any]]] = [
    (b"\x03" + u64(5), (a, b, c), "transfer",
     {"source": a, "destination": b, "amount": "5", "authority": c}),
    (b"\x03" + u64(5), (a, b, c, d, e), "transfer",
     {"source": a, "destination": b, "amount": "5", "multisigAuthority": c, "signers": [d, e]}),
    (b"\x04" + u64(5), (a, b, c), "approve",
     {"source": a, "delegate": b, "amount": "5", "owner": c}),
    (b"\x05", (a, b), "revoke", {"source": a, "owner": b}),
    (b"\x06\x02\x01" + bytes(C), (a, b), "setAuthority",
     {"account": a, "authorityType": "accountOwner", "newAuthority": c, "authority": b}),
    (b"\x06\x00\x00", (a, b), "setAuthority",
     {"mint": a, "authorityType": "mintTokens", "newAuthority": None, "authority": b}),
    (b"\x07" + u64(5), (a, b, c), "mintTo",
     {"mint": a, "account": b, "amount": "5", "mintAuthority": c}),
    (b"\x08" + u64(5), (a, b, c), "burn",
     {"account": a, "mint": b, "amount": "5", "authority": c}),
    (b"\x09", (a, b, c), "closeAccount", {"account": a, "destination": b, "owner": c}),
    (b"\x0a", (a, b, c), "freezeAccount", {"account": a, "mint": b, "freezeAuthority": c}),
    (b"\x0b", (a, b, c), "thawAccount", {"account": a, "mint": b, "freezeAuthority": c}),
    (b"\x0c" + u64(15) + b"\x01", (a, b, c, d), "transferChecked",
     {"source": a, "mint": b, "destination": c, "tokenAmount": AMOUNT, "authority": d}),
    (b"\x0f" + u64(15) + b"\x01", (a, b, c), "burnChecked",
     {"account": a, "mint": b, "tokenAmount": AMOUNT, "authority": c}),
    (b"\x11", (a,), "syncNative", {"account": a}),
    (b"\x12" + bytes(C), (a, b), "initializeAccount3", {"account": a, "mint": b, "owner": c}),
    (b"\x14\x09" + bytes(B) + b"\x01" + bytes(C), (a,), "initializeMint2",
     {"mint": a, "decimals": 9, "mintAuthority": b, "freezeAuthority": c}),
    (b"\x00\x09" + bytes(B) + b"\x00", (a, d), "initializeMint",
     {"mint": a, "decimals": 9, "mintAuthority": b, "rentSysvar": d}),
    (b"\x13\x02", (a, b, c), "initializeMultisig2",
     {"multisig": a, "signers": [b, c], "m": 2}),
    (b"\x15\x07\x00", (a,), "getAccountDataSize",
     {"mint": a, "extensionTypes": ["immutableOwner"]}),
    (b"\x27\x00" + bytes(B) + bytes(32), (a,), "initializeMetadataPointer",
     {"mint": a, "authority": b}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "names", "kind", "info"), TOKEN_CASES, ids=[case[2] for case in TOKEN_CASES]
)
def test_token(data: bytes, names: tuple[str, ...], kind: str, info: dict[str, Any]) -> None:
    assert token(data, *names) == (kind, info)


@pytest.mark.parametrize(
    ("program", "data", "names"),
    [
        (TOKEN, b"", (a,)),
        (TOKEN, b"\x03\x01", (a, b, c)),
        (TOKEN, b"\x03" + u64(1), (a,)),
        (TOKEN, b"\xff", (a,)),
        (system.ID, b"\x63\x00\x00\x00", (a,)),
        (ASSOCIATED_TOKEN, b"\x07", (a, b, c, d, e, f)),
        (UPGRADEABLE_LOADER, b"\x01\x00\x00\x00" + b"\xff" * 12, (a, b)),
        (A, b"anything", (a,)),
    ],
)
def test_what_cannot_be_read_is_left_to_be_shown_raw(
    program: Pubkey, data: bytes, names: tuple[str, ...]
) -> None:
    assert parse_instruction(program, data, names, None) is None


@pytest.mark.parametrize(
    ("amount", "decimals", "text", "number"),
    [
        (0, 0, "0", 0.0), (1, 9, "0.000000001", 1e-9), (1_500_000_000, 9, "1.5", 1.5),
        (2**64 - 1, 9, "18446744073.709551615", 18446744073.709553), (100, 2, "1", 1.0),
        (1, 19, "0.0000000000000000001", 1e-19), (1, 20, "0.00000000000000000001", None),
    ],
)  # fmt: skip
def test_amounts_are_exact_in_text(
    amount: int, decimals: int, text: str, number: float | None
) -> None:
    shown = token_amount(amount, decimals)
    assert (shown["uiAmountString"], shown["uiAmount"]) == (text, number)
