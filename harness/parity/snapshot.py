"""All accounts that a scenario touched, byte for byte, as they are when its story is told."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from solana.rpc.commitment import Confirmed
from solders.pubkey import Pubkey

if TYPE_CHECKING:
    from harness.testbed import Testbed

_ACCOUNTS_PER_CALL = 100  # the most that getMultipleAccounts takes
#: Sysvars are the ledger's own clockwork: they tell the time, and the time differs.
_SYSVARS = "Sysvar"


@dataclass(frozen=True)
class AccountState:
    """One account. `name` is the journal's name for it, empty for one that has none."""

    name: str
    lamports: int
    owner: str
    executable: bool
    data: bytes


def write_accounts(bed: Testbed, path: Path) -> None:
    """Write down every account that a transaction of this scenario names."""
    addresses = sorted(
        {account for receipt in bed.evidence().receipts for account in receipt.accounts}, key=str
    )
    content = {}
    for start in range(0, len(addresses), _ACCOUNTS_PER_CALL):
        part = addresses[start : start + _ACCOUNTS_PER_CALL]
        found = bed.client.get_multiple_accounts(part, commitment=Confirmed).value
        for address, account in zip(part, found, strict=True):
            if account is None or account.lamports == 0 or str(address).startswith(_SYSVARS):
                continue
            content[str(address)] = {
                "name": bed.book.known(address) or "",
                "lamports": account.lamports,
                "owner": str(account.owner),
                "executable": account.executable,
                "data": b64encode(bytes(account.data)).decode(),
            }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_accounts(path: Path) -> dict[Pubkey, AccountState]:
    """What `write_accounts` wrote."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return {
        Pubkey.from_string(address): AccountState(
            entry["name"],
            entry["lamports"],
            entry["owner"],
            entry["executable"],
            b64decode(entry["data"]),
        )
        for address, entry in content.items()
    }
