"""The runtime's rules around a transaction: who may run, what it costs, what has to hold after.

LiteSVM runs the programs. What a cluster does before and after, and LiteSVM of this version does
not, is here: priority fees, rent of accounts without data, limits on accounts and on loaded bytes,
durable nonces, fees of transactions that could not be loaded, programs that are closed.
Source: agave's svm crate (account_loader.rs, rent_calculator.rs, transaction_processor.rs).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from solders.account import Account
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from harness.ledger.embedded.bank import Bank
from harness.ledger.embedded.message import (
    ACCOUNT_LOCKS_MAX,
    INSTRUCTIONS_MAX,
    MessageAccounts,
    accounts_of,
)
from harness.ledger.embedded.nonces import (
    NONCE_ACCOUNT_BYTES,
    Nonce,
    advanced,
    durable_nonce,
    holds,
    is_nonce,
)
from harness.ledger.embedded.record import Execution
from harness.ledger.fees import LOADED_BYTES_MAX, Budget, budget_of
from programs.addresses import SYSTEM, UPGRADEABLE_LOADER, program_data_address

#: Errors of transactions that pay although nothing of them could be run.
_FEES_ONLY = ("ProgramAccountNotFound", "InvalidProgramForExecution")
_PROGRAM_ACCOUNT_BYTES = 36


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of running a transaction. Not `charged`: it never gets onto the ledger."""

    error: Any
    execution: Execution | None
    charged: bool
    after: dict[Pubkey, Account]  # of a simulation: what the writable accounts would become


