"""The conformance suite: it agrees where programs are the same, and sees where they are not."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import EXIT_USAGE, UsageError
from harness.programs.borsh import u32
from harness.programs.compare import compare, differences
from harness.programs.flows import FLOWS
from harness.programs.interface import MACHINE, METADATA
from harness.programs.keccak import keccak_256
from harness.programs.sets import open_set
from harness.programs.stage import AccountState, Step
from programs import elf

KEY = Pubkey.from_string("11111111111111111111111111111112")
OTHER = Pubkey.from_string("11111111111111111111111111111113")
_MOV_IMMEDIATE = (0xB4, 0xB7)
_INSTRUCTION_BYTES = 8


def with_constant_changed(content: bytes, old: int, new: int) -> bytes:
    """The ELF with every `mov register, old` made `mov register, new`."""
    changed, found = bytearray(content), 0
    for at in range(0, len(content) - _INSTRUCTION_BYTES, _INSTRUCTION_BYTES):
        operation, _, _, immediate = struct.unpack_from("<BBhi", content, at)
        if operation in _MOV_IMMEDIATE and immediate == old:
            struct.pack_into("<i", changed, at + 4, new)
            found += 1
    assert found, f"no instruction loads {old}"
    return bytes(changed)


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one program that differs: its "treasury too low" has another number."""
    folder = tmp_path_factory.mktemp("changed")
    content = with_constant_changed(elf.load("buyback"), 6001, 6099)
    (folder / "buyback.so").write_bytes(content)
    return folder


def test_the_committed_programs_agree_with_themselves() -> None:
    comparison = compare(open_set(), open_set())
    assert comparison.equal
    assert [result.flow for result in comparison.results] == list(FLOWS)
    steps = {one.flow.name: (len(one.steps), one.succeeded) for one in comparison.results}
    # The recipe's own flows had 222 steps of which 100 succeeded; none may quietly stop doing so.
    assert steps == {
        "opcodes": (65, 0),
        "machine": (33, 23),
        "guards-nft": (49, 36),
        "guards-pnft": (49, 36),
        "hidden-sized": (16, 10),
        "hidden-unsized": (16, 10),
        "metadata": (34, 20),
        "collections": (68, 45),
        "delegates": (85, 38),
        "editions": (21, 17),
        "buyback": (59, 32),
    }
    assert all(result.compute_units_ratio == 1 for result in comparison.results)
    page = (Path(__file__).parents[3] / "docs" / "programs.md").read_text()
    assert f"the same {sum(count for count, _ in steps.values())} transactions" in page
    for result in comparison.results:
        row = next(line for line in page.splitlines() if f"`{result.flow.name}`" in line)
        assert f"| {len(result.steps)} ({result.succeeded})" in row


def test_one_changed_program_is_seen(changed: Path) -> None:
    comparison = compare(open_set(), open_set(str(changed)), ("buyback", "editions"))
    seen = {result.flow.name: result.differing for result in comparison.results}
    assert seen["editions"] == []
    first = seen["buyback"][0]
    assert first.reference.name == "sale for a lamport too much"
    (difference,) = first.differences
    assert difference.what == "result"
    assert "6001" in difference.reference
    assert "6099" in difference.other


def test_the_command_tells_by_its_exit_code(changed: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["programs", "compare", *arguments])

    file = tmp_path / "found" / "differences.json"
    done = run(str(changed), "--flow", "buyback", "--json", str(file))
    assert done.exit_code == 1
    assert "step: sale for a lamport too much\n    result: " in done.stdout
    assert f"committed and {changed} differ: " in done.stdout.replace("\n", "")
    found = json.loads(file.read_text())
    assert found["equal"] is False
    assert found["sets"]["other"]["sha256"]["buyback"] == open_set(str(changed)).sha256("buyback")

    same = run(str(elf.FOLDER), "--flow", "buyback")
    assert (same.exit_code, "agree" in same.stdout) == (0, True)

    for arguments in (["nowhere"], [str(changed), "--flow", "opera"]):
        wrong = run(*arguments)
        assert isinstance(wrong.exception, UsageError)
        assert wrong.exception.exit_code == EXIT_USAGE


def test_an_elf_that_the_machine_refuses_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "buyback.so").write_bytes(b"\x7fELF" + bytes(100))
    with pytest.raises(UsageError, match=r"buyback\.so is not accepted by the virtual machine"):
        compare(open_set(), open_set(str(tmp_path)), ("buyback",))


STATE = AccountState(owner=KEY, lamports=5, data=b"abcdefghij")
STEP = Step("s", None, b"\1", 100, (), {KEY: STATE})


def account(**changes: Any) -> Callable[[Step], Step]:
    return lambda step: replace(step, accounts={KEY: replace(STATE, **changes)})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda step: step, []),
        (lambda step: replace(step, compute_units=7, logs=("x",)), []),
        (lambda step: replace(step, error="X"), [("result", "success", "X")]),
        (lambda step: replace(step, return_data=b""), [("return data", "01", "-")]),
        (account(lamports=6), [(f"lamports of {KEY}", "5", "6")]),
        (account(owner=OTHER), [(f"owner of {KEY}", str(KEY), str(OTHER))]),
        (account(data=b"abc"), [(f"size of {KEY}", "10", "3")]),
        (account(data=b"abcdefghiX"), [(f"bytes of {KEY} from 9", "6a", "58")]),
        (
            lambda step: replace(step, accounts={KEY: None}),
            [(f"account {KEY}", "there (5 lamports, 10 bytes)", "absent")],
        ),
    ],
    ids=["same", "units", "result", "return", "lamports", "owner", "size", "bytes", "absent"],
)
def test_each_kind_of_difference_is_seen(
    change: Callable[[Step], Step], expected: list[tuple[str, str, str]]
) -> None:
    found = differences(STEP, change(STEP))
    assert [(one.what, one.reference, one.other) for one in found] == expected


def test_forms_cannot_be_filled_in_wrongly() -> None:
    with pytest.raises(ValueError, match="SignMetadata has no account owner"):
        METADATA("SignMetadata", metadata=KEY, creator=KEY, owner=KEY)
    with pytest.raises(KeyError, match="creator"):
        METADATA("SignMetadata", metadata=KEY)
    lines = MACHINE("addConfigLines", u32(0), candy_machine=KEY, authority=OTHER)
    assert [(one.is_signer, one.is_writable) for one in lines.accounts] == [
        (False, True),
        (True, False),
    ]
    burn = METADATA("BurnNft", metadata=KEY, owner=KEY, mint=KEY, token_account=KEY,
                    master_edition_account=KEY)  # fmt: skip
    assert len(burn.accounts) == 6, "older instructions leave a trailing none out"


def test_keccak_is_the_one_of_ethereum_and_solana() -> None:
    known = {
        b"": "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
        b"abc": "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
    }
    assert {message: keccak_256(message).hex() for message in known} == known
    lengths = {keccak_256(bytes(size)) for size in (135, 136, 137, 272)}
    assert len(lengths) == 4
