"""The comparison sees what differs, and explains no more than its list and the price of calls."""

from __future__ import annotations

import inspect
import json
import re
from base64 import b64encode
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.ledger.embedded.dispatch import METHODS
from harness.parity.compare import compare_runs
from harness.parity.difference import Difference, read_known, sort_out
from harness.parity.probes import probes
from harness.parity.rpc import compare_answers
from harness.parity.shape import shape_of
from harness.parity.units import calls_in, within_price

_ADDRESS = "EnaEFT4oda8qNh6ETT9wxZFTC4ucRByeNituR3gyzxPt"
_LINE = {
    "seq": 0, "at": "now", "scenario": "s", "kind": "transaction", "action": "mint", "slot": 7,
    "outcome": "landed", "compute_units": 1000, "error": None,
    "logs": ["Program a invoke [1]", "Program b invoke [2]", "Program b success"],
}  # fmt: skip


def _run(folder: Path, line: dict[str, object], data: bytes = b"abc") -> Path:
    for kind in ("scenarios", "accounts"):
        (folder / kind).mkdir(parents=True)
    (folder / "scenarios/one.jsonl").write_text(json.dumps(line) + "\n")
    account = {"name": "nft-1", "lamports": 5, "owner": _ADDRESS, "executable": False,
               "data": b64encode(data).decode()}  # fmt: skip
    (folder / "accounts/one.json").write_text(json.dumps({_ADDRESS: account}))
    return folder


def _differences(tmp_path: Path, data: bytes = b"abc", **changes: object) -> list[Difference]:
    left = _run(tmp_path / "left", _LINE)
    right = _run(tmp_path / "right", {**_LINE, **changes}, data)
    return compare_runs(left, right).differences


def test_equal_runs_differ_in_nothing_but_time(tmp_path: Path) -> None:
    assert _differences(tmp_path, slot=99, at="later") == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"outcome": "failed"}, "transaction mint: outcome"),
        ({"error": {"name": "X"}}, "transaction mint: error"),
        ({"logs": [*_LINE["logs"][:2], "Program b failed"]}, "transaction mint: logs"),
        ({"compute_units": 1001}, "transaction mint: compute_units"),
        ({"compute_units": 945}, "transaction mint: compute_units"),
        ({"kind": "http"}, "journal"),
        ({"data": b"abd"}, "account nft-1: data"),
    ],
)
def test_each_difference_is_seen_and_not_explained(
    tmp_path: Path, changes: dict[str, object], what: str
) -> None:
    found = _differences(tmp_path, **changes)  # type: ignore[arg-type]
    assert [one.what for one in found] == [what]
    explained, unexplained = sort_out(found, read_known())
    assert explained == []
    assert unexplained == found


def test_units_within_the_price_of_calls_are_known(tmp_path: Path) -> None:
    found = _differences(tmp_path, compute_units=946)
    assert [one.what for one in found] == ["transaction mint: compute_units (price of calls)"]
    explained, unexplained = sort_out(found, read_known())
    assert len(explained) == 1
    assert unexplained == []


@pytest.mark.parametrize(("less", "known"), [(54, True), (55, False)])
def test_a_judges_largest_figure_is_known_within_the_price(
    tmp_path: Path, less: int, known: bool
) -> None:
    """The price of as many calls as a transaction before it made."""
    folders = [_run(tmp_path / side, _LINE) for side in ("left", "right")]
    for folder, units in zip(folders, (1000, 1000 - less), strict=True):
        line = {"seq": 1, "at": "now", "scenario": "s", "kind": "check",
                "judge": "within the limits", "counted": {"compute_units_max": units}}  # fmt: skip
        with (folder / "scenarios/one.jsonl").open("a") as journal:
            journal.write(json.dumps(line) + "\n")
    explained, unexplained = sort_out(compare_runs(*folders).differences, read_known())
    assert (len(explained), len(unexplained)) == (known, not known)


def test_a_missing_scenario_is_a_difference(tmp_path: Path) -> None:
    left, right = _run(tmp_path / "left", _LINE), tmp_path / "right"
    right.mkdir()
    assert [one.what for one in compare_runs(left, right).differences] == ["scenario"]


def test_the_price_of_calls_goes_one_way_only() -> None:
    line = "Program a consumed {} of {} compute units"
    assert calls_in(_LINE["logs"]) == 1  # type: ignore[arg-type]
    assert within_price(line.format(1054, 9000), line.format(1000, 9000), 1)
    assert within_price(line.format(1000, 9000), line.format(1000, 9054), 1)
    assert not within_price(line.format(1000, 9000), line.format(1054, 9000), 1)
    assert not within_price(line.format(1055, 9000), line.format(1000, 9000), 1)
    assert not within_price("Program a success", "Program b success", 9)


def test_shapes_see_fields_and_types_not_values() -> None:
    assert shape_of({"a": [1, 2], "b": None}) == shape_of({"a": [3], "b": None})
    assert shape_of({"a": 1}) != shape_of({"a": "1"})
    assert shape_of({_ADDRESS: 1}) == {"(address)": "number", "(itself)": "object"}


def test_answers_differ_by_field_code_and_message() -> None:
    ours = {"getX": {"result": {"a": 1}}, "getY": {"error": {"code": 1, "message": "m"}}}
    theirs = {"getX": {"result": {"b": 1}}, "getY": {"error": {"code": 2, "message": "n"}}}
    assert compare_answers(ours, ours).differences == []
    assert [one.what for one in compare_answers(ours, theirs).differences] == [
        "rpc getX: result.a", "rpc getX: result.b", "rpc getY: error code",
        "rpc getY: error message",
    ]  # fmt: skip


def test_a_list_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text('[[known]]\nwhat = "("\nwhy = "x"\n')
    with pytest.raises(UsageError, match=r"known\.toml"):
        read_known(path)


def test_every_method_of_a_node_is_asked() -> None:
    """Those of Surfpool's dialect are not: a validator has none of them."""
    ours = {name for name in METHODS if not name.startswith("surfnet_")}
    asked = set(re.findall(r'Probe\(\s*"(\w+)"', inspect.getsource(probes)))
    assert sorted(ours - asked) == []
