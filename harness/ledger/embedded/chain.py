"""The chain: slots, blockhashes, history, and the one place where transactions are run.

Picture a station clock and a ledger book beside it. The clock shows the testbed's time; every 400
milliseconds of it is a slot. A transaction that is run lands in the present slot and pushes the
clock to the next, so each has a slot of its own. The book keeps what happened. Nothing is random
and nothing looks at the machine's time: same transactions, same book.

The chain has one owner at a time: callers hold `lock`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from harness.clock import Clock, VirtualClock
from harness.ledger.embedded.machine import add_program, add_wallet, new_machine
from harness.ledger.embedded.record import Refused, TokenBalance, TransactionRecord
from harness.ledger.protocol import ProgramImage
from programs.addresses import TOKEN

#: When a ledger's time begins: the guide's machine goes live the day before.
START = datetime(2026, 1, 2, tzinfo=UTC)

SLOT_SECONDS = 0.4
FIRST_SLOT = 1
BLOCKHASH_SLOTS_MAX = 150
SLOTS_PER_EPOCH = 432_000
HISTORY_TRANSACTIONS_MAX = 100_000
PACKET_BYTES_MAX = 1232

FAUCET_LAMPORTS = 500_000_000 * 10**9
_SLOT_HASHES = 16
_TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
_TOKEN_PROGRAMS = (TOKEN, _TOKEN_2022)
_TOKEN_ACCOUNT_BYTES = 165
_LOOKUP_TABLE_HEADER_BYTES = 56
_MINT_DECIMALS_AT = 44

Listener = Callable[[TransactionRecord], None]


class Chain:
    """One embedded ledger's state and history."""

    def __init__(self, clock: Clock, programs: Iterable[ProgramImage] = ()) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.machine = new_machine()
        self.history: OrderedDict[Signature, TransactionRecord] = OrderedDict()
        self.by_slot: dict[int, list[Signature]] = {}
        self.by_account: defaultdict[Pubkey, list[Signature]] = defaultdict(list)
        self.transactions_seen = 0
        self.listeners: list[Listener] = []
        self.faucet = Keypair.from_seed(hashlib.sha256(b"embedded ledger: faucet").digest())
        self._issued: OrderedDict[Hash, int] = OrderedDict()
        self._epoch_start = clock.now()
        self.slot = 0
        self._airdrops = 0
        add_wallet(self.machine, self.faucet.pubkey(), FAUCET_LAMPORTS)
        for image in programs:
            add_program(self.machine, image, slot=0)
        self.sync()

    # -- time -----------------------------------------------------------------------------------

    def sync(self) -> None:
        """Bring slot and sysvars to the clock's time."""
        elapsed = self.clock.now() - self._epoch_start
        slot = FIRST_SLOT + elapsed // timedelta(seconds=SLOT_SECONDS)
        if slot <= self.slot:
            return
        self.slot = slot
        clock = self.machine.get_clock()
        clock.slot = slot
        clock.epoch = slot // SLOTS_PER_EPOCH
        clock.leader_schedule_epoch = clock.epoch + 1
        clock.unix_timestamp = self.block_time(slot)
        clock.epoch_start_timestamp = self.block_time(clock.epoch * SLOTS_PER_EPOCH)
        self.machine.set_clock(clock)
        oldest = max(slot - _SLOT_HASHES, 0)
        self.machine.set_slot_hashes(
            [(past, self.blockhash(past)) for past in range(slot - 1, oldest - 1, -1)]
        )

    def block_time(self, slot: int) -> int:
        """Unix time of a slot."""
        seconds = (slot - FIRST_SLOT) * SLOT_SECONDS
        return int((self._epoch_start + timedelta(seconds=seconds)).timestamp())

    def blockhash(self, slot: int) -> Hash:
        """The blockhash of a slot; it follows from the slot alone, so that runs repeat."""
        return Hash(hashlib.sha256(f"embedded ledger: block {slot}".encode()).digest())

    def latest_blockhash(self) -> tuple[Hash, int]:
        """The present blockhash and the last block height at which it is good."""
        self.sync()
        blockhash = self.blockhash(self.slot)
        self._issued[blockhash] = self.slot
        while len(self._issued) > BLOCKHASH_SLOTS_MAX:
            self._issued.popitem(last=False)
        return blockhash, self.slot + BLOCKHASH_SLOTS_MAX

    def is_blockhash_valid(self, blockhash: Hash) -> bool:
        """Whether a transaction with this blockhash can land now."""
        self.sync()
        issued = self._issued.get(blockhash)
        return issued is not None and self.slot - issued <= BLOCKHASH_SLOTS_MAX

    # -- accounts -------------------------------------------------------------------------------

    def account(self, address: Pubkey) -> Account | None:
        """An account, or None if there is none (a closed one has no lamports)."""
        account = self.machine.get_account(address)
        return None if account is None or account.lamports == 0 else account

    def accounts_owned_by(self, program: Pubkey) -> list[tuple[Pubkey, Account]]:
        """Every account of a program that any transaction has touched, in order of first touch."""
        found = ((address, self.account(address)) for address in list(self.by_account))
        return [
            (address, one) for address, one in found if one is not None and one.owner == program
        ]

    # -- transactions ---------------------------------------------------------------------------

    def process(
        self, transaction: VersionedTransaction, *, preflight: bool = False
    ) -> TransactionRecord | Refused:
        """Run a transaction and write it down.

        With `preflight` a failing transaction is refused and leaves no trace, as on a cluster,
        where it is simulated first. It is not run twice here: a failed transaction changes
        nothing but its payer's balance, which is put back.
        """
        self.sync()
        refusal = self._check(transaction)
        if refusal is not None:
            return Refused(refusal)
        message = transaction.message
        writable, readonly = self._loaded(message)
        accounts = (*message.account_keys, *writable, *readonly)
        programs = {accounts[one.program_id_index] for one in message.instructions}
        payer = accounts[0]
        payer_before = self.machine.get_account(payer)
        before = self._balances(accounts)
        before_tokens = self._token_balances(accounts, programs)
        result = self.machine.send_transaction(transaction)
        error = None
        if isinstance(result, FailedTransactionMetadata):
            error = json.loads(result.to_json())["err"]
            meta = result.meta()
            charged = (self.machine.get_balance(payer) or 0) != before[0]
            if preflight or not charged:
                if charged and payer_before is not None:
                    self.machine.set_account(payer, payer_before)
                return Refused(error, meta)
        else:
            meta = result
        after = self._balances(accounts)
        record = TransactionRecord(
            signature=transaction.signatures[0],
            transaction=transaction,
            slot=self.slot,
            block_time=self.block_time(self.slot),
            error=error,
            fee_lamports=sum(before) - sum(after),
            accounts=accounts,
            loaded_writable=writable,
            loaded_readonly=readonly,
            before_lamports=before,
            after_lamports=after,
            before_tokens=before_tokens,
            after_tokens=self._token_balances(accounts, programs),
            meta=meta,
        )
        self._write_down(record)
        return record

    def simulate(
        self, transaction: VersionedTransaction, *, verify: bool
    ) -> tuple[object, TransactionMetadata | None, dict[Pubkey, Account]]:
        """Run a transaction without effect: its error as JSON, its meta, changed accounts."""
        self.sync()
        if verify and not all(transaction.verify_with_results()):
            return "SignatureFailure", None, {}
        result = self.machine.simulate_transaction(transaction)
        if isinstance(result, FailedTransactionMetadata):
            return json.loads(result.to_json())["err"], result.meta(), {}
        return None, result.meta(), dict(result.post_accounts())

    def airdrop(self, address: Pubkey, lamports: int) -> TransactionRecord | Refused:
        """Lamports from the faucet, by a transaction like any other."""
        self._airdrops += 1
        pay = transfer(
            TransferParams(from_pubkey=self.faucet.pubkey(), to_pubkey=address, lamports=lamports)
        )
        # The unit limit differs each time, so that two equal airdrops in a slot are two.
        unique = set_compute_unit_limit(10_000 + self._airdrops % 1_000_000)
        blockhash, _ = self.latest_blockhash()
        message = Message.new_with_blockhash([unique, pay], self.faucet.pubkey(), blockhash)
        return self.process(VersionedTransaction(message, [self.faucet]))

    def _check(self, transaction: VersionedTransaction) -> str | None:
        """What a leader checks before it runs a transaction; the error's name if it refuses."""
        signatures = transaction.signatures
        if len(signatures) != transaction.message.header.num_required_signatures:
            return "SanitizeFailure"
        if not all(transaction.verify_with_results()):
            return "SignatureFailure"
        if signatures[0] in self.history:
            return "AlreadyProcessed"
        if not self.is_blockhash_valid(transaction.message.recent_blockhash):
            return "BlockhashNotFound"
        return None

    def _loaded(
        self, message: Message | MessageV0
    ) -> tuple[tuple[Pubkey, ...], tuple[Pubkey, ...]]:
        """Addresses that a version 0 message takes from lookup tables: writable, readonly."""
        writable: list[Pubkey] = []
        readonly: list[Pubkey] = []
        for lookup in getattr(message, "address_table_lookups", ()):
            table = self.machine.get_account(lookup.account_key)
            data = b"" if table is None else bytes(table.data)[_LOOKUP_TABLE_HEADER_BYTES:]
            for indexes, into in (
                (lookup.writable_indexes, writable),
                (lookup.readonly_indexes, readonly),
            ):
                for index in indexes:
                    key = data[index * 32 : index * 32 + 32]
                    into.append(Pubkey(key) if len(key) == 32 else Pubkey.default())
        return tuple(writable), tuple(readonly)

    def _balances(self, accounts: Sequence[Pubkey]) -> tuple[int, ...]:
        return tuple(self.machine.get_balance(address) or 0 for address in accounts)

    def _token_balances(
        self, accounts: Sequence[Pubkey], programs: set[Pubkey]
    ) -> tuple[TokenBalance, ...]:
        found = []
        for index, address in enumerate(accounts):
            if address in programs:
                continue
            account = self.machine.get_account(address)
            if account is None or account.owner not in _TOKEN_PROGRAMS:
                continue
            data = bytes(account.data)
            if len(data) < _TOKEN_ACCOUNT_BYTES or account.lamports == 0:
                continue
            mint = Pubkey(data[:32])
            minted = self.machine.get_account(mint)
            decimals = 0 if minted is None else bytes(minted.data)[_MINT_DECIMALS_AT]
            amount = int.from_bytes(data[64:72], "little")
            owner = Pubkey(data[32:64])
            found.append(TokenBalance(index, mint, owner, amount, decimals, account.owner))
        return tuple(found)

    def _write_down(self, record: TransactionRecord) -> None:
        self.transactions_seen += 1
        self.history[record.signature] = record
        self.by_slot.setdefault(record.slot, []).append(record.signature)
        for address in dict.fromkeys(record.accounts):
            self.by_account[address].append(record.signature)
        if len(self.history) > HISTORY_TRANSACTIONS_MAX:
            self._forget(next(iter(self.history)))
        if isinstance(self.clock, VirtualClock):
            self.clock.sleep(SLOT_SECONDS)
            self.sync()
        for listener in self.listeners:
            listener(record)

    def _forget(self, signature: Signature) -> None:
        """Drop the oldest transaction from the history; accounts stay known."""
        record = self.history.pop(signature)
        self.by_slot.pop(record.slot, None)
        for address in dict.fromkeys(record.accounts):
            self.by_account[address].remove(signature)
