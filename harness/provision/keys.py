"""The keys of a local economy, made once and kept in one folder.

Like a bunch of keys cut when a house is built: whoever comes later uses the same bunch and cuts no
second one. Nothing of it is printed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from solders.keypair import Keypair

from harness.errors import StartError
from harness.ledger.cluster import read_key
from harness.ledger.validator import BANK_LAMPORTS, account_json

#: bank: paid in genesis; authority: deploys, reveals, may upgrade; treasury: signs payouts.
NAMES = ("bank", "authority", "treasury", "collection", "candy-machine", "candy-guard-base")


class KeyFolder:
    """Key files as `solana-keygen` writes them, readable by their owner only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self) -> int:
        """Make the keys that are missing, and what a validator needs to know of them.

        Returns how many were made. Raises StartError if the folder cannot be written.
        """
        made = 0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in NAMES:
                if not self._path(name).exists():
                    _write_private(self._path(name), json.dumps(list(bytes(Keypair()))))
                    made += 1
            for name in ("bank", "authority"):
                address = str(self.keypair(name).pubkey())
                (self.folder / f"{name}.address").write_text(address, encoding="ascii")
            account = account_json(self.keypair("bank").pubkey(), BANK_LAMPORTS)
            (self.folder / "bank.account.json").write_bytes(account)
        except OSError as error:
            raise StartError(f"{self.folder}: cannot be written ({error.strerror})") from None
        return made

    def keypair(self, name: str) -> Keypair:
        """Raises UsageError if there is no such key."""
        return read_key(self._path(name))

    def write_private(self, name: str, text: str) -> Path:
        """Write a file that only its owner can read, whole or not at all."""
        path = self.folder / name
        _write_private(path, text)
        return path

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def _write_private(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    part.replace(path)
