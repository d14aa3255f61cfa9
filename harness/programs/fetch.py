"""Fetching deployed programs from a cluster: a cast of the key that is really in the lock.

What is deployed may differ from what anybody built. This reads the bytes that a cluster runs, over
ordinary RPC, and keeps them beside a lock file, so that every suite can be run on them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
from solana.exceptions import SolanaRpcException
from solana.rpc.api import Client
from solana.rpc.commitment import Finalized
from solana.rpc.core import RPCException
from solders.account import Account
from solders.pubkey import Pubkey

from harness.errors import HarnessError, StartError, UsageError
from harness.programs.image import Code, NotDeployed, code_address, code_from
from harness.programs.lock import Lock, LockedProgram, read_lock
from harness.programs.sets import PROGRAMS, KnownProgram, ProgramSet

_TRIES_MAX = 4
_WAIT_SECONDS = 1.0  # doubled after each try
_TIMEOUT_SECONDS = 60

#: A cluster need not have our own program; without Metaplex's there is nothing to test.
_OPTIONAL = ("buyback",)

Told = Callable[[str], None]
Answer = TypeVar("Answer")


class Changed(HarnessError):
    """A cluster runs other bytes than the lock file says."""


@dataclass(frozen=True)
class Fetched:
    """What a cluster runs. `missing` are the optional programs that it does not have."""

    genesis_hash: str
    slot: int
    code: dict[str, Code] = field(repr=False)
    missing: tuple[str, ...]

    def lock(self) -> Lock:
        return Lock(
            self.genesis_hash,
            self.slot,
            tuple(
                LockedProgram(
                    name=program.name,
                    address=str(program.address),
                    loader=str(code.loader),
                    slot=code.slot,
                    upgrade_authority=_text(code.upgrade_authority),
                    bytes=len(code.elf),
                    sha256=code.sha256,
                    sha256_verify=code.sha256_verify,
                )
                for program in PROGRAMS
                if (code := self.code.get(program.name)) is not None
            ),
        )


def _text(address: Pubkey | None) -> str | None:
    return None if address is None else str(address)


@contextmanager
def cluster(url: str) -> Iterator[Client]:
    """A client of the cluster at an RPC URL.

    The URL may carry a key, so errors name its host only. Raises UsageError for what is no URL and
    StartError if nobody answers there.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("--url: not an RPC URL; it begins with http:// or https://")
    try:
        yield Client(url, commitment=Finalized, timeout=_TIMEOUT_SECONDS)
    except (SolanaRpcException, RPCException) as error:
        reason = _reason(error)
        raise StartError(f"{parts.hostname}: the RPC node does not answer ({reason})") from None


def fetch(client: Client, told: Told = lambda _: None) -> Fetched:
    """Read every known program's code from a cluster.

    Raises NotDeployed if one of Metaplex's programs is not there.
    """
    genesis = str(_tried(client.get_genesis_hash).value)
    slot = int(_tried(client.get_slot).value)
    code, missing = {}, []
    for program in PROGRAMS:
        told(f"{program.name}: reading ...")
        try:
            code[program.name] = _fetch_one(client, program)
        except NotDeployed as error:
            if program.name not in _OPTIONAL:
                raise NotDeployed(f"{program.name} ({program.address}) {error}") from None
            missing.append(program.name)
    return Fetched(genesis, slot, code, tuple(missing))


def _fetch_one(client: Client, program: KnownProgram) -> Code:
    account = _account(client, program.address)
    if account is None:
        raise NotDeployed("is not on this cluster")
    elsewhere = code_address(account.owner, bytes(account.data))
    if elsewhere is None:
        return code_from(account.owner, bytes(account.data))
    holder = _account(client, elsewhere)
    if holder is None:
        raise NotDeployed("was closed: its code is gone")
    return code_from(account.owner, bytes(holder.data))


def _account(client: Client, address: Pubkey) -> Account | None:
    return _tried(lambda: client.get_account_info(address)).value


def _tried(call: Callable[[], Answer]) -> Answer:
    """Call again where a node is busy, at most `_TRIES_MAX` times."""
    for number in range(_TRIES_MAX):
        try:
            return call()
        except SolanaRpcException:
            if number == _TRIES_MAX - 1:
                raise
            time.sleep(_WAIT_SECONDS * 2**number)
    raise AssertionError("unreachable")


def _reason(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(cause, httpx.HTTPStatusError):
        return f"HTTP {cause.response.status_code}"
    return type(cause or error).__name__


def store(fetched: Fetched, folder: Path, *, accept_changes: bool = False) -> Lock:
    """Write ELFs and lock file; the lock last, so that half a folder is never taken for whole.

    Raises Changed if the folder has a lock with other bytes, unless `accept_changes`.
    """
    lock, before = fetched.lock(), read_lock(folder)
    changes = [] if before is None else differences(before, lock)
    if changes and not accept_changes:
        raise Changed(f"{folder}: {'; '.join(changes)}; --accept-changes takes the new bytes")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for program in PROGRAMS:
            path = folder / f"{program.file}.so"
            code = fetched.code.get(program.name)
            if code is None:
                path.unlink(missing_ok=True)
                continue
            part = path.with_name(path.name + ".part")
            part.write_bytes(code.elf)
            part.replace(path)
        lock.write(folder)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror})") from None
    return lock


def differences(before: Lock, after: Lock) -> list[str]:
    """What a cluster runs otherwise than a lock says, a line each."""
    if before.genesis_hash != after.genesis_hash:
        return [f"the lock is of cluster {before.genesis_hash}, this is {after.genesis_hash}"]
    found = []
    for program in PROGRAMS:
        old, new = before.get(program.name), after.get(program.name)
        if old is None or new is None:
            if old is not new:
                found.append(f"{program.name} {'is gone' if new is None else 'is new'}")
        elif old.sha256 != new.sha256:
            found.append(
                f"{program.name} was {old.sha256[:16]}..., is {new.sha256[:16]}..."
                + (f" (deployed in slot {new.slot})" if new.slot is not None else "")
            )
    return found


def deviations(fetched: Fetched, programs: ProgramSet) -> list[str]:
    """Which programs of a cluster are not the bytes of a set, a line each."""
    found = []
    for program in PROGRAMS:
        code = fetched.code.get(program.name)
        if code is None:
            found.append(f"{program.name}: is not deployed")
        elif code.sha256 != programs.sha256(program.name):
            found.append(
                f"{program.name}: deployed {code.sha256[:16]}..., "
                f"{programs.choice} {programs.sha256(program.name)[:16]}..."
            )
    return found
