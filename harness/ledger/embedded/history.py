"""The ledger's book of transactions: the last pages at hand, older ones in the archive.

Records are kept in memory up to a limit; beyond it the oldest move to a file that is deleted with
the book, so that memory stays bounded however long a ledger runs. The archive has a limit too.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from pathlib import Path

from solders.pubkey import Pubkey
from solders.signature import Signature

from harness.ledger.embedded.record import TransactionRecord
from harness.ledger.embedded.storage import record_from_json, record_to_json

MEMORY_RECORDS_MAX = 2_000
ARCHIVE_RECORDS_MAX = 2_000_000
_SPILL_RECORDS = 500
_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE records (number INTEGER PRIMARY KEY, signature BLOB, slot INTEGER, record TEXT);
CREATE UNIQUE INDEX by_signature ON records (signature);
CREATE INDEX by_slot ON records (slot);
CREATE TABLE mentions (account BLOB, number INTEGER, PRIMARY KEY (account, number)) WITHOUT ROWID;
"""


class History:
    """Transactions by signature, slot and account, oldest first. Not thread-safe: the chain's
    lock guards it."""

    def __init__(self, memory_records_max: int = MEMORY_RECORDS_MAX) -> None:
        self._memory_records_max = memory_records_max
        self._recent: OrderedDict[Signature, TransactionRecord] = OrderedDict()
        self._by_slot: dict[int, list[Signature]] = {}
        self._by_account: defaultdict[Pubkey, list[Signature]] = defaultdict(list)
        self._numbers: dict[Signature, int] = {}
        self._next_number = 1
        self._archive: sqlite3.Connection | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __len__(self) -> int:
        return len(self._recent) + self._archived()

    def __contains__(self, signature: object) -> bool:
        return isinstance(signature, Signature) and (
            signature in self._recent or self.get(signature) is not None
        )

    def __getitem__(self, signature: Signature) -> TransactionRecord:
        record = self.get(signature)
        if record is None:
            raise KeyError(signature)
        return record

    def get(self, signature: Signature) -> TransactionRecord | None:
        record = self._recent.get(signature)
        if record is None and self._archive is not None:
            return self._fetch("WHERE signature = ?", (bytes(signature),))
        return record

    def values(self) -> Iterator[TransactionRecord]:
        """All records, oldest first."""
        if self._archive is not None:
            for (text,) in self._archive.execute("SELECT record FROM records ORDER BY number"):
                yield _unpacked(text)
        yield from list(self._recent.values())

    def add(self, record: TransactionRecord) -> None:
        """Write a record down as the newest."""
        self._recent[record.signature] = record
        self._numbers[record.signature] = self._next_number
        self._next_number += 1
        self._by_slot.setdefault(record.slot, []).append(record.signature)
        for address in dict.fromkeys(record.accounts):
            self._by_account[address].append(record.signature)
        if len(self._recent) > self._memory_records_max:
            self._spill()

    def in_slot(self, slot: int) -> list[TransactionRecord]:
        """The transactions of a slot, in order."""
        recent = [self._recent[one] for one in self._by_slot.get(slot, ())]
        if self._archive is None:
            return recent
        rows = self._archive.execute(
            "SELECT record FROM records WHERE slot = ? ORDER BY number", (slot,)
        )
        return [_unpacked(text) for (text,) in rows] + recent

    def latest(self, limit: int) -> list[TransactionRecord]:
        """The newest records, newest first; at most as many as are in memory."""
        return [self._recent[one] for one in list(reversed(self._recent))[:limit]]

    def count_in_slot(self, slot: int) -> int:
        """How many transactions a slot has."""
        count = len(self._by_slot.get(slot, ()))
        if self._archive is not None:
            row = self._archive.execute("SELECT count(*) FROM records WHERE slot = ?", (slot,))
            count += row.fetchone()[0]
        return count

    def of_account(
        self, address: Pubkey, *, before: Signature | None, until: Signature | None, limit: int
    ) -> list[TransactionRecord]:
        """Transactions that mention an address, newest first, between two of them (exclusive)."""
        high = self._number(before, self._next_number)
        low = self._number(until, 0)
        found: list[TransactionRecord] = []
        for signature in reversed(self._by_account.get(address, ())):
            number = self._numbers[signature]
            if number <= low or len(found) == limit:
                return found
            if number < high:
                found.append(self._recent[signature])
        if self._archive is not None and len(found) < limit:
            rows = self._archive.execute(
                "SELECT record FROM mentions JOIN records USING (number) WHERE account = ? AND "
                "number < ? AND number > ? ORDER BY number DESC LIMIT ?",
                (bytes(address), high, low, limit - len(found)),
            )
            found += [_unpacked(text) for (text,) in rows]
        return found

    def close(self) -> None:
        """Delete the archive."""
        if self._archive is not None:
            self._archive.close()
            self._archive = None
        if self._folder is not None:
            self._folder.cleanup()

    def _number(self, signature: Signature | None, default: int) -> int:
        """A record's place among all; `default` for none or an unknown one."""
        if signature is None:
            return default
        number = self._numbers.get(signature)
        if number is None and self._archive is not None:
            row = self._archive.execute(
                "SELECT number FROM records WHERE signature = ?", (bytes(signature),)
            ).fetchone()
            number = None if row is None else row[0]
        return number or default

    def _archived(self) -> int:
        if self._archive is None:
            return 0
        return int(self._archive.execute("SELECT count(*) FROM records").fetchone()[0])

    def _fetch(self, where: str, values: tuple[bytes, ...]) -> TransactionRecord | None:
        assert self._archive is not None
        row = self._archive.execute(f"SELECT record FROM records {where}", values).fetchone()
        return None if row is None else _unpacked(row[0])

    def _spill(self) -> None:
        """Move the oldest records to the archive."""
        if self._archive is None:
            self._folder = tempfile.TemporaryDirectory(prefix="ledger-history-")
            path = Path(self._folder.name) / "history.sqlite"
            self._archive = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._archive.executescript(_SCHEMA)
        with_records, with_mentions = [], []
        for _ in range(min(_SPILL_RECORDS, len(self._recent))):
            signature, record = self._recent.popitem(last=False)
            number = self._numbers.pop(signature)
            text = json.dumps(record_to_json(record), separators=(",", ":"))
            with_records.append((number, bytes(signature), record.slot, text))
            self._forget(record)
            with_mentions += [(bytes(one), number) for one in dict.fromkeys(record.accounts)]
        self._archive.execute("BEGIN")
        self._archive.executemany("INSERT INTO records VALUES (?, ?, ?, ?)", with_records)
        self._archive.executemany("INSERT INTO mentions VALUES (?, ?)", with_mentions)
        oldest = self._next_number - ARCHIVE_RECORDS_MAX
        if oldest > 0:
            self._archive.execute("DELETE FROM records WHERE number < ?", (oldest,))
            self._archive.execute("DELETE FROM mentions WHERE number < ?", (oldest,))
        self._archive.execute("COMMIT")

    def _forget(self, record: TransactionRecord) -> None:
        """Take the oldest record out of the indexes in memory."""
        in_slot = self._by_slot[record.slot]
        in_slot.remove(record.signature)
        if not in_slot:
            del self._by_slot[record.slot]
        for address in dict.fromkeys(record.accounts):
            listed = self._by_account[address]
            listed.pop(0)
            if not listed:
                del self._by_account[address]


def _unpacked(text: str) -> TransactionRecord:
    return record_from_json(json.loads(text))
