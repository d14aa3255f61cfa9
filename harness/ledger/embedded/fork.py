"""Accounts from another cluster, fetched when they are first needed: a lending library.

What was fetched once is kept in a folder, so that a second run needs no network and sees the
same. Only reads go out, a hundred accounts a call at most; nothing is ever sent there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import httpx
from solders.account import Account
from solders.pubkey import Pubkey

from harness.errors import UsageError
from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.rpc_error import INTERNAL_ERROR, RpcError
from harness.ledger.embedded.storage import account_from_json, account_to_json
from programs.addresses import UPGRADEABLE_LOADER, program_data_address

_ACCOUNTS_A_CALL_MAX = 100
_TRIES_MAX = 3
_TIMEOUT_SECONDS = 20.0


class RemoteAccounts:
    """The accounts of the cluster behind `url`, with a cache in `folder`.

    Raises UsageError for a URL that is none, and for a folder that cannot be made.
    """

    def __init__(self, url: str, folder: Path | None = None) -> None:
        self.url = url
        self.fetched = 0
        try:
            name = _folder_name(url)
            self._folder = None if folder is None else folder / name
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
        except httpx.InvalidURL as error:
            raise UsageError(f"--url: is not a URL ({error})") from None
        except OSError as error:
            raise UsageError(f"--cache {folder}: cannot be made ({error.strerror})") from None
        self._client = httpx.Client(timeout=_TIMEOUT_SECONDS)

    def close(self) -> None:
        self._client.close()

    def fetch(self, addresses: list[Pubkey], *, anew: bool = False) -> list[Account | None]:
        """The accounts in order; None where there is none. With `anew` the cache is not looked
        at. Raises RpcError if the cluster does not answer."""
        found: dict[Pubkey, Account | None] = {}
        missing = []
        for address in addresses:
            cached = None if anew else self._cached(address)
            if cached is None:
                missing.append(address)
            else:
                found[address] = cached[0]
        for start in range(0, len(missing), _ACCOUNTS_A_CALL_MAX):
            part = missing[start : start + _ACCOUNTS_A_CALL_MAX]
            for address, account in zip(part, self._ask(part), strict=True):
                found[address] = account
                self._keep(address, account)
        return [found[one] for one in addresses]

    def _ask(self, addresses: list[Pubkey]) -> list[Account | None]:
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "getMultipleAccounts",
            "params": [[str(one) for one in addresses], {"encoding": "base64"}],
        }
        reason = ""
        for _ in range(_TRIES_MAX):
            try:
                answer = self._client.post(self.url, json=body).json()
                self.fetched += len(addresses)
                return [_account(one) for one in answer["result"]["value"]]
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                reason = type(error).__name__
        raise RpcError(INTERNAL_ERROR, f"the cluster that accounts come from fails: {reason}")

    def _path(self, address: Pubkey) -> Path | None:
        return None if self._folder is None else self._folder / f"{address}.json"

    def _cached(self, address: Pubkey) -> tuple[Account | None] | None:
        path = self._path(address)
        if path is None or not path.exists():
            return None
        try:
            stored = json.loads(path.read_text())
            return (None,) if stored["account"] is None else (account_from_json(stored)[1],)
        except (OSError, ValueError, KeyError, TypeError):
            return None  # broken: fetch again

    def _keep(self, address: Pubkey, account: Account | None) -> None:
        path = self._path(address)
        if path is None:
            return
        none = {"pubkey": str(address), "account": None}
        stored = none if account is None else account_to_json(address, account)
        beside = path.with_name(f"{path.name}.{os.getpid()}.part")
        beside.write_text(json.dumps(stored))
        beside.replace(path)


def _account(shown: Any) -> Account | None:
    if shown is None:
        return None
    data = base64.b64decode(shown["data"][0], validate=True)
    owner = Pubkey.from_string(shown["owner"])
    return Account(shown["lamports"], data, owner, shown["executable"], 0)


def _folder_name(url: str) -> str:
    """A name that tells clusters apart without showing a key that the URL may hold."""
    host = httpx.URL(url).host or "cluster"
    return f"{host}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"


def clone_into(chain: Chain, addresses: list[Pubkey], url: str, folder: Path | None) -> None:
    """Copy accounts, programs with their code, from the cluster behind `url`.

    Raises UsageError for an account that is not there, and if the cluster does not answer.
    """
    source = RemoteAccounts(url, folder)
    try:
        found = dict(zip(addresses, source.fetch(addresses), strict=True))
        missing = [str(address) for address, account in found.items() if account is None]
        if missing:
            raise UsageError(f"the cluster has no account {', '.join(missing)}")
        codes = [
            program_data_address(address)
            for address, account in found.items()
            if account is not None and account.executable and account.owner == UPGRADEABLE_LOADER
        ]
        found |= dict(zip(codes, source.fetch(codes), strict=True))
    except RpcError as error:
        raise UsageError(f"cannot clone: {error.message}; look at --url") from None
    finally:
        source.close()
    for address, account in found.items():
        chain.machine.set_account(address, account)
