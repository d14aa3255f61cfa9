"""Methods that read accounts."""

from __future__ import annotations

import base64
from typing import Any

from based58 import b58decode
from solders.account import Account

from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.encoding import encode_account
from harness.ledger.embedded.parameters import Parameters, to_address, wrong

_ACCOUNTS_MAX = 100
_FILTERS_MAX = 4


def in_context(chain: Chain, value: Any) -> dict[str, Any]:
    """A value with the slot at which it is true."""
    return {"context": {"slot": chain.slot, "apiVersion": "3.1.12"}, "value": value}


def get_account_info(chain: Chain, parameters: Parameters) -> Any:
    options = parameters.options(1)
    account = chain.account(parameters.address(0))
    return in_context(chain, _encoded(account, options))


def get_multiple_accounts(chain: Chain, parameters: Parameters) -> Any:
    options = parameters.options(1)
    addresses = [to_address(text) for text in parameters.texts(0, _ACCOUNTS_MAX)]
    return in_context(chain, [_encoded(chain.account(one), options) for one in addresses])


def get_balance(chain: Chain, parameters: Parameters) -> Any:
    return in_context(chain, chain.machine.get_balance(parameters.address(0)) or 0)


def get_minimum_balance_for_rent_exemption(chain: Chain, parameters: Parameters) -> Any:
    return chain.machine.minimum_balance_for_rent_exemption(parameters.integer(0, high=2**32))


def get_program_accounts(chain: Chain, parameters: Parameters) -> Any:
    options = parameters.options(1)
    filters = options.get("filters") or []
    if not isinstance(filters, list) or len(filters) > _FILTERS_MAX:
        raise wrong(f"Too many filters provided; max {_FILTERS_MAX}")
    found = [
        {"pubkey": str(address), "account": _encoded(account, options)}
        for address, account in chain.accounts_owned_by(parameters.address(0))
        if all(_matches(account, one) for one in filters)
    ]
    return in_context(chain, found) if options.get("withContext") else found


def _encoded(account: Account | None, options: dict[str, Any]) -> Any:
    return encode_account(account, options.get("encoding", "binary"), options.get("dataSlice"))


def _matches(account: Account, one: Any) -> bool:
    data = bytes(account.data)
    if isinstance(one, dict) and "dataSize" in one:
        return len(data) == one["dataSize"]
    if isinstance(one, dict) and "memcmp" in one:
        compare = one["memcmp"]
        text = compare["bytes"]
        encoding = compare.get("encoding", "base58")
        wanted = base64.b64decode(text) if encoding == "base64" else b58decode(text.encode())
        offset = compare["offset"]
        return data[offset : offset + len(wanted)] == wanted
    raise wrong("a filter is either dataSize or memcmp")
