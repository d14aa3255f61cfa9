"""Methods that read SPL token accounts and mints."""

from __future__ import annotations

from typing import Any

from solders.pubkey import Pubkey

from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.encoding import encode_account, token_amount
from harness.ledger.embedded.methods.accounts import in_context
from harness.ledger.embedded.parameters import Parameters, to_address, wrong
from programs.addresses import TOKEN

_MINT_BYTES, _TOKEN_ACCOUNT_BYTES = 82, 165


def get_token_account_balance(chain: Chain, parameters: Parameters) -> Any:
    account = chain.account(parameters.address(0))
    if account is None or len(account.data) < _TOKEN_ACCOUNT_BYTES:
        raise wrong("could not find account")
    data = bytes(account.data)
    mint = chain.machine.get_account(_key(data, 0))
    decimals = 0 if mint is None else bytes(mint.data)[44]
    return in_context(chain, token_amount(int.from_bytes(data[64:72], "little"), decimals))


def get_token_supply(chain: Chain, parameters: Parameters) -> Any:
    account = chain.account(parameters.address(0))
    if account is None or len(account.data) < _MINT_BYTES:
        raise wrong("could not find account")
    data = bytes(account.data)
    return in_context(chain, token_amount(int.from_bytes(data[36:44], "little"), data[44]))


def get_token_accounts_by_owner(chain: Chain, parameters: Parameters) -> Any:
    owner, wanted = parameters.address(0), parameters.options(1)
    options = parameters.options(2)
    program = to_address(wanted.get("programId", str(TOKEN)))
    found = []
    for address, account in chain.accounts_owned_by(program):
        data = bytes(account.data)
        if len(data) < _TOKEN_ACCOUNT_BYTES or _key(data, 32) != owner:
            continue
        if "mint" in wanted and str(_key(data, 0)) != wanted["mint"]:
            continue
        encoded = encode_account(account, options.get("encoding", "binary"))
        found.append({"pubkey": str(address), "account": encoded})
    return in_context(chain, found)


def get_token_largest_accounts(chain: Chain, parameters: Parameters) -> Any:
    mint = parameters.address(0)
    minted = chain.account(mint)
    if minted is None:
        raise wrong("could not find account")
    decimals = bytes(minted.data)[44]
    held = []
    for address, account in chain.accounts_owned_by(minted.owner):
        data = bytes(account.data)
        if len(data) >= _TOKEN_ACCOUNT_BYTES and _key(data, 0) == mint:
            held.append((int.from_bytes(data[64:72], "little"), str(address)))
    largest = sorted(held, reverse=True)[:20]
    return in_context(
        chain, [{"address": text, **token_amount(amount, decimals)} for amount, text in largest]
    )


def _key(data: bytes, at: int) -> Pubkey:
    return Pubkey(data[at : at + 32])
