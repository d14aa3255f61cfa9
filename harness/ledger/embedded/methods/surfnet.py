"""Time travel, account edits and snapshots, under the names and shapes that Surfpool gave them.

They answer on the embedded ledger only, where nothing is anybody's. Account data is hexadecimal.
Source: Surfpool, crates/core/src/rpc/surfnet_cheatcodes.rs.
"""

from __future__ import annotations

import base64
import struct
from datetime import UTC, datetime
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from harness.clock import VirtualClock
from harness.ledger.embedded.chain import SLOT_SECONDS, SLOTS_PER_EPOCH, Chain
from harness.ledger.embedded.machine import add_program
from harness.ledger.embedded.methods.cluster import get_epoch_info
from harness.ledger.embedded.methods.context import in_context
from harness.ledger.embedded.parameters import (
    Options,
    Parameters,
    checked_integer,
    to_address,
    wrong,
)
from harness.ledger.embedded.running_clock import RunningClock
from harness.ledger.protocol import ProgramImage
from programs.addresses import (
    ASSOCIATED_TOKEN,
    SYSTEM,
    TOKEN,
    UPGRADEABLE_LOADER,
    program_data_address,
)

_ACCOUNT_BYTES_MAX = 10 * 2**20
_SIGNATURES_DEFAULT = 50
_SIGNATURES_MAX = 1000
_TOKEN_ACCOUNT_BYTES = 165
_STATES = ("uninitialized", "initialized", "frozen")
_CODE_HEADER_BYTES = 45
_LAST_MOMENT = datetime(9000, 1, 1, tzinfo=UTC)
_SLOT_MAX = int((_LAST_MOMENT - datetime(2020, 1, 1, tzinfo=UTC)).total_seconds() / SLOT_SECONDS)


def set_account(chain: Chain, parameters: Parameters) -> Any:
    """Change the named fields of an account, or make one."""
    address, update = parameters.address(0), parameters.options(1)
    before = chain.account(address) or Account(0, b"", SYSTEM, False, 0)
    lamports, owner = update.integer("lamports"), update.get("owner")
    executable = update.get("executable")
    update.integer("rentEpoch")
    account = Account(
        before.lamports if lamports is None else lamports,
        before.data if update.get("data") is None else _bytes(update.get("data")),
        before.owner if owner is None else to_address(owner),
        before.executable if executable is None else update.flag("executable"),
        0,
    )
    chain.machine.set_account(address, account)
    return in_context(chain, None)


def set_token_account(chain: Chain, parameters: Parameters) -> Any:
    """Change the named fields of an owner's associated account for a mint, or make one."""
    owner, mint, update = parameters.address(0), parameters.address(1), parameters.options(2)
    program = TOKEN if parameters.value(3) is None else parameters.address(3)
    seeds = [bytes(owner), bytes(program), bytes(mint)]
    address, _ = Pubkey.find_program_address(seeds, ASSOCIATED_TOKEN)
    before = chain.account(address)
    if before is None:
        data = bytearray(_TOKEN_ACCOUNT_BYTES)
        data[0:32], data[32:64], data[108] = bytes(mint), bytes(owner), 1
        lamports = chain.machine.minimum_balance_for_rent_exemption(_TOKEN_ACCOUNT_BYTES)
    else:
        data, lamports = bytearray(before.data), before.lamports
    if len(data) < _TOKEN_ACCOUNT_BYTES:
        raise wrong("the owner's associated account is no token account")
    for name, at in (("amount", 64), ("delegatedAmount", 121)):
        amount = update.integer(name)
        if amount is not None:
            struct.pack_into("<Q", data, at, amount)
    for name, at in (("delegate", 72), ("closeAuthority", 129)):
        if update.get(name) is not None:
            data[at : at + 36] = _optional_key(update.get(name))
    if update.get("state") is not None:
        data[108] = _STATES.index(update.choice("state", _STATES, ""))
    chain.machine.set_account(address, Account(lamports, bytes(data), program, False, 0))
    return in_context(chain, None)


def reset_account(chain: Chain, parameters: Parameters) -> Any:
    """An account as it was before this ledger touched it: gone, or as the fork's source has it."""
    address, options = parameters.address(0), parameters.options(1)
    reset = [address]
    if options.flag("includeOwnedAccounts"):
        reset += [one for one, _ in chain.accounts_owned_by(address)]
    for one in reset:
        chain.reset_account(one)
    return in_context(chain, None)


def clone_program_account(chain: Chain, parameters: Parameters) -> Any:
    """The program at the first address, at the second address too."""
    source, target = parameters.address(0), parameters.address(1)
    program = chain.account(source)
    if program is None or not program.executable:
        raise wrong(f"{source} is not a program")
    if program.owner == UPGRADEABLE_LOADER:
        code = chain.account(program_data_address(source))
        if code is None:
            raise wrong(f"{source} has no code")
        authority = Pubkey(code.data[13:45]) if code.data[12] else None
        image = ProgramImage(target, code.data[_CODE_HEADER_BYTES:], authority)
        add_program(chain.machine, image, chain.slot)
    else:
        chain.machine.set_account(target, program)
    return in_context(chain, None)


