"""The chain: slots, blockhashes, history, and the one place where transactions are run.

Picture a station clock and a ledger book beside it. The clock shows the testbed's time; every 400
milliseconds of it is a slot. A transaction that is run lands in the present slot and pushes the
clock to the next, so each has a slot of its own. The book keeps what happened. Nothing is random
and nothing looks at the machine's time: same transactions, same book.

The chain has one owner at a time: callers hold `lock`.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from harness.clock import Clock, VirtualClock
from harness.ledger.embedded.accounts import Source
from harness.ledger.embedded.bank import RECENT_BLOCKHASHES_SYSVAR, Bank
from harness.ledger.embedded.commitment import Commitment, Lags, Past
from harness.ledger.embedded.history import History
from harness.ledger.embedded.machine import TOKEN_2022, add_program, add_wallet
from harness.ledger.embedded.message import MessageAccounts, accounts_of
from harness.ledger.embedded.nonces import Nonce, durable_nonce, nonce_of
from harness.ledger.embedded.profile import Profiles
from harness.ledger.embedded.record import (
    Execution,
    Refused,
    TokenBalance,
    TransactionRecord,
)
from harness.ledger.embedded.runtime import Outcome, Runtime
from harness.ledger.fees import budget_of
from harness.ledger.protocol import ProgramImage
from programs.addresses import CLOCK_SYSVAR, SLOT_HASHES_SYSVAR, TOKEN

#: When a ledger's time begins: the guide's machine goes live the day before.
START = datetime(2026, 1, 2, tzinfo=UTC)

SLOT_SECONDS = 0.4
FIRST_SLOT = 1
BLOCKHASH_SLOTS_MAX = 150
SLOTS_PER_EPOCH = 432_000
PACKET_BYTES_MAX = 1232

NO_LAGS = Lags()
FAUCET_LAMPORTS = 500_000_000 * 10**9
_SLOT_HASHES = 512
_LOOKUP_TABLES = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
_TOKEN_PROGRAMS = (TOKEN, TOKEN_2022)
_TOKEN_ACCOUNT_BYTES = 165
_MINT_DECIMALS_AT = 44

Listener = Callable[[TransactionRecord], None]
SlotListener = Callable[[int], None]


@lru_cache(maxsize=2048)
def slot_hash(slot: int) -> Hash:
    """The blockhash of a slot; it follows from the slot alone, so that runs repeat."""
    return Hash(hashlib.sha256(f"embedded ledger: block {slot}".encode()).digest())


@lru_cache(maxsize=2048)
def _packed_slot_hash(slot: int) -> bytes:
    return slot.to_bytes(8, "little") + bytes(slot_hash(slot))


class Chain:
    """One embedded ledger's state and history."""

    def __init__(
        self,
        clock: Clock,
        programs: Iterable[ProgramImage] = (),
        source: Source | None = None,
        lags: Lags = NO_LAGS,
        cheats: bool = True,
    ) -> None:
        """`source` is where accounts come from that are not here; `cheats` lets the surfnet_*
        methods answer."""
        self.clock = clock
        self.lock = threading.RLock()
        self.machine = Bank(source)
        self.history = History()
        self.lags = lags
        self.cheats = cheats
        self._past = Past(lags.finalized_slots)
        self.transactions_seen = 0
        self.listeners: list[Listener] = []
        self.slot_listeners: list[SlotListener] = []
        self._told_slot = 0
        self.faucet = Keypair.from_seed(hashlib.sha256(b"embedded ledger: faucet").digest())
        self.slot = 0
        self.airdrops = 0
        self.profiles = Profiles()
        #: What getSupply is to say instead of what is so; by field.
        self.supply: dict[str, Any] = {}
        #: Programs' interfaces, each by the slot from which on it holds.
        self.idls: dict[Pubkey, dict[int, Any]] = {}
        self.rpc_address: str | None = None
        self.epoch_start = clock.now()
        self._runtime = Runtime(self.machine)
        self._clock_slot = self._hashes_slot = self._blockhashes_slot = -1
        add_wallet(self.machine, self.faucet.pubkey(), FAUCET_LAMPORTS)
        for image in programs:
            add_program(self.machine, image, slot=0)
        self.sync()
        self.opened: dict[Pubkey, Account] = {}
        self.open()

    def close(self) -> None:
        """The end: of the archive, and of the machine, whoever still holds on to this chain."""
        self.history.close()
        self.machine.close()

    def open(self) -> None:
        """Let the accounts that are there now be those that a reset goes back to."""
        self.opened = dict(self.machine.accounts)

    def reset_account(self, address: Pubkey) -> None:
        """An account as it was on opening; one that was not there is gone, or fetched again."""
        before = self.opened.get(address)
        if self.machine.accounts.get(address) != before:
            self.machine.set_account(address, before)
        if address not in self.opened:
            self.machine.accounts.forget(address)

    # -- time -----------------------------------------------------------------------------------

    def sync(self) -> None:
        """Bring the slot to the clock's time."""
        elapsed = self.clock.now() - self.epoch_start
        self.slot = max(self.slot, FIRST_SLOT + elapsed // timedelta(seconds=SLOT_SECONDS))

    def block_time(self, slot: int) -> int:
        """Unix time of a slot."""
        return int(self.block_start(slot).timestamp())

    def block_start(self, slot: int) -> datetime:
        """When a slot begins."""
        return self.epoch_start + timedelta(seconds=(slot - FIRST_SLOT) * SLOT_SECONDS)

    def blockhash(self, slot: int) -> Hash:
        return slot_hash(slot)

    def latest_blockhash(self, lag_slots: int = 0) -> tuple[Hash, int]:
        """The present blockhash, or an older one, and the last block height at which it is good."""
        self.sync()
        slot = max(self.slot - lag_slots, 0)
        return slot_hash(slot), slot + BLOCKHASH_SLOTS_MAX

    def is_blockhash_valid(self, blockhash: Hash) -> bool:
        """Whether a transaction with this blockhash can land now."""
        self.sync()
        oldest = max(self.slot - BLOCKHASH_SLOTS_MAX, 0)
        return any(slot_hash(slot) == blockhash for slot in range(self.slot, oldest - 1, -1))

    def _set_sysvars(self, mentioned: Iterable[Pubkey]) -> None:
        """Bring the sysvars to the present slot: the clock always, the long ones when used."""
        slot = self.slot
        if self._clock_slot != slot:
            self._clock_slot = slot
            clock = self.machine.get_clock()
            clock.slot = slot
            clock.epoch = slot // SLOTS_PER_EPOCH
            clock.leader_schedule_epoch = clock.epoch + 1
            clock.unix_timestamp = self.block_time(slot)
            clock.epoch_start_timestamp = self.block_time(clock.epoch * SLOTS_PER_EPOCH)
            self.machine.set_clock(clock)
        used = set(mentioned)
        # A table is derived from a slot that is over, which getSlot names on a cluster. Here it
        # names the present one, so for tables that one counts as over.
        newest = slot if _LOOKUP_TABLES in used else slot - 1
        if self._hashes_slot != newest and (SLOT_HASHES_SYSVAR in used or newest == slot):
            self._hashes_slot = newest
            oldest = max(newest + 1 - _SLOT_HASHES, 0)
            past = range(newest, oldest - 1, -1)
            self.machine.set_slot_hashes([_packed_slot_hash(one) for one in past])
        if self._blockhashes_slot != slot and RECENT_BLOCKHASHES_SYSVAR in used:
            self._blockhashes_slot = slot
            oldest = max(slot - BLOCKHASH_SLOTS_MAX, 0)
            past = range(slot, oldest - 1, -1)
            self.machine.set_recent_blockhashes([slot_hash(one) for one in past][:150])

    # -- accounts -------------------------------------------------------------------------------

    def account(self, address: Pubkey) -> Account | None:
        """An account, or None if there is none (a closed one has no lamports)."""
        if address in (CLOCK_SYSVAR, SLOT_HASHES_SYSVAR, RECENT_BLOCKHASHES_SYSVAR):
            self._set_sysvars([address])
        self.machine.follow([address])
        return self.machine.get_account(address)

    def account_at(self, address: Pubkey, commitment: Commitment) -> Account | None:
        """An account as this level shows it."""
        account = self.account(address)
        if not self.lags.finalized_slots:
            return account
        return self._past.account(address, self.slot_at(commitment), account)

    def slot_at(self, commitment: Commitment) -> int:
        """The slot that this level has reached."""
        return max(self.slot - self.lags.of(commitment), 0)

    def accounts_owned_by(self, program: Pubkey) -> list[tuple[Pubkey, Account]]:
        """Every account of a program, in order of appearance, as the newest slot has them."""
        return self.machine.accounts.owned_by(program)

    # -- transactions ---------------------------------------------------------------------------

    def process(
        self, transaction: VersionedTransaction, *, preflight: bool = False
    ) -> TransactionRecord | Refused:
        """Run a transaction and write it down.

        With `preflight` a failing transaction is refused and leaves no trace, as on a cluster,
        where it is simulated first. It is not run twice here.
        """
        self.sync()
        accounts = accounts_of(transaction.message, self.machine.accounts)
        refusal, nonce = self._check(transaction, accounts)
        if refusal is not None:
            return Refused(refusal)
        self._set_sysvars((*accounts.addresses, *((_LOOKUP_TABLES,) if accounts.tables else ())))
        programs = {
            accounts.addresses[one.program_id_index] for one in transaction.message.instructions
        }
        self.machine.accounts.bring([*accounts.addresses, *accounts.tables])
        self.machine.follow(accounts.addresses)
        before = self._balances(accounts)
        before_tokens = self._token_balances(accounts, programs)
        if self.lags.finalized_slots:
            known = self.machine.accounts
            self._past.keep(self.slot, {one: known.get(one) for one in accounts.writable_addresses})
        outcome = self._runtime.run(
            transaction,
            accounts,
            blockhash=slot_hash(self.slot),
            nonce=nonce,
            keep_failure=not preflight,
        )
        if not outcome.charged:
            return Refused(outcome.error, outcome.execution)
        record = TransactionRecord(
            signature=transaction.signatures[0],
            transaction=transaction,
            slot=self.slot,
            block_time=self.block_time(self.slot),
            error=outcome.error,
            fee_lamports=budget_of(transaction.message).fee_lamports,
            accounts=accounts.addresses,
            loaded_writable=accounts.loaded_writable,
            loaded_readonly=accounts.loaded_readonly,
            before_lamports=before,
            after_lamports=self._balances(accounts),
            before_tokens=before_tokens,
            after_tokens=self._token_balances(accounts, programs),
            execution=outcome.execution or Execution(),
        )
        self._write_down(record)
        return record

    def simulate(self, transaction: VersionedTransaction, *, verify: bool) -> Outcome:
        """Run a transaction without effect. Its blockhash is not looked at."""
        self.sync()
        if verify and not all(transaction.verify_with_results()):
            return Outcome("SignatureFailure", None, False, {})
        accounts = accounts_of(transaction.message, self.machine.accounts)
        self._set_sysvars((*accounts.addresses, *((_LOOKUP_TABLES,) if accounts.tables else ())))
        self.machine.follow(accounts.addresses)
        return self._runtime.simulate(transaction)

    def can_land(self, message: Message | MessageV0) -> bool:
        """Whether its blockhash or its nonce is good now."""
        return self._age(message, accounts_of(message, self.machine.accounts)) is not None

    def loaded_bytes(self, transaction: VersionedTransaction) -> int:
        """Bytes of account data that a transaction loads."""
        accounts = accounts_of(transaction.message, self.machine.accounts)
        return self._runtime.loaded_bytes(accounts)

    def least_price(self, slot: int, written: set[str]) -> int:
        """The least price per unit, in micro-lamports, that a slot's transactions paid which wrote
        to all of these accounts; 0 without any."""
        prices = [
            budget_of(record.transaction.message).micro_lamports_per_unit
            for record in self.history.in_slot(slot)
            if written <= {str(address) for address in record.accounts}
        ]
        return min(prices, default=0)

    def airdrop(self, address: Pubkey, lamports: int) -> TransactionRecord | Refused:
        """Lamports from the faucet, by a transaction like any other."""
        self.airdrops += 1
        pay = transfer(
            TransferParams(from_pubkey=self.faucet.pubkey(), to_pubkey=address, lamports=lamports)
        )
        # The unit limit differs each time, so that two equal airdrops in a slot are two.
        unique = set_compute_unit_limit(10_000 + self.airdrops % 1_000_000)
        blockhash, _ = self.latest_blockhash()
        message = Message.new_with_blockhash([unique, pay], self.faucet.pubkey(), blockhash)
        return self.process(VersionedTransaction(message, [self.faucet]))

    def _check(
        self, transaction: VersionedTransaction, accounts: MessageAccounts
    ) -> tuple[str | None, Nonce | None]:
        """What a leader checks before it runs a transaction; the error's name if it refuses."""
        signatures = transaction.signatures
        if len(signatures) != transaction.message.header.num_required_signatures:
            return "SanitizeFailure", None
        if not all(transaction.verify_with_results()):
            return "SignatureFailure", None
        if signatures[0] in self.history:
            return "AlreadyProcessed", None
        age = self._age(transaction.message, accounts)
        if age is None:
            return "BlockhashNotFound", None
        return None, age if isinstance(age, Nonce) else None

    def _age(self, message: Message | MessageV0, accounts: MessageAccounts) -> Nonce | Hash | None:
        """What makes a message's blockhash good: the hash itself, a nonce, or nothing."""
        if self.is_blockhash_valid(message.recent_blockhash):
            return message.recent_blockhash
        following = durable_nonce(slot_hash(self.slot))
        return nonce_of(message, accounts.writable, self.machine.accounts, following)

    def _balances(self, accounts: MessageAccounts) -> tuple[int, ...]:
        return tuple(self.machine.get_balance(address) for address in accounts.addresses)

    def _token_balances(
        self, accounts: MessageAccounts, programs: set[Pubkey]
    ) -> tuple[TokenBalance, ...]:
        found = []
        known = self.machine.accounts
        for index, address in enumerate(accounts.addresses):
            if address in programs:
                continue
            account = known.get(address)
            if account is None or account.owner not in _TOKEN_PROGRAMS:
                continue
            data = account.data
            if len(data) < _TOKEN_ACCOUNT_BYTES:
                continue
            mint = Pubkey(data[:32])
            minted = known.get(mint)
            decimals = minted.data[_MINT_DECIMALS_AT] if minted and len(minted.data) > 44 else 0
            amount = int.from_bytes(data[64:72], "little")
            owner = Pubkey(data[32:64])
            found.append(TokenBalance(index, mint, owner, amount, decimals, account.owner))
        return tuple(found)

    def _write_down(self, record: TransactionRecord) -> None:
        self.transactions_seen += 1
        self.history.add(record)
        if isinstance(self.clock, VirtualClock):
            self.clock.sleep(SLOT_SECONDS)
            self.sync()
        for listener in self.listeners:
            listener(record)
        self.tell_slot(record.slot)

    def tell_slot(self, slot: int) -> None:
        """Tell slot listeners of a slot that is over, unless they know a later one."""
        if slot > self._told_slot:
            self._told_slot = slot
            for listener in self.slot_listeners:
                listener(slot)
