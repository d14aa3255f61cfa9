"""`harness ledger` as a person or a script uses it: a process, its output, its port, its file."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from solana.rpc.api import Client
from solders.account import Account
from solders.pubkey import Pubkey
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import UsageError
from harness.ledger.embedded.storage import account_to_json
from harness.programs.sets import PROGRAMS
from programs import elf
from programs.addresses import SYSTEM, program_data_address
from tests.harness.ledger.wallets import OTHER, PAYER, SOL

HARNESS = str(Path(sys.executable).with_name("harness"))
ROOT = Path(__file__).parents[3]
ELF = ROOT / "programs" / "elf" / "buyback.so"
PROGRAM = Pubkey(b"\x05" * 32)


@contextmanager
def running(*options: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """The command with --json on a free port: what it said when ready, and the process."""
    command = [HARNESS, "ledger", "--port", "0", "--json", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            assert line, process.stderr and process.stderr.read()
            yield json.loads(line), process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def test_it_serves_programs_accounts_and_funds_and_keeps_its_state(tmp_path: Path) -> None:
    oracle = Pubkey(b"\x06" * 32)
    file = tmp_path / "oracle.json"
    file.write_text(json.dumps(account_to_json(oracle, Account(SOL, b"price", SYSTEM, False, 0))))
    state = tmp_path / "state"
    options = (
        "--program", f"{PROGRAM}={ELF}", "--account", f"-={file}", "--fund",
        f"{PAYER.pubkey()}=1.001", "--state", str(state),
    )  # fmt: skip
    with running(*options) as (facts, process):
        client = Client(facts["rpc_url"])
        assert client.get_balance(PAYER.pubkey()).value == 1_001_000_000
        held = client.get_account_info(oracle).value
        assert held is not None
        assert held.data == b"price"
        code = client.get_account_info(program_data_address(PROGRAM)).value
        assert code is not None
        assert bytes(code.data)[45:] == ELF.read_bytes()
        signature = client.request_airdrop(OTHER, SOL).value
        assert process.stdout is not None
        shown = json.loads(process.stdout.readline())["transaction"]
        assert shown["signature"] == str(signature)
        assert [one["name"] for one in shown["instructions"]] == [
            "setComputeUnitLimit", "transfer",
        ]  # fmt: skip
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    with running("--state", str(state)) as (facts, _):
        client = Client(facts["rpc_url"])
        assert client.get_balance(OTHER).value == SOL
        assert client.get_transaction(signature).value is not None


def test_it_brings_the_programs_of_the_economy(tmp_path: Path) -> None:
    state = tmp_path / "state"
    options = ("--programs", "committed", "--authority", str(OTHER), "--state", str(state))
    for _ in range(2):  # the second time they are in the saved state
        with running(*options) as (facts, _):
            client = Client(facts["rpc_url"])
            for program in PROGRAMS:
                found = client.get_account_info(program.address).value
                assert found is not None
                assert found.executable
                code = client.get_account_info(program_data_address(program.address)).value
                assert code is not None
                assert bytes(code.data)[45:] == elf.load(program.file)
                upgradeable = bytes(code.data)[12:45] == b"\x01" + bytes(OTHER)
                assert upgradeable == (program.name == "buyback")


def test_it_clones_and_forks_from_another_ledger(tmp_path: Path) -> None:
    with running("--fund", f"{PAYER.pubkey()}=3", "--program", f"{PROGRAM}={ELF}") as (facts, _):
        url = facts["rpc_url"]
        with running("--clone", str(PAYER.pubkey()), "--url", url) as (clone, _):
            client = Client(clone["rpc_url"])
            assert client.get_balance(PAYER.pubkey()).value == 3 * SOL
            assert client.get_account_info(PROGRAM).value is None
        with running("--fork", "--url", url, "--cache", str(tmp_path)) as (fork, _):
            found = Client(fork["rpc_url"]).get_account_info(PROGRAM).value
            assert found is not None
            assert found.executable
    assert list(tmp_path.rglob(f"{PROGRAM}.json"))


def test_wrong_options_are_said_in_a_line(tmp_path: Path) -> None:
    no_elf = tmp_path / "no.so"
    no_elf.write_text("no")
    for options, said in (
        (("--fork",), "name it with --url"),
        (("--authority", str(OTHER)), "--authority is the buyback's of --programs"),
        (("--programs", "none/such"), "nor a folder with ELFs"),
        (("--programs", "committed", "--authority", "me"), "is not an address"),
        (("--program", f"{PROGRAM}={no_elf}"), "is not an ELF file"),
        (("--program", "nothing"), "--program takes ADDRESS=FILE"),
        (("--program", f"short={ELF}"), "is not an address"),
        (("--account", f"-={no_elf}"), "is not an account file"),
        (("--fund", f"{PROGRAM}=much"), "--fund takes ADDRESS=SOL"),
        (("--fund", f"{PROGRAM}=²"), "--fund takes ADDRESS=SOL"),
        (("--fund", f"{PROGRAM}=0.0000000001"), "--fund takes ADDRESS=SOL"),
        (("--fund", f"{PROGRAM}=99999999999"), "--fund takes ADDRESS=SOL"),
        (("--state", str(tmp_path / "none" / "state")), "cannot write the snapshot"),
        (("--fork", "--url", "http://127.0.0.1:9"), "cannot fork"),
        (("--fork", "--url", "http://[::1"), "--url: is not a URL"),
        (("--fork", "--url", "http://127.0.0.1:9", "--cache", str(no_elf)), "cannot be made"),
        (("--lag", "40,2"), "--lag takes two numbers"),
        (("--clone", str(PROGRAM), "--url", "http://127.0.0.1:9"), "cannot clone"),
    ):
        done = CliRunner().invoke(app, ["ledger", "--port", "0", *options])
        assert isinstance(done.exception, UsageError), done.output
        assert said in str(done.exception)


def test_it_answers_a_plain_http_client() -> None:
    with running("--still", "--quiet") as (facts, _):
        body = {"jsonrpc": "2.0", "id": 1, "method": "getSlot"}
        with httpx.Client() as client:
            answers = [client.post(facts["rpc_url"], json=body).json() for _ in range(2)]
        assert answers[0] == answers[1] == {"jsonrpc": "2.0", "id": 1, "result": 1}
