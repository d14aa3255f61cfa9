"""What the generator is told: one JSON file that `harness load` writes and Locust's processes read.

Beside it lie the profile and the stock of wallets and NFTs. Only its owner can read the stock, as
it holds private keys, and it is deleted when the load is over. A copy of the folder is all that a
worker on another machine needs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from solders.keypair import Keypair

#: Names the plan's path to the generator.
ENVIRONMENT = "MYSTERY_BOX_LOAD_PLAN"
FILE, PROFILE_FILE, STOCK_FILE = "plan.json", "profile.toml", "stock.txt"
SEALED, REVEALED = "sealed", "revealed"


@dataclass(frozen=True)
class Plan:
    """Everything the generator needs beside the profile and the stock in its folder."""

    backend_url: str
    api_prefix: str
    rpc_url: str
    box_id: str
    generators: int
    #: Whether wallets are told apart by X-Forwarded-For, as behind a proxy that the backend trusts.
    forwarded: bool
    #: Whether wallets sign in first.
    sign_in: bool
    candy_machine: str
    candy_guard: str
    collection_mint: str
    authority: str
    #: Where it lies; not written into it.
    folder: Path = field(default=Path(), compare=False)

    def write(self, folder: Path) -> None:
        values = asdict(self)
        del values["folder"]
        (folder / FILE).write_text(json.dumps(values, indent=1), encoding="utf-8")


def read_plan(path: Path) -> Plan:
    """Raises OSError, ValueError or TypeError if the file holds no plan."""
    return Plan(**json.loads(path.read_text(encoding="utf-8")), folder=path.parent)


@dataclass(frozen=True)
class StockItem:
    """An NFT and the key of the wallet that holds it. A wallet without an NFT has mint ''."""

    secret: str
    mint: str
    state: str


def write_stock(path: Path, items: Iterable[StockItem]) -> None:
    """Write the stock so that only its owner can read it."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.writelines(f"{item.secret} {item.mint or '-'} {item.state}\n" for item in items)


def read_stock(path: Path, index: int, generators: int) -> list[StockItem]:
    """This generator's share: every `generators`-th item from `index` on."""
    with path.open(encoding="utf-8") as lines:
        share = [line.split() for number, line in enumerate(lines) if number % generators == index]
    return [StockItem(secret, "" if mint == "-" else mint, state) for secret, mint, state in share]


def signed_challenge(wallet: Keypair, challenge: dict[str, Any]) -> dict[str, str]:
    """What `/auth/sign-in` wants: the challenge's message, signed as a wallet does it."""
    return {
        "walletAddress": str(wallet.pubkey()),
        "nonce": str(challenge["nonce"]),
        "signature": str(wallet.sign_message(str(challenge["message"]).encode())),
    }
