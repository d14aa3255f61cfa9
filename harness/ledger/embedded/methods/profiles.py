"""Trying a transaction and keeping what it showed, under the names that Surfpool gave this.

Source: Surfpool, crates/core/src/rpc/surfnet_cheatcodes.rs and crates/types/src/types.rs.
"""

from __future__ import annotations

from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.encoding import ACCOUNT_ENCODINGS, encode_account
from harness.ledger.embedded.message import accounts_of
from harness.ledger.embedded.methods.context import in_context
from harness.ledger.embedded.parameters import Options, Parameters, wrong
from harness.ledger.embedded.profile import Profile
from harness.ledger.embedded.record import Execution
from harness.ledger.embedded.rpc_error import describe

_TAG_CHARACTERS_MAX = 256


def profile_transaction(chain: Chain, parameters: Parameters) -> Any:
    """Try a transaction in base64, without effect; neither signatures nor blockhash are looked at.
    The profile is kept under a key, and under a tag if one is given."""
    transaction, tag = parameters.transaction(0, "base64"), None
    if parameters.value(1) is not None:
        tag = _tag(parameters, 1)
    encoding = _encoding(parameters.options(2))
    outcome = chain.simulate(transaction, verify=False)
    accounts = accounts_of(transaction.message, chain.machine.accounts)
    writable = accounts.writable_addresses
    before = {one: chain.account(one) for one in writable}
    after = {one: outcome.after.get(one, before[one]) for one in writable}
    held = {one: chain.account(one) for one in accounts.addresses if one not in before}
    profile = Profile(
        chain.profiles.next_key(),
        chain.slot,
        before,
        {one: account if account and account.lamports else None for one, account in after.items()},
        {one: account for one, account in held.items() if account is not None},
        outcome.error,
        outcome.execution or Execution(),
    )
    chain.profiles.add(profile, tag)
    return in_context(chain, _shown(chain, profile, encoding))


def get_transaction_profile(chain: Chain, parameters: Parameters) -> Any:
    """The profile of a key; None for any other, signatures of transactions that landed included."""
    profile, encoding = chain.profiles.get(parameters.text(0)), _encoding(parameters.options(1))
    return in_context(chain, None if profile is None else _shown(chain, profile, encoding))


def get_profile_results_by_tag(chain: Chain, parameters: Parameters) -> Any:
    """The profiles of a tag, oldest first; None if there are none."""
    found, encoding = chain.profiles.tagged(_tag(parameters, 0)), _encoding(parameters.options(1))
    return in_context(chain, [_shown(chain, one, encoding) for one in found] or None)


def _tag(parameters: Parameters, index: int) -> str:
    tag = parameters.text(index)
    if len(tag) > _TAG_CHARACTERS_MAX:
        raise wrong(f"a tag has at most {_TAG_CHARACTERS_MAX} characters")
    return tag


def _encoding(options: Options) -> str:
    options.choice("depth", ("transaction", "instruction"), "transaction")
    return options.choice("encoding", ACCOUNT_ENCODINGS, "jsonParsed")


def _shown(chain: Chain, profile: Profile, encoding: str) -> dict[str, Any]:
    def encoded(address: Pubkey, account: Account | None) -> Any:
        return encode_account(chain.machine.accounts, address, account, encoding)

    states: dict[str, Any] = {str(one): {"type": "readonly"} for one in profile.readonly}
    for address, before in profile.before.items():
        after = profile.after[address]
        kind, data = "unchanged", encoded(address, before)
        if before is None and after is not None:
            kind, data = "create", encoded(address, after)
        elif before is not None and after is None:
            kind = "delete"
        elif before != after:
            kind, data = "update", [data, encoded(address, after)]
        states[str(address)] = {"type": "writable", "accountChange": {"type": kind, "data": data}}
    return {
        "slot": profile.slot,
        "key": profile.key,
        "transactionProfile": {
            "accountStates": states,
            "computeUnitsConsumed": profile.execution.compute_units,
            "logMessages": list(profile.execution.logs),
            "errorMessage": None if profile.error is None else describe(profile.error),
        },
        "readonlyAccountStates": {
            str(address): encoded(address, account) for address, account in profile.readonly.items()
        },
    }
