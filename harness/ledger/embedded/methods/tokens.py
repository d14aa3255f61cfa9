"""Methods that read SPL token accounts and mints, of both token programs."""

from __future__ import annotations

from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from harness.ledger.embedded.amounts import token_amount
from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.encoding import decimals_of
from harness.ledger.embedded.machine import TOKEN_2022
from harness.ledger.embedded.methods.accounts import account_encoder, accounts_of
from harness.ledger.embedded.methods.context import in_context, reached
from harness.ledger.embedded.parameters import Parameters, to_address, wrong
from programs.addresses import TOKEN

_MINT_BYTES, _TOKEN_ACCOUNT_BYTES = 82, 165
_PROGRAMS = (TOKEN, TOKEN_2022)
_LARGEST_MAX = 20
_MINT, _OWNER, _DELEGATE = slice(0, 32), slice(32, 64), slice(76, 108)


def get_token_account_balance(chain: Chain, parameters: Parameters) -> Any:
    address = parameters.address(0)
    commitment = reached(chain, parameters.options(1))
    account = chain.account_at(address, commitment)
    if account is None:
        raise wrong("could not find account")
    if not _is_token_account(account):
        raise wrong("not a Token account")
    data = account.data
    decimals = decimals_of(chain.machine.accounts, Pubkey(data[_MINT]))
    if decimals is None:
        raise wrong("could not find mint")
    amount = token_amount(int.from_bytes(data[64:72], "little"), decimals)
    return in_context(chain, amount, commitment)


def get_token_supply(chain: Chain, parameters: Parameters) -> Any:
    address = parameters.address(0)
    commitment = reached(chain, parameters.options(1))
    data = _mint(chain.account_at(address, commitment)).data
    supply = token_amount(int.from_bytes(data[36:44], "little"), data[44])
    return in_context(chain, supply, commitment)


def get_token_accounts_by_owner(chain: Chain, parameters: Parameters) -> Any:
    return _token_accounts(chain, parameters, _OWNER)


def get_token_accounts_by_delegate(chain: Chain, parameters: Parameters) -> Any:
    return _token_accounts(chain, parameters, _DELEGATE)


def get_token_largest_accounts(chain: Chain, parameters: Parameters) -> Any:
    mint = parameters.address(0)
    commitment = reached(chain, parameters.options(1))
    minted = _mint(chain.account_at(mint, commitment))
    decimals, key = minted.data[44], bytes(mint)
    held = [
        (int.from_bytes(account.data[64:72], "little"), str(address))
        for address, account in accounts_of(chain, minted.owner, commitment)
        if _is_token_account(account) and account.data[_MINT] == key
    ]
    largest = [
        {"address": text, **token_amount(amount, decimals)}
        for amount, text in sorted(held, reverse=True)[:_LARGEST_MAX]
    ]
    return in_context(chain, largest, commitment)


def _token_accounts(chain: Chain, parameters: Parameters, field: slice) -> Any:
    """Token accounts whose owner or delegate, the key at `field`, is the one asked for."""
    whose, wanted = bytes(parameters.address(0)), parameters.options(1)
    options = parameters.options(2)
    commitment = reached(chain, options)
    encode = account_encoder(chain, options)
    mint: bytes | None = None
    if wanted.get("mint") is not None:
        address = to_address(wanted.get("mint"))
        mint = bytes(address)
        program = _mint(chain.account_at(address, commitment)).owner
    elif wanted.get("programId") is not None:
        program = to_address(wanted.get("programId"))
        if program not in _PROGRAMS:
            raise wrong("unrecognized Token program id")
    else:
        raise wrong("either mint or programId is needed")
    found = []
    for address, account in accounts_of(chain, program, commitment):
        data = account.data
        if len(data) < _TOKEN_ACCOUNT_BYTES or data[field] != whose:
            continue
        if field is _DELEGATE and not any(data[72:76]):
            continue
        if _is_token_account(account) and (mint is None or data[_MINT] == mint):
            found.append({"pubkey": str(address), "account": encode(address, account)})
    return in_context(chain, found, commitment)


def _is_token_account(account: Account) -> bool:
    if account.owner not in _PROGRAMS:
        return False
    data = account.data
    size = len(data)
    return size == _TOKEN_ACCOUNT_BYTES or (size > _TOKEN_ACCOUNT_BYTES and data[165] == 2)


def _mint(account: Account | None) -> Account:
    if account is None:
        raise wrong("could not find mint")
    if account.owner not in _PROGRAMS or len(account.data) < _MINT_BYTES:
        raise wrong("not a Token mint")
    return account
