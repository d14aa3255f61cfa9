"""The bank: accounts, and the virtual machine that changes them.

The machine is a workbench with room for a few thousand accounts. What a transaction needs is laid
out on it before and written back into the register (`accounts`) afterwards; when the bench is
full it is cleared. That keeps a transaction's cost the same whether there are a hundred accounts
or a hundred thousand: LiteSVM copies all that it holds each time its clock moves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from solders.account import Account
from solders.clock import Clock
from solders.hash import Hash
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import (
    FailedTransactionMetadata,
    SimulatedTransactionInfo,
)

from harness.ledger.embedded.accounts import Accounts, Source
from harness.ledger.embedded.float_stack import hand_back_float_stack
from harness.ledger.embedded.machine import GENESIS, feature_account, mainnet_features, new_machine
from programs.addresses import SLOT_HASHES_SYSVAR, SYSTEM, UPGRADEABLE_LOADER

RESIDENT_ACCOUNTS_MAX = 2048
RECENT_BLOCKHASHES_SYSVAR = Pubkey.from_string("SysvarRecentB1ockHashes11111111111111111111")
_SYSVAR_OWNER = Pubkey.from_string("Sysvar1111111111111111111111111111111111111")
_LAMPORTS_PER_SIGNATURE = 5000
_PROGRAM_STATE, _PROGRAM_DATA_STATE = struct.pack("<I", 2), struct.pack("<I", 3)
_GONE = Account(0, b"", SYSTEM, False, 0)


class Bank:
    """All accounts of a ledger and the machine that transactions run on."""

    def __init__(self, source: Source | None = None) -> None:
        self.accounts = Accounts(source)
        self.panics = 0
        self.genesis: dict[Pubkey, Account] = {}
        self._resident: set[Pubkey] = set()
        self._clock: Clock | None = None
        self._machine = new_machine()
        for address in GENESIS:
            account = self._machine.get_account(address)
            if account is not None:
                self.genesis[address] = account
                self._resident.add(address)
        self._built_in = frozenset(self._resident)
        active = feature_account(self._machine)
        self.genesis |= dict.fromkeys(sorted(mainnet_features().active, key=str), active)
        for address, account in self.genesis.items():
            self.accounts.put(address, account)

    def close(self) -> None:
        """Give the memory back: tens of megabytes that a client which outlives its ledger (FastAPI
        keeps every endpoint it has seen) would hold otherwise. No use after this."""
        vars(self).pop("_machine", None)  # closing twice is fine
        self.accounts = Accounts()
        self.genesis = {}

    # -- accounts -------------------------------------------------------------------------------

    def get_account(self, address: Pubkey) -> Account | None:
        """The account, or None; sysvars as programs see them."""
        account = self.accounts.get(address)
        if account is not None and account.owner == _SYSVAR_OWNER:
            return self._machine.get_account(address)
        return account

    def get_balance(self, address: Pubkey) -> int:
        account = self.accounts.get(address)
        return 0 if account is None else account.lamports

    def set_account(self, address: Pubkey, account: Account | None) -> None:
        """Put an account there, whatever was there before; a program is loaded at its next use."""
        before = self.accounts.get(address)
        self.accounts.put(address, account)
        if account is not None and account.owner == _SYSVAR_OWNER:
            self._machine.set_account(address, account)
        elif address in self._resident:
            if account is None or account.executable:
                self._machine.set_account(address, _GONE)
                self._resident.discard(address)
            else:
                self._machine.set_account(address, account)
        if _is_code(before) or _is_code(account):
            self._resident.difference_update(self._programs_of(address))

    def follow(self, addresses: Iterable[Pubkey]) -> None:
        """Bring the streamed ones among these accounts to what their own cluster says now."""
        for address, account in self.accounts.streams(addresses):
            if account != self.accounts.get(address):
                self.set_account(address, account)

    def _programs_of(self, code: Pubkey) -> list[Pubkey]:
        """The programs whose code an account holds."""
        pointer = _PROGRAM_STATE + bytes(code)
        listed = self.accounts.owned_by(UPGRADEABLE_LOADER)
        return [address for address, account in listed if account.data == pointer]

    def minimum_balance_for_rent_exemption(self, data_len: int) -> int:
        return self._machine.minimum_balance_for_rent_exemption(data_len)

    # -- sysvars --------------------------------------------------------------------------------

    def get_clock(self) -> Clock:
        return self._machine.get_clock()

    def set_clock(self, clock: Clock) -> None:
        self._clock = clock
        self._machine.set_clock(clock)

    def set_slot_hashes(self, packed: Sequence[bytes]) -> None:
        """Slot and hash of past slots, newest first, each as 40 bytes."""
        self._set_sysvar(SLOT_HASHES_SYSVAR, struct.pack("<Q", len(packed)) + b"".join(packed))

    def set_recent_blockhashes(self, hashes: Sequence[Hash]) -> None:
        """The hashes of past blocks, newest first."""
        fee = struct.pack("<Q", _LAMPORTS_PER_SIGNATURE)
        entries = b"".join(bytes(one) + fee for one in hashes)
        data = struct.pack("<Q", len(hashes)) + entries
        self._set_sysvar(RECENT_BLOCKHASHES_SYSVAR, data)

    def _set_sysvar(self, address: Pubkey, data: bytes) -> None:
        self._machine.set_account(address, Account(1, data, _SYSVAR_OWNER, False, 0))

    # -- transactions ---------------------------------------------------------------------------

    def lay_out(self, addresses: Sequence[Pubkey]) -> None:
        """Have these accounts on the machine."""
        missing = [one for one in addresses if one not in self._resident]
        if not missing:
            return
        if len(self._resident) + len(missing) > RESIDENT_ACCOUNTS_MAX:
            self.clear()
            missing = [one for one in addresses if one not in self._resident]
        self.accounts.bring(missing)
        for address in missing:
            self._lay_out_one(address)

    def clear(self) -> None:
        """A fresh machine with the same clock; accounts come back when they are needed."""
        self._machine = new_machine()
        self._resident = {
            address
            for address in self._built_in
            if self.accounts.get(address) is self.genesis[address]
            or self.genesis[address].owner == _SYSVAR_OWNER
        }
        if self._clock is not None:
            self._machine.set_clock(self._clock)

    def _lay_out_one(self, address: Pubkey) -> None:
        account = self.accounts.get(address)
        if account is not None:
            if account.executable and account.owner == UPGRADEABLE_LOADER:
                account = self._with_code(account)
            try:
                self._machine.set_account(address, account)
            except Exception:  # no valid code: there, but cannot be run
                self._machine.set_account(address, _not_executable(account))
        self._resident.add(address)

    def _with_code(self, program: Account) -> Account:
        """An upgradeable program with its code laid out first; not executable without."""
        data = bytes(program.data)
        code_address = Pubkey(data[4:36]) if data[:4] == _PROGRAM_STATE else None
        code = None if code_address is None else self.accounts.get(code_address)
        if code_address is None or code is None or not _is_code(code):
            return _not_executable(program)
        self._machine.set_account(code_address, code)
        self._resident.add(code_address)
        return program

    def debit(self, address: Pubkey, lamports: int) -> None:
        """Take lamports off an account on the machine only, until `restore`."""
        account = self.accounts.get(address)
        assert account is not None
        assert account.lamports >= lamports
        self._machine.set_account(
            address,
            Account(
                account.lamports - lamports, account.data, account.owner, account.executable, 0
            ),
        )

    def restore(self, addresses: Iterable[Pubkey]) -> None:
        """Put accounts on the machine back to what the register says."""
        for address in addresses:
            self._machine.set_account(address, self.accounts.get(address) or _GONE)

    def simulate(
        self, transaction: VersionedTransaction
    ) -> SimulatedTransactionInfo | FailedTransactionMetadata | None:
        """Run a transaction whose accounts are laid out; None if the machine broke. Nothing is
        written: what became of the accounts is in the answer."""
        try:
            return self._machine.simulate_transaction(transaction)
        except BaseException as error:
            self._survive(error)
            return None
        finally:
            hand_back_float_stack()

    def _survive(self, error: BaseException) -> None:
        if type(error).__name__ != "PanicException":  # Rust's panics are not Exceptions
            raise error
        self.panics += 1
        self.clear()

    def raw(self) -> LiteSVM:
        """The machine itself, for measurements."""
        return self._machine


def _is_code(account: Account | None) -> bool:
    return (
        account is not None
        and account.owner == UPGRADEABLE_LOADER
        and account.data[:4] == _PROGRAM_DATA_STATE
    )


def _not_executable(account: Account) -> Account:
    return Account(account.lamports, account.data, account.owner, False, account.rent_epoch)