def set_program_authority(chain: Chain, parameters: Parameters) -> Any:
    """Another upgrade authority for a program, or none at all."""
    address = program_data_address(parameters.address(0))
    authority = None if parameters.value(1) is None else parameters.address(1)
    code = chain.account(address)
    if code is None or code.owner != UPGRADEABLE_LOADER or len(code.data) < _CODE_HEADER_BYTES:
        raise wrong("no program data account found")
    key = bytes(authority or Pubkey.default())
    data = code.data[:12] + bytes([authority is not None]) + key + code.data[_CODE_HEADER_BYTES:]
    chain.machine.set_account(address, Account(code.lamports, data, code.owner, False, 0))
    return in_context(chain, None)


def write_program(chain: Chain, parameters: Parameters) -> Any:
    """Part of a program's code at an offset; the program is made if there is none."""
    address, part = parameters.address(0), _bytes(parameters.value(1))
    offset = parameters.integer(2, high=_ACCOUNT_BYTES_MAX)
    authority = SYSTEM if parameters.value(3) is None else parameters.address(3)
    held = chain.account(program_data_address(address))
    code = bytearray(b"" if held is None else held.data[_CODE_HEADER_BYTES:])
    if offset + len(part) > _ACCOUNT_BYTES_MAX:
        raise wrong(f"a program has at most {_ACCOUNT_BYTES_MAX} bytes")
    code.extend(bytes(max(offset + len(part) - len(code), 0)))
    code[offset : offset + len(part)] = part
    add_program(chain.machine, ProgramImage(address, bytes(code), authority), chain.slot)
    return in_context(chain, None)


def time_travel(chain: Chain, parameters: Parameters) -> Any:
    """Forward to a Unix time in milliseconds, a slot or an epoch; an hour ahead by default."""
    options = parameters.options(0)
    now = chain.clock.now()
    milliseconds = options.integer("absoluteTimestamp")
    slot, epoch = options.integer("absoluteSlot"), options.integer("absoluteEpoch")
    if epoch is not None:
        slot = epoch * SLOTS_PER_EPOCH
    if slot is not None:
        if slot < chain.slot or slot > _SLOT_MAX:
            raise wrong(f"Cannot travel to past slot: target={slot}, current={chain.slot}")
        begins = chain.block_start(slot)
        seconds = max((begins - now).total_seconds(), 0.0)
    elif milliseconds is not None:
        seconds = milliseconds / 1000 - now.timestamp()
        if seconds < 0 or milliseconds / 1000 > _LAST_MOMENT.timestamp():
            current = int(now.timestamp() * 1000)
            raise wrong(
                f"Cannot travel to past timestamp: target={milliseconds}, current={current}"
            )
    else:
        seconds = 3600.0
    if not isinstance(chain.clock, VirtualClock):
        raise wrong("this ledger's clock is the machine's and cannot be moved")
    chain.clock.sleep(seconds)
    chain.sync()
    return get_epoch_info(chain, Parameters([]))


def pause_clock(chain: Chain, _: Parameters) -> Any:
    """Stand still between transactions; a clock that never runs by itself does so anyway."""
    if isinstance(chain.clock, RunningClock):
        chain.clock.pause()
    return get_epoch_info(chain, Parameters([]))


def resume_clock(chain: Chain, _: Parameters) -> Any:
    if isinstance(chain.clock, RunningClock):
        chain.clock.resume()
    return get_epoch_info(chain, Parameters([]))


def get_local_signatures(chain: Chain, parameters: Parameters) -> Any:
    """The latest transactions with their logs, newest first."""
    limit = parameters.integer(0, _SIGNATURES_DEFAULT)
    records = chain.history.latest(min(limit, _SIGNATURES_MAX))
    listed = [
        {"signature": str(one.signature), "err": one.error, "logs": one.execution.logs}
        for one in records
    ]
    return in_context(chain, listed)


def export_snapshot(chain: Chain, parameters: Parameters) -> Any:
    """Every account by address, or those that the filter's lists keep."""
    wanted = Options(parameters.options(0).get("filter") or {})
    included, excluded = wanted.get("includeAccounts"), wanted.get("excludeAccounts") or []
    shown = {}
    for address, account in chain.machine.accounts:
        text = str(address)
        if text in excluded or (included is not None and text not in included):
            continue
        if wanted.get("includeProgramAccounts") is False and account.executable:
            continue
        shown[text] = {
            "lamports": account.lamports,
            "owner": str(account.owner),
            "executable": account.executable,
            "rentEpoch": 0,
            "data": base64.b64encode(account.data).decode(),
            "parsedData": None,
        }
    return in_context(chain, shown)


def get_surfnet_info(chain: Chain, _: Parameters) -> Any:
    return in_context(chain, {"runbookExecutions": []})


def _bytes(value: Any) -> bytes:
    """Account data: hexadecimal text, or a list of bytes."""
    if isinstance(value, list):
        data = bytes(checked_integer(one, "data", 255) for one in value[: _ACCOUNT_BYTES_MAX + 1])
    elif isinstance(value, str):
        try:
            data = bytes.fromhex(value)
        except ValueError:
            raise wrong("data must be hexadecimal") from None
    else:
        raise wrong("data must be hexadecimal text or a list of bytes")
    if len(data) > _ACCOUNT_BYTES_MAX:
        raise wrong(f"an account has at most {_ACCOUNT_BYTES_MAX} bytes")
    return data


def _optional_key(value: Any) -> bytes:
    """A token account's optional key; the text "null" takes it away."""
    return bytes(36) if value == "null" else struct.pack("<I", 1) + bytes(to_address(value))
