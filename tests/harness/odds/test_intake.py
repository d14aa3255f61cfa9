"""Bad input: a clear line that names the row, or a count. Nothing is dropped silently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from harness.errors import UsageError
from harness.odds.draws import Draws
from harness.odds.intake import _is_null, draws_from_frame, draws_of
from harness.odds.sources.files import draws_from_file
from harness.odds.table import RarityTable, guide_table

TABLE = guide_table()


def frame(**changes: object) -> pd.DataFrame:
    columns: dict[str, object] = {
        "time": ["2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z", "2026-01-01T00:02:00+00:00"],
        "mint": ["m1", "m2", "m3"],
        "wallet": ["w1", "w2", "w1"],
        "box": ["mystery-box"] * 3,
        "tier": ["Common", "legendary", "Rare"],
        "skin": ["a", "b", "c"],
        "paid_lamports": [200_000_000] * 3,
    }
    return pd.DataFrame({**columns, **changes})


def test_a_good_table_is_taken_as_it_is() -> None:
    draws = draws_from_frame(frame(), TABLE)
    assert len(draws) == draws.rows_in == 3
    shown = draws.frame()
    assert list(shown["tier"]) == ["Common", "Legendary", "Rare"]
    assert list(shown["mint"]) == ["m1", "m2", "m3"]
    assert list(shown["time"].dt.minute) == [0, 1, 2]
    assert list(draws.of(TABLE).counts) == [1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tier": ["Common", "Mythic", "Rare"]}, r"row 2: unknown tier \(tier 'Mythic'\)"),
        ({"tier": ["Common", None, "Rare"]}, "row 2: tier is missing"),
        ({"tier": ["Common", float("nan"), "Rare"]}, "row 2: tier is missing"),
        ({"tier": ["Common", " ", "Rare"]}, "row 2: tier is missing"),
        ({"box": ["mystery-box", "mystery-box", "gold"]}, "row 3: box without a table"),
        ({"box": [None, "mystery-box", "mystery-box"]}, "row 1: box is missing"),
        ({"mint": ["m1", "m2", "m1"]}, "row 3: mint stands in row 1 already"),
        ({"mint": ["m1", None, "m3"]}, "row 2: mint is missing"),
        ({"wallet": ["w", "", "w"]}, "row 2: wallet is missing"),
        (
            {"time": ["2026-01-01", "yesterday", None]},
            r"row 2: time is no ISO 8601 time, day.month.year or Unix time \(time 'yest",
        ),
        (
            {"paid_lamports": [1, -5, 2]},
            r"row 2: paid_lamports is no whole number from 0 \(paid_la",
        ),
        ({"paid_lamports": [1, float("nan"), 2]}, "row 2: paid_lamports is no whole number"),
        ({"paid_lamports": [1, 0.5, 2]}, "row 2: paid_lamports is no whole number"),
        ({"paid_lamports": ["1", "many", "2"]}, "row 2: paid_lamports is no whole number"),
        ({"luck": [1, 2, 3]}, "unknown column 'luck'"),
    ],
)
def test_a_bad_row_is_named_or_counted(changes: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        draws_from_frame(frame(**changes), TABLE)
    if "luck" in changes:
        return
    draws = draws_from_frame(frame(**changes), TABLE, strict=False)
    assert draws.rejects.total > 0
    assert draws.rows_in == 3 == len(draws) + draws.rejects.total
    assert len(draws.frame()) == len(draws)
    assert draws.rejects.examples[0].startswith("row ")


def test_rows_are_counted_over_many_parts() -> None:
    """The bad row is the seventh of the file, whatever part it comes in; a duplicate names both
    rows though rows between them were rejected."""
    parts = [pa.Table.from_pandas(frame(mint=[f"{n}a", f"{n}b", f"{n}c"])) for n in range(3)]
    bad = frame(tier=["Mythic", "Common", "Rare"], mint=["x", "0b", "y"])
    parts[2] = pa.Table.from_pandas(bad)
    with pytest.raises(UsageError, match="row 7: unknown tier"):
        draws_of(parts, "s", {TABLE.box: TABLE})
    draws = draws_of(parts, "s", {TABLE.box: TABLE}, strict=False)
    assert draws.rejects.counted == {"unknown tier": 1, "mint stands twice": 1}
    assert draws.rejects.examples[1] == "row 8: mint stands in row 2 already"
    assert len(draws) == 7
    assert draws.mint_hash is not None
    assert len(set(draws.mint_hash)) == 7


def test_no_rows_and_no_tier_column_are_refused() -> None:
    with pytest.raises(UsageError, match="has no rows"):
        draws_from_frame(frame().iloc[:0], TABLE)
    with pytest.raises(UsageError, match="has no column tier"):
        draws_from_frame(frame().drop(columns="tier"), TABLE)
    with pytest.raises(UsageError, match="all 3 rows were rejected, first row 1: unknown tier"):
        draws_from_frame(frame(tier=["x", "y", "z"]), TABLE, strict=False)
    other = RarityTable("gold", {"A": "0.5", "B": "0.5"})
    with pytest.raises(UsageError, match="has no column box, but 2 tables"):
        draws_from_frame(frame().drop(columns="box"), {TABLE.box: TABLE, "gold": other})


def test_a_tier_of_another_box_is_unknown_to_this_one() -> None:
    gold = RarityTable("gold", {"A": "0.5", "B": "0.5"})
    tables = {TABLE.box: TABLE, "gold": gold}
    mixed = frame(box=["mystery-box", "gold", "gold"], tier=["Common", "A", "B"])
    draws = draws_from_frame(mixed, tables)
    assert list(draws.of(gold).counts) == [1, 1]
    assert list(draws.of(TABLE).counts) == [1, 0, 0, 0, 0]
    with pytest.raises(UsageError, match="row 3: unknown tier"):
        draws_from_frame(mixed.assign(tier=["Common", "A", "Common"]), tables)


def same(first: Draws, second: Draws) -> None:
    pd.testing.assert_frame_equal(first.frame(), second.frame())
    assert first.fingerprint == second.fingerprint


def test_csv_and_parquet_and_frames_give_the_same_draws(tmp_path: Path) -> None:
    given = draws_from_frame(frame(), TABLE)
    for path in written(frame(), tmp_path):
        same(draws_from_file(path, {TABLE.box: TABLE}), given)
    other = draws_from_frame(frame(skin=["a", "b", "d"]), TABLE)
    assert other.fingerprint != given.fingerprint


def written(table: pd.DataFrame, folder: Path) -> list[Path]:
    csv, file = folder / "draws.csv", folder / "draws.parquet"
    table.to_csv(csv, index=False)
    parquet.write_table(pa.Table.from_pandas(table, preserve_index=False), file)
    return [csv, file]


def test_without_their_mints_draws_are_known_by_the_same_fingerprint(tmp_path: Path) -> None:
    given = draws_from_frame(frame(), TABLE)
    for path in written(frame(), tmp_path):
        draws = draws_from_file(path, {TABLE.box: TABLE}, keep_mints=False)
        assert draws.mint_hash is None
        assert draws.fingerprint == given.fingerprint
        assert "mint" not in draws.frame()
    for path in written(frame(mint=["m1", "m3", "m2"]), tmp_path):
        draws = draws_from_file(path, {TABLE.box: TABLE}, keep_mints=False)
        assert draws.fingerprint != given.fingerprint


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mint": ["m1", "m2", "m1"]}, "row 3: mint stands in row 1 already"),
        ({"mint": ["m1", None, "m3"]}, "row 2: mint is missing"),
        ({"tier": ["Common", "Mythic", "Rare"]}, "row 2: unknown tier"),
    ],
)
def test_without_their_mints_a_bad_row_is_named_and_counted_all_the_same(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    taken = draws_from_frame(frame(**changes), TABLE, strict=False)
    for path in written(frame(**changes), tmp_path):
        with pytest.raises(UsageError, match=told):
            draws_from_file(path, {TABLE.box: TABLE}, keep_mints=False)
        draws = draws_from_file(path, {TABLE.box: TABLE}, keep_mints=False, strict=False)
        assert (draws.rows_in, draws.rejects.total) == (3, 1)
        same(draws, taken)


@pytest.mark.parametrize("heading", ["rarity", "Rarity", " Tier "])
def test_a_tier_may_be_called_rarity_in_any_case(tmp_path: Path, heading: str) -> None:
    """The guide's tables say rarity; who exports them has that word in the file."""
    given = frame().drop(columns="mint")
    renamed = given.rename(columns={"tier": heading, "wallet": "Wallet"})
    same(draws_from_frame(renamed, TABLE), draws_from_frame(given, TABLE))
    for path in written(renamed, tmp_path):
        for keep in (True, False):
            draws = draws_from_file(path, {TABLE.box: TABLE}, keep_mints=keep)
            same(draws, draws_from_frame(given, TABLE))