class Runtime:
    """Runs transactions on a bank under a cluster's rules."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    def run(
        self,
        transaction: VersionedTransaction,
        accounts: MessageAccounts,
        *,
        blockhash: Hash,
        nonce: Nonce | None,
        keep_failure: bool,
    ) -> Outcome:
        """Run a transaction for good. A failure is charged and kept only with `keep_failure`;
        otherwise everything is as before, as after a failed preflight."""
        budget = budget_of(transaction.message)
        payer = accounts.addresses[0]
        refusal = self._refusal(transaction, accounts, budget)
        if refusal is not None:
            return Outcome(refusal, None, False, {})
        self._lay_out(accounts)
        error = self._loading_error(transaction, accounts, budget)
        execution: Execution | None = None
        after: dict[Pubkey, Account] = {}
        if error is None:
            error, execution, after = self._execute(transaction, accounts, budget)
            if error is not None and execution is None:
                return Outcome(error, None, False, {})
        if error is None:
            self._keep(after, transaction.message.recent_blockhash, blockhash)
            return Outcome(None, execution, True, after)
        if not keep_failure:
            return Outcome(error, execution, False, {})
        self._charge(payer, budget.fee_lamports)
        if nonce is not None:
            stamped = self._bank.accounts.get(nonce.address) or nonce.account
            self._bank.set_account(nonce.address, advanced(stamped, durable_nonce(blockhash)))
        return Outcome(error, execution, True, {})

    def simulate(self, transaction: VersionedTransaction) -> Outcome:
        """What `run` would do, without doing it."""
        accounts = accounts_of(transaction.message, self._bank.accounts)
        budget = budget_of(transaction.message)
        refusal = self._refusal(transaction, accounts, budget)
        if refusal is not None:
            return Outcome(refusal, None, False, {})
        self._lay_out(accounts)
        error = self._loading_error(transaction, accounts, budget)
        if error is not None:
            return Outcome(error, None, True, {})
        error, execution, after = self._execute(transaction, accounts, budget)
        return Outcome(error, execution, execution is not None, after)

    # -- before ---------------------------------------------------------------------------------

    def _refusal(
        self, transaction: VersionedTransaction, accounts: MessageAccounts, budget: Budget
    ) -> str | None:
        """Why a leader would not even charge for it."""
        if len(transaction.message.instructions) > INSTRUCTIONS_MAX:
            return "SanitizeFailure"
        if len(accounts.addresses) > ACCOUNT_LOCKS_MAX:
            return "TooManyAccountLocks"
        if not accounts.tables and len(set(accounts.addresses)) < len(accounts.addresses):
            return "AccountLoadedTwice"
        return self._payer_error(accounts.addresses[0], budget)

    def _payer_error(self, address: Pubkey, budget: Budget) -> str | None:
        payer = self._bank.accounts.get(address)
        if payer is None:
            return "AccountNotFound"
        if payer.owner != SYSTEM or not (len(payer.data) == 0 or is_nonce(payer)):
            return "InvalidAccountForFee"
        least = self._rent(NONCE_ACCOUNT_BYTES) if len(payer.data) else 0
        if payer.lamports < budget.fee_lamports + least:
            return "InsufficientFundsForFee"
        return None

    def _lay_out(self, accounts: MessageAccounts) -> None:
        self._bank.lay_out([*accounts.addresses, *accounts.tables])

    def _loading_error(
        self, transaction: VersionedTransaction, accounts: MessageAccounts, budget: Budget
    ) -> str | None:
        """Why its accounts cannot be loaded, which costs the fee all the same."""
        known = self._bank.accounts
        for one in transaction.message.instructions:
            if known.get(accounts.addresses[one.program_id_index]) is None:
                return "ProgramAccountNotFound"
        if budget.loaded_bytes_max is not None:
            most = min(budget.loaded_bytes_max, LOADED_BYTES_MAX)
            if self.loaded_bytes(accounts) > most:
                return "MaxLoadedAccountsDataSizeExceeded"
        return None

    def loaded_bytes(self, accounts: MessageAccounts) -> int:
        """Bytes of account data that a transaction loads, its programs' code included."""
        total, counted = 0, set(accounts.addresses)
        for address in accounts.addresses:
            account = self._bank.accounts.get(address)
            if account is None:
                continue
            total += len(account.data)
            if account.owner == UPGRADEABLE_LOADER and len(account.data) == _PROGRAM_ACCOUNT_BYTES:
                code_address = program_data_address(address)
                code = self._bank.accounts.get(code_address)
                if code is not None and code_address not in counted:
                    counted.add(code_address)
                    total += len(code.data)
        return total

    # -- running --------------------------------------------------------------------------------

    def _execute(
        self, transaction: VersionedTransaction, accounts: MessageAccounts, budget: Budget
    ) -> tuple[Any, Execution | None, dict[Pubkey, Account]]:
        """Run on the machine and put the machine back. Error, execution and, if all went well,
        what the writable accounts became. No execution: it could not be loaded."""
        payer = accounts.addresses[0]
        if budget.priority_fee_lamports:
            self._bank.debit(payer, budget.priority_fee_lamports)
        result = self._bank.simulate(transaction)
        if budget.priority_fee_lamports:
            self._bank.restore([payer])
        if result is None:
            return "ProgramCacheHitMaxLimit", None, {}
        if isinstance(result, FailedTransactionMetadata):
            error = json.loads(result.to_json())["err"]
            execution = Execution.from_meta(result.meta())
            ran = isinstance(error, dict) and "DuplicateInstruction" not in error
            return error, execution if ran or error in _FEES_ONLY else None, {}
        after = dict(result.post_accounts())
        execution = Execution.from_meta(result.meta())
        error = self._rent_error(accounts, after)
        return error, execution, {} if error is not None else after

    def _rent_error(self, accounts: MessageAccounts, after: dict[Pubkey, Account]) -> Any:
        """Every account ends rent-exempt or empty, or was below before and did not grow."""
        for index, address in enumerate(accounts.addresses):
            account = after.get(address)
            if account is None or account.lamports == 0:
                continue
            size = len(account.data)
            if account.lamports >= self._rent(size):
                continue
            before = self._bank.accounts.get(address)
            allowed = (
                before is not None
                and 0 < before.lamports < self._rent(len(before.data))
                and len(before.data) == size
                and account.lamports <= before.lamports
            )
            if not allowed:
                return {"InsufficientFundsForRent": {"account_index": index}}
        return None

    def _rent(self, size: int) -> int:
        return self._bank.minimum_balance_for_rent_exemption(size)

    # -- after ----------------------------------------------------------------------------------

    def _keep(self, after: dict[Pubkey, Account], used: Hash, blockhash: Hash) -> None:
        """Enter what the accounts became. The machine gives a nonce that is stamped a value made
        of the transaction's own blockhash; a cluster makes it of the block's."""
        known = self._bank.accounts
        own_value, block_value = durable_nonce(used), durable_nonce(blockhash)
        for address, account in after.items():
            kept = advanced(account, block_value) if holds(account, own_value) else account
            if known.get(address) != kept:
                self._bank.set_account(address, kept)

    def _charge(self, payer: Pubkey, lamports: int) -> None:
        account = self._bank.accounts.get(payer)
        assert account is not None
        assert account.lamports >= lamports
        self._bank.set_account(
            payer,
            Account(account.lamports - lamports, account.data, account.owner, False, 0),
        )
