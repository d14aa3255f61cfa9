"""The network as a whole, under the names that Surfpool gave this: its supply, its beginning,
accounts that follow another cluster, and programs' interfaces.

Source: Surfpool, crates/core/src/rpc/surfnet_cheatcodes.rs; its JSON-RPC documentation.
"""

from __future__ import annotations

import json
from typing import Any

from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.methods.context import in_context
from harness.ledger.embedded.parameters import (
    Options,
    Parameters,
    checked_texts,
    to_address,
    wrong,
)

_SUPPLY_ACCOUNTS_MAX = 1000
_STREAMED_MAX = 1000
_IDL_BYTES_MAX = 2**20
_IDLS_MAX = 100


def set_supply(chain: Chain, parameters: Parameters) -> Any:
    """What `getSupply` says from now on, field by field."""
    update = parameters.options(0)
    told: dict[str, Any] = {
        "total": update.integer("total"),
        "circulating": update.integer("circulating"),
        "nonCirculating": update.integer("non_circulating"),
    }
    listed = update.get("non_circulating_accounts")
    if listed is not None:
        texts = checked_texts(listed, "non_circulating_accounts", _SUPPLY_ACCOUNTS_MAX)
        told["nonCirculatingAccounts"] = [str(to_address(one)) for one in texts]
    chain.supply |= {name: value for name, value in told.items() if value is not None}
    return in_context(chain, None)


def reset_network(chain: Chain, _: Parameters) -> Any:
    """Accounts as they were when this ledger was opened. Time and history stay as they are."""
    present = [address for address, _ in chain.machine.accounts]
    for address in dict.fromkeys([*present, *chain.opened]):
        chain.reset_account(address)
    chain.machine.accounts.ask_again()
    chain.machine.clear()
    return in_context(chain, None)


def stream_account(chain: Chain, parameters: Parameters) -> Any:
    """From now on fetch an account anew from the fork's source each time it is needed."""
    _stream(chain, parameters.text(0), parameters.options(1))
    return in_context(chain, None)


def stream_accounts(chain: Chain, parameters: Parameters) -> Any:
    listed = parameters.value(0)
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise wrong("parameter 1 must be a list of objects")
    for one in listed:
        _stream(chain, one.get("pubkey"), Options(one))
    return in_context(chain, None)


def get_streamed_accounts(chain: Chain, _: Parameters) -> Any:
    listed = [
        {"pubkey": str(address), "includeOwnedAccounts": owned}
        for address, owned in chain.machine.accounts.streamed.items()
    ]
    return in_context(chain, {"accounts": listed})


def offline_account(chain: Chain, parameters: Parameters) -> Any:
    """Never ask the fork's source for this account again; what is here stays."""
    address, accounts = parameters.address(0), chain.machine.accounts
    pinned = [address]
    if parameters.options(1).flag("includeOwnedAccounts"):
        pinned += [one for one, _ in chain.accounts_owned_by(address)]
    for one in pinned:
        accounts.pin(one)
    return in_context(chain, None)


def register_idl(chain: Chain, parameters: Parameters) -> Any:
    """A program's interface from a slot on, the present one by default."""
    idl = parameters.options(0).fields
    program, slot = to_address(idl.get("address")), parameters.integer(1, chain.slot)
    if len(json.dumps(idl)) > _IDL_BYTES_MAX:
        raise wrong(f"an IDL has at most {_IDL_BYTES_MAX} bytes")
    versions = chain.idls.setdefault(program, {})
    versions[slot] = idl
    if len(versions) > _IDLS_MAX or len(chain.idls) > _IDLS_MAX:
        versions.pop(slot)
        raise wrong(f"at most {_IDLS_MAX} programs and {_IDLS_MAX} IDLs of each")
    return in_context(chain, None)


def get_active_idl(chain: Chain, parameters: Parameters) -> Any:
    """The interface that a program had in a slot, the present one by default; None without."""
    versions = chain.idls.get(parameters.address(0), {})
    slot = parameters.integer(1, chain.slot)
    known = [one for one in versions if one <= slot]
    return in_context(chain, versions[max(known)] if known else None)


def _stream(chain: Chain, address: Any, options: Options) -> None:
    streamed = chain.machine.accounts.streamed
    key = to_address(address)
    if key not in streamed and len(streamed) >= _STREAMED_MAX:
        raise wrong(f"at most {_STREAMED_MAX} accounts are streamed")
    streamed[key] = options.flag("includeOwnedAccounts")