def test_two_columns_that_say_the_same_are_refused(tmp_path: Path) -> None:
    for twice in (frame(rarity=["Rare"] * 3), frame(Tier=["Rare"] * 3)):
        for path in written(twice, tmp_path):
            with pytest.raises(UsageError, match=r"'tier' and '(rarity|Tier)' both say tier; keep"):
                draws_from_file(path, {TABLE.box: TABLE}, keep_mints=False)
    for path in written(frame(Mint=["a", "a", "b"]), tmp_path):
        with pytest.raises(UsageError, match="'mint' and 'Mint' both say mint; keep"):
            draws_from_file(path, {TABLE.box: TABLE}, keep_mints=False)


def test_a_file_of_tiers_alone_is_read(tmp_path: Path) -> None:
    """Parquet was asked for a dictionary of wallets, whether there were any or not."""
    alone = frame()[["tier"]]
    for path in written(alone, tmp_path):
        same(draws_from_file(path, {TABLE.box: TABLE}), draws_from_frame(alone, TABLE))


def test_a_spreadsheets_semicolons_and_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "draws.csv"
    frame().to_csv(path, index=False, sep=";", encoding="utf-8-sig")
    same(draws_from_file(path, {TABLE.box: TABLE}), draws_from_frame(frame(), TABLE))


