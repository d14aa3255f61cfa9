"""Methods that read accounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.commitment import Commitment
from harness.ledger.embedded.encoding import ACCOUNT_ENCODINGS, encode_account
from harness.ledger.embedded.methods.context import in_context, reached
from harness.ledger.embedded.parameters import (
    Options,
    Parameters,
    checked_integer,
    decoded,
    to_address,
    wrong,
)

_ACCOUNTS_MAX = 100
_FILTERS_MAX = 4
_COMPARED_BYTES_MAX = 128
_LARGEST_MAX = 20

Filter = Callable[[bytes], bool]


def get_account_info(chain: Chain, parameters: Parameters) -> Any:
    address, options = parameters.address(0), parameters.options(1)
    commitment = reached(chain, options)
    encode = account_encoder(chain, options)
    return in_context(chain, encode(address, chain.account_at(address, commitment)), commitment)


def get_multiple_accounts(chain: Chain, parameters: Parameters) -> Any:
    options = parameters.options(1)
    addresses = [to_address(text) for text in parameters.texts(0, _ACCOUNTS_MAX)]
    commitment = reached(chain, options)
    encode = account_encoder(chain, options, "base64")
    chain.machine.accounts.bring(addresses)
    found = [encode(one, chain.account_at(one, commitment)) for one in addresses]
    return in_context(chain, found, commitment)


def get_balance(chain: Chain, parameters: Parameters) -> Any:
    address = parameters.address(0)
    commitment = reached(chain, parameters.options(1))
    account = chain.account_at(address, commitment)
    return in_context(chain, 0 if account is None else account.lamports, commitment)


def get_minimum_balance_for_rent_exemption(chain: Chain, parameters: Parameters) -> Any:
    parameters.options(1).commitment()
    return chain.machine.minimum_balance_for_rent_exemption(parameters.integer(0, high=2**32))


def get_program_accounts(chain: Chain, parameters: Parameters) -> Any:
    program, options = parameters.address(0), parameters.options(1)
    commitment = reached(chain, options)
    wanted = filters_of(options)
    encode = account_encoder(chain, options)
    found = [
        {"pubkey": str(address), "account": encode(address, account)}
        for address, account in accounts_of(chain, program, commitment)
        if all(one(account.data) for one in wanted)
    ]
    return in_context(chain, found, commitment) if options.flag("withContext") else found


def get_largest_accounts(chain: Chain, parameters: Parameters) -> Any:
    options = parameters.options(0)
    commitment = options.commitment()
    kept = options.choice("filter", ("circulating", "nonCirculating"), "")
    faucet = chain.faucet.pubkey()
    listed = sorted(
        (
            (account.lamports, str(address))
            for address, account in chain.machine.accounts
            if not kept or (address == faucet) == (kept == "nonCirculating")
        ),
        reverse=True,
    )
    largest = [{"lamports": lamports, "address": text} for lamports, text in listed[:_LARGEST_MAX]]
    return in_context(chain, largest, commitment)


def get_supply(chain: Chain, parameters: Parameters) -> Any:
    """Lamports of all accounts; what the faucet holds does not circulate."""
    options = parameters.options(0)
    commitment = options.commitment()
    total = sum(account.lamports for _, account in chain.machine.accounts)
    idle = chain.machine.get_balance(chain.faucet.pubkey())
    listed = [] if options.flag("excludeNonCirculatingAccountsList") else [chain.faucet.pubkey()]
    value = {
        "total": total,
        "circulating": total - idle,
        "nonCirculating": idle,
        "nonCirculatingAccounts": [str(one) for one in listed],
    } | chain.supply
    if not listed:
        value["nonCirculatingAccounts"] = []
    return in_context(chain, value, commitment)


def accounts_of(
    chain: Chain, program: Pubkey, commitment: Commitment
) -> list[tuple[Pubkey, Account]]:
    """A program's accounts as a level shows them."""
    listed = chain.accounts_owned_by(program)
    if not chain.lags.of(commitment):
        return listed
    then = ((address, chain.account_at(address, commitment)) for address, _ in listed)
    return [(address, one) for address, one in then if one is not None and one.owner == program]


def account_encoder(
    chain: Chain, options: Options, default: str = "binary"
) -> Callable[[Pubkey, Account | None], Any]:
    """Encodes accounts as a call's options say."""
    encoding = options.choice("encoding", ACCOUNT_ENCODINGS, default)
    part = options.data_slice()
    accounts = chain.machine.accounts
    return lambda address, account: encode_account(accounts, address, account, encoding, part)


def filters_of(options: Options) -> list[Filter]:
    """The filters of a program's accounts that a call asks for."""
    listed = options.get("filters")
    if listed is None:
        return []
    if not isinstance(listed, list):
        raise wrong("invalid type: filters must be a list")
    if len(listed) > _FILTERS_MAX:
        raise wrong(f"Too many filters provided; max {_FILTERS_MAX}")
    return [_filter(one) for one in listed]


def _filter(one: Any) -> Filter:
    if isinstance(one, dict) and "dataSize" in one:
        size = checked_integer(one["dataSize"], "dataSize")
        return lambda data: len(data) == size
    if isinstance(one, dict) and isinstance(one.get("memcmp"), dict):
        compare = one["memcmp"]
        offset = checked_integer(compare.get("offset"), "memcmp.offset")
        wanted = _compared(compare.get("bytes"), compare.get("encoding") or "base58")
        return lambda data: data[offset : offset + len(wanted)] == wanted
    if one == "tokenAccountState" or (isinstance(one, dict) and "tokenAccountState" in one):
        return lambda data: len(data) == 165 or (len(data) > 165 and data[165] == 2)
    raise wrong("a filter is dataSize, memcmp or tokenAccountState")


def _compared(text: Any, encoding: str) -> bytes:
    if isinstance(text, list):
        wanted = bytes(checked_integer(one, "memcmp.bytes", 255) for one in text)
    elif isinstance(text, str) and encoding in ("base58", "base64"):
        if len(text) > 2 * _COMPARED_BYTES_MAX:
            raise wrong("encoded binary data should be less than 128 bytes")
        wanted = decoded(text, encoding)
    else:
        raise wrong("memcmp takes bytes in base58 or base64")
    if len(wanted) > _COMPARED_BYTES_MAX:
        raise wrong("encoded binary data should be less than 128 bytes")
    return wanted
