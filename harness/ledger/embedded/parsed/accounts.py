"""Accounts in words: what `jsonParsed` shows of token, nonce, program, table and sysvar accounts.

Source: agave's account-decoder crate, parse_*.rs.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from solders.account import Account
from solders.hash import Hash
from solders.pubkey import Pubkey

from harness.ledger.embedded.amounts import token_amount
from harness.ledger.embedded.machine import TOKEN_2022
from harness.ledger.embedded.parsed.extensions import parse_extensions
from harness.ledger.embedded.parsed.reader import CannotParse, Reader
from programs.addresses import SYSTEM, TOKEN, UPGRADEABLE_LOADER

_SYSVAR_OWNER = Pubkey.from_string("Sysvar1111111111111111111111111111111111111")
_LOOKUP_TABLES = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
_MINT_BYTES, _ACCOUNT_BYTES, _MULTISIG_BYTES = 82, 165, 355
_STATES = ("uninitialized", "initialized", "frozen")
_TABLE_HEADER_BYTES = 56

#: Gives a mint's decimals; None if there is no such mint.
Decimals = Callable[[Pubkey], int | None]


def parse_account(address: Pubkey, account: Account, decimals: Decimals) -> dict[str, Any] | None:
    """An account's data as a node's `jsonParsed` shows it; None if nodes do not parse it."""
    data = account.data
    try:
        if account.owner in (TOKEN, TOKEN_2022):
            program = "spl-token" if account.owner == TOKEN else "spl-token-2022"
            parsed = _token(data, decimals)
        elif account.owner == SYSTEM and len(data) == 80:
            program, parsed = "nonce", _nonce(Reader(data))
        elif account.owner == UPGRADEABLE_LOADER:
            program, parsed = "bpf-upgradeable-loader", _loader(Reader(data))
        elif account.owner == _LOOKUP_TABLES:
            program, parsed = "address-lookup-table", _lookup_table(data)
        elif account.owner == _SYSVAR_OWNER:
            program, parsed = "sysvar", _sysvar(address, Reader(data))
        else:
            return None
    except CannotParse:
        return None
    return {"program": program, "parsed": parsed, "space": len(data)}


def _token(data: bytes, decimals: Decimals) -> dict[str, Any]:
    size = len(data)
    if size == _MULTISIG_BYTES:
        reader = Reader(data)
        m, n, ready = reader.u8(), reader.u8(), reader.u8()
        signers = [reader.zeroable_key() for _ in range(11)]
        info: dict[str, Any] = {
            "numRequiredSigners": m, "numValidSigners": n, "isInitialized": bool(ready),
            "signers": [one for one in signers if one is not None],
        }  # fmt: skip
        return {"type": "multisig", "info": info}
    if size == _ACCOUNT_BYTES or (size > _ACCOUNT_BYTES and data[_ACCOUNT_BYTES] == 2):
        return {"type": "account", "info": _token_account(data, decimals)}
    if size == _MINT_BYTES or (size > _ACCOUNT_BYTES and data[_ACCOUNT_BYTES] == 1):
        return {"type": "mint", "info": _mint(data)}
    raise CannotParse


def _token_account(data: bytes, decimals: Decimals) -> dict[str, Any]:
    reader = Reader(data)
    mint, owner, amount = reader.key(), reader.key(), reader.u64()
    places = decimals(Pubkey.from_string(mint))
    delegate, state = reader.fixed_option_key(), reader.u8()
    native, reserve = reader.u32(), reader.u64()
    delegated, close = reader.u64(), reader.fixed_option_key()
    if places is None or state not in (1, 2):
        raise CannotParse
    info: dict[str, Any] = {
        "mint": mint, "owner": owner, "tokenAmount": token_amount(amount, places),
        "state": _STATES[state], "isNative": bool(native),
    }  # fmt: skip
    if delegate is not None:
        info |= {"delegate": delegate, "delegatedAmount": token_amount(delegated, places)}
    if native:
        info["rentExemptReserve"] = token_amount(reserve, places)
    if close is not None:
        info["closeAuthority"] = close
    extensions = parse_extensions(data[_ACCOUNT_BYTES + 1 :])
    return info | ({"extensions": extensions} if extensions else {})


def _mint(data: bytes) -> dict[str, Any]:
    reader = Reader(data)
    authority, supply, places = reader.fixed_option_key(), reader.u64(), reader.u8()
    ready, freeze = reader.u8(), reader.fixed_option_key()
    if not ready:
        raise CannotParse
    info: dict[str, Any] = {
        "mintAuthority": authority, "supply": str(supply), "decimals": places,
        "isInitialized": True, "freezeAuthority": freeze,
    }  # fmt: skip
    extensions = parse_extensions(data[_ACCOUNT_BYTES + 1 :])
    return info | ({"extensions": extensions} if extensions else {})


def _nonce(reader: Reader) -> dict[str, Any]:
    version, state = reader.u32(), reader.u32()
    if version > 1 or state > 1:
        raise CannotParse
    if state == 0:
        return {"type": "uninitialized"}
    info = {
        "authority": reader.key(),
        "blockhash": str(Hash(reader.take(32))),
        "feeCalculator": {"lamportsPerSignature": str(reader.u64())},
    }
    return {"type": "initialized", "info": info}


def _loader(reader: Reader) -> dict[str, Any]:
    state = reader.u32()
    if state == 0:
        return {"type": "uninitialized"}
    if state == 2:
        return {"type": "program", "info": {"programData": reader.key()}}
    if state not in (1, 3):
        raise CannotParse
    info: dict[str, Any] = {"slot": reader.u64()} if state == 3 else {}
    authority = reader.option_key()
    code = [base64.b64encode(reader.rest()).decode(), "base64"]
    info |= {"authority": authority, "data": code}
    return {"type": "programData" if state == 3 else "buffer", "info": info}


def _lookup_table(data: bytes) -> dict[str, Any]:
    reader = Reader(data)
    if reader.u32() == 0:
        return {"type": "uninitialized"}
    deactivation, extended, start = reader.u64(), reader.u64(), reader.u8()
    authority = reader.option_key()
    info: dict[str, Any] = {
        "deactivationSlot": str(deactivation), "lastExtendedSlot": str(extended),
        "lastExtendedSlotStartIndex": start,
    }  # fmt: skip
    if authority is not None:
        info["authority"] = authority
    listed = Reader(data[_TABLE_HEADER_BYTES:])
    info["addresses"] = [listed.key() for _ in range(listed.left // 32)]
    return {"type": "lookupTable", "info": info}


def _sysvar(address: Pubkey, reader: Reader) -> dict[str, Any]:
    name = str(address)
    if name.startswith("SysvarC1ock"):
        slot, start = reader.u64(), reader.i64()
        epoch, leaders, now = reader.u64(), reader.u64(), reader.i64()
        info: Any = {
            "slot": slot, "epoch": epoch, "epochStartTimestamp": start,
            "leaderScheduleEpoch": leaders, "unixTimestamp": now,
        }  # fmt: skip
        return {"type": "clock", "info": info}
    if name.startswith("SysvarRent"):
        info = {
            "lamportsPerByteYear": str(reader.u64()), "exemptionThreshold": reader.f64(),
            "burnPercent": reader.u8(),
        }  # fmt: skip
        return {"type": "rent", "info": info}
    if name.startswith("SysvarS1otHashes"):
        info = [
            {"slot": reader.u64(), "hash": str(Hash(reader.take(32)))}
            for _ in range(min(reader.u64(), 512))
        ]
        return {"type": "slotHashes", "info": info}
    if name.startswith("SysvarRecentB1ockHashes"):
        info = [
            {
                "blockhash": str(Hash(reader.take(32))),
                "feeCalculator": {"lamportsPerSignature": str(reader.u64())},
            }
            for _ in range(min(reader.u64(), 150))
        ]
        return {"type": "recentBlockhashes", "info": info}
    if name.startswith("SysvarEpochSchedu1e"):
        info = {
            "slotsPerEpoch": reader.u64(), "leaderScheduleSlotOffset": reader.u64(),
            "warmup": bool(reader.u8()), "firstNormalEpoch": reader.u64(),
            "firstNormalSlot": reader.u64(),
        }  # fmt: skip
        return {"type": "epochSchedule", "info": info}
    raise CannotParse