def test_a_spreadsheets_tabs_are_read(tmp_path: Path) -> None:
    """What is copied out of a spreadsheet has tabs between its columns."""
    path = tmp_path / "draws.csv"
    frame().to_csv(path, index=False, sep="\t")
    same(draws_from_file(path, {TABLE.box: TABLE}), draws_from_frame(frame(), TABLE))


def test_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.csv: cannot be read \(No such file"):
        draws_from_file(tmp_path / "none.csv", {TABLE.box: TABLE})
    (tmp_path / "broken.parquet").write_text("no")
    with pytest.raises(UsageError, match=r"broken\.parquet: cannot be read"):
        draws_from_file(tmp_path / "broken.parquet", {TABLE.box: TABLE})
    with pytest.raises(UsageError, match=r"read from \.csv, \.parquet"):
        draws_from_file(tmp_path / "draws.xls", {TABLE.box: TABLE})
    with pytest.raises(UsageError, match=r"^\.: draws are read from"):
        draws_from_file(Path(), {TABLE.box: TABLE})
    (tmp_path / "empty.csv").write_text("tier\n")
    with pytest.raises(UsageError, match=r"empty\.csv: has no rows"):
        draws_from_file(tmp_path / "empty.csv", {TABLE.box: TABLE})


def test_draws_are_put_in_the_order_of_time() -> None:
    late_first = frame(time=["2026-01-03", "2026-01-01", "2026-01-02"])
    assert list(draws_from_frame(late_first, TABLE).of(TABLE).tier) == [4, 2, 0]


def test_mints_hash_apart() -> None:
    rng = np.random.default_rng(1)
    mints = sorted({f"{a:x}" for a in rng.integers(0, 2**40, 50_000)})
    table = pd.DataFrame({"mint": mints, "tier": ["Common"] * len(mints)})
    hashes = draws_from_frame(table, TABLE).mint_hash
    assert hashes is not None
    assert len(np.unique(hashes)) == len(mints)


def test_missing_values_are_found_in_a_part_of_a_column() -> None:
    column = pa.array([1, None, 3, None, None, 6, 7, 8, 9, None] * 3)
    for start in range(12):
        part = column.slice(start, 11)
        assert list(_is_null(part)) == [one is None for one in part.to_pylist()]
    assert len(_is_null(column.slice(3, 0))) == 0


@pytest.mark.parametrize(
    ("texts", "microseconds"),
    [
        (["2026-01-01T00:00:00Z", "2026-01-01 02:00:00.5+02:00"], [0, 500_000]),
        (["2026-01-01", "2026-01-01T00:01"], [0, 60_000_000]),
        (["2026-01-01T00:00:00Z", "2026-01-01T00:00:00"], [0, 0]),
        (["2026-01-01T00:00:00.1234567Z", "20260101T000000Z"], [123_456, 0]),
        (["01.01.2026", "2.1.2026"], [0, 86_400_000_000]),
        (["01.01.2026 00:00:00", "01.01.2026 00:00:01"], [0, 1_000_000]),
        (["1767225600", "1767225601.5"], [0, 1_500_000]),
        ([1767225600, 1767225601], [0, 1_000_000]),
        ([1767225600000, 1767225600001], [0, 1000]),
        (["1767225600000000", "2026-01-01"], [0, 0]),
        (["20260101", "2026-01-01T00:00:00.1234567Z"], [0, 123_456]),
    ],
)
def test_times_are_read_with_a_zone_without_and_mixed(
    texts: list[str], microseconds: list[int]
) -> None:
    """Without a zone a time is UTC, whichever way it was read. Exports have Unix times and dots,
    as price histories do; eight digits are a date."""
    table = pd.DataFrame({"time": texts, "tier": ["Common"] * 2})
    times = draws_from_frame(table, TABLE).time_us
    assert times is not None
    assert list(times - 1_767_225_600_000_000) == microseconds


@pytest.mark.parametrize(
    "wrong", ["31.2.2026", "1.13.2026", "3/1/2026", "1e300", "inf", "12", None]
)
def test_a_time_that_could_be_two_or_none_is_named(wrong: str | None) -> None:
    """Of 3/1/2026 a batch of rows does not say which is the month."""
    table = pd.DataFrame({"time": ["01.02.2026", "1767225600", wrong], "tier": ["Common"] * 3})
    with pytest.raises(UsageError, match=r"row 3: time is no ISO 8601 time, day\.month\.year or"):
        draws_from_frame(table, TABLE)
