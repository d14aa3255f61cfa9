"""Fetching deployed programs: from a ledger that serves them, and back onto one that runs them."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from solders.account import Account
from solders.pubkey import Pubkey
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import StartError, UsageError
from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.preloaded import program_images
from harness.programs.fetch import Changed, cluster, fetch, store
from harness.programs.image import (
    HEADER_BYTES,
    LOADER_V2,
    NotDeployed,
    code_address,
    code_from,
    elf_bytes,
    trimmed,
)
from harness.programs.lock import LOCK_FILE, read_lock, verified
from harness.programs.sets import PROGRAMS, open_set
from programs import elf
from programs.addresses import UPGRADEABLE_LOADER, program_data_address

AUTHORITY = Pubkey.from_string("11111111111111111111111111111112")
BUYBACK = PROGRAMS[-1].address


@pytest.fixture
def ledger() -> Iterator[EmbeddedLedger]:
    """A ledger that serves the committed programs under the upgradeable loader."""
    with EmbeddedLedger.start(programs=program_images(AUTHORITY)) as started:
        yield started


def put(ledger: EmbeddedLedger, address: Pubkey, owner: Pubkey, data: bytes) -> None:
    machine = ledger.chain.machine
    rent = machine.minimum_balance_for_rent_exemption(len(data))
    machine.set_account(address, Account(rent, data, owner, owner == LOADER_V2, 0))


def remove(ledger: EmbeddedLedger, address: Pubkey) -> None:
    ledger.chain.machine.set_account(address, Account(0, b"", Pubkey.default(), False, 0))


def fetched_into(folder: Path, ledger: EmbeddedLedger, **options: bool) -> None:
    with cluster(ledger.rpc_url) as client:
        store(fetch(client), folder, **options)


def test_what_is_fetched_is_what_was_deployed(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    fetched_into(tmp_path, ledger)
    for file, checksum in elf.checksums().items():
        assert (tmp_path / file).read_bytes() == elf.load(file.removesuffix(".so"))
        locked = next(one for one in read_lock(tmp_path).programs if one.sha256 == checksum)
        assert locked.loader == str(UPGRADEABLE_LOADER)
    assert read_lock(tmp_path).get("buyback").upgrade_authority == str(AUTHORITY)
    assert read_lock(tmp_path).get("candy_guard").upgrade_authority is None
    assert verified(tmp_path, open_set(str(tmp_path))).checksums() == open_set().checksums()


def test_room_that_the_loader_keeps_is_left_out(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    code = program_data_address(BUYBACK)
    kept = bytes(ledger.chain.machine.get_account(code).data)
    put(ledger, code, UPGRADEABLE_LOADER, kept + bytes(100_000))
    fetched_into(tmp_path, ledger)
    locked = read_lock(tmp_path).get("buyback")
    assert locked.sha256 == elf.checksums()["buyback.so"]
    assert locked.bytes == len(kept) - HEADER_BYTES


def test_the_older_loader_is_read_too(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    put(ledger, BUYBACK, LOADER_V2, elf.load("buyback"))
    fetched_into(tmp_path, ledger)
    locked = read_lock(tmp_path).get("buyback")
    assert (locked.loader, locked.slot) == (str(LOADER_V2), None)
    assert locked.sha256 == elf.checksums()["buyback.so"]


def test_a_cluster_without_the_buyback_will_do(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    remove(ledger, BUYBACK)
    fetched_into(tmp_path, ledger)
    assert read_lock(tmp_path).get("buyback") is None
    assert verified(tmp_path, open_set(str(tmp_path))).origins["buyback"] == "committed"


@pytest.mark.parametrize("gone", ["program", "code", "closed", "wallet"])
def test_a_cluster_without_the_candy_guard_will_not(ledger: EmbeddedLedger, gone: str) -> None:
    address = PROGRAMS[2].address
    if gone == "program":
        remove(ledger, address)
    elif gone == "code":
        remove(ledger, program_data_address(address))
    elif gone == "closed":
        data = struct.pack("<I", 0) + bytes(HEADER_BYTES)
        put(ledger, program_data_address(address), UPGRADEABLE_LOADER, data)
    else:
        put(ledger, address, Pubkey.default(), b"")
    with cluster(ledger.rpc_url) as client, pytest.raises(NotDeployed, match=r"^candy_guard \(Gua"):
        fetch(client)


def test_an_upgrade_is_told_and_not_taken_silently(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    fetched_into(tmp_path, ledger)
    before = (tmp_path / LOCK_FILE).read_bytes()
    code = program_data_address(BUYBACK)
    kept = bytearray(ledger.chain.machine.get_account(code).data)
    kept[-1] ^= 1
    put(ledger, code, UPGRADEABLE_LOADER, bytes(kept))
    with pytest.raises(Changed, match=r"buyback was .*, is .*--accept-changes"):
        fetched_into(tmp_path, ledger)
    assert (tmp_path / LOCK_FILE).read_bytes() == before
    assert (tmp_path / "buyback.so").read_bytes() == elf.load("buyback")
    fetched_into(tmp_path, ledger, accept_changes=True)
    assert (tmp_path / "buyback.so").read_bytes() == bytes(kept[HEADER_BYTES:])


@pytest.mark.parametrize("spoil", ["file", "missing", "stranger", "lock", "no lock"])
def test_a_folder_that_was_changed_is_refused(
    ledger: EmbeddedLedger, tmp_path: Path, spoil: str
) -> None:
    fetched_into(tmp_path, ledger)
    path, lock = tmp_path / "buyback.so", tmp_path / LOCK_FILE
    if spoil == "file":
        path.write_bytes(path.read_bytes() + b"\0")
    elif spoil == "missing":
        path.unlink()
    elif spoil == "stranger":
        content = json.loads(lock.read_text())
        content["programs"] = [one for one in content["programs"] if one["name"] != "buyback"]
        lock.write_text(json.dumps(content))
    elif spoil == "lock":
        lock.write_text("{")
    else:
        lock.unlink()
    with pytest.raises(UsageError, match="fetch"):
        verified(tmp_path, open_set(str(tmp_path)))


def test_a_suite_runs_on_fetched_bytes(
    ledger: EmbeddedLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    done = runner.invoke(app, ["programs", "fetch", "--url", ledger.rpc_url])
    assert done.exit_code == 0, done.output
    harness = str(Path(sys.executable).with_name("harness"))
    played = subprocess.run(
        [harness, "run", "flow", "-k", "life_cycle", "--programs", "fetched"],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert played.returncode == 0, played.stderr
    (facts,) = Path("runs").glob("*/run.json")
    ran = json.loads(facts.read_text())
    assert ran["programs"] == {"choice": "fetched", "sha256": open_set().checksums()}
    assert " --programs fetched " in ran["command"]
    listed = runner.invoke(app, ["programs", "list", "--programs", "fetched"])
    assert elf.checksums()["buyback.so"] in listed.stdout


def test_verify_tells_what_a_cluster_runs_otherwise(ledger: EmbeddedLedger) -> None:
    command = ["programs", "verify", "--url", ledger.rpc_url]
    assert CliRunner().invoke(app, command).exit_code == 0
    remove(ledger, BUYBACK)
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, done.stdout) == (1, "buyback: is not deployed\n")


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("mainnet-beta", UsageError, "not an RPC URL"),
        ("http://127.0.0.1:9/secret-key", StartError, r"^127\.0\.0\.1: .*does not answer"),
    ],
)
def test_what_is_no_cluster(
    url: str, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.programs.fetch.time.sleep", lambda _: None)
    with pytest.raises(error, match=message) as raised, cluster(url) as client:
        fetch(client)
    assert "secret-key" not in str(raised.value)


def test_an_elf_ends_where_its_tables_say() -> None:
    content = elf.load("buyback")
    assert elf_bytes(content) == len(content)
    assert trimmed(content + bytes(7)) == content
    assert trimmed(content + b"\0\1") == content + b"\0\1", "what is not padding is kept"
    assert trimmed(content[:-1]) == content[:-1], "a cut ELF is handed on as it is"
    assert elf_bytes(b"\x7fELF") is None


def test_other_accounts_are_not_taken_for_programs() -> None:
    for owner, data in [(Pubkey.default(), b""), (UPGRADEABLE_LOADER, b"\3\0\0\0" + bytes(60))]:
        with pytest.raises(NotDeployed):
            code_address(owner, data)
    for loader in (LOADER_V2, UPGRADEABLE_LOADER):
        with pytest.raises(NotDeployed):
            code_from(loader, b"\3\0\0\0" + bytes(60))
