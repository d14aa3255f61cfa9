"""Draws from a run's journal, and from a database that has the guide's two tables and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from harness.database import EmbeddedPostgres
from harness.errors import UsageError
from harness.odds.audit import audit
from harness.odds.sources.database import draws_from_database
from harness.odds.sources.files import draws_from_file
from harness.odds.sources.named import SourceOptions, open_source
from harness.odds.table import RarityTable, guide_table

TABLE = guide_table()
TABLES = {TABLE.box: TABLE}

#: Columns as the guide's "Key Tables" lists them: camel case, no time, no box, ids as TypeORM makes
#: them, the rarity an enumeration.
GUIDE_TABLES = """
create type rarity as enum ('Common', 'Uncommon', 'Rare', 'Epic', 'Legendary');
create table skin_templates (id uuid primary key default gen_random_uuid(), weapon text,
  "skinName" text, condition text, rarity rarity, "basePriceUsd" numeric, "imageUrl" text);
create table user_skins (id uuid primary key default gen_random_uuid(), "nftMintAddress" text,
  "skinTemplateId" uuid, "userId" uuid, "isBurnedBack" boolean default false,
  "buybackTxSignature" text);
insert into skin_templates (weapon, "skinName", rarity, "basePriceUsd") values
  ('AK-47', 'Redline', 'Common', 12.5), ('AWP', 'Fade', 'Legendary', 900);
insert into user_skins ("nftMintAddress", "skinTemplateId", "userId", "isBurnedBack")
  select 'mint' || n, (select id from skin_templates where weapon = case when n <= 38 then 'AK-47'
  else 'AWP' end), case when n % 4 = 0 then null else md5((n % 3)::text)::uuid end, n % 5 = 0
  from generate_series(1, 40) n;
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres.start(tmp_path_factory.mktemp("guide") / "log") as server:
        yield server


@pytest.fixture
def guide_database(server: EmbeddedPostgres) -> Iterator[Engine]:
    engine = create_engine(server.create_database("guide"))
    with engine.begin() as connection:
        connection.execute(text(GUIDE_TABLES))
    yield engine
    engine.dispose()
    server.drop_database("guide")


def test_the_guides_two_tables_are_enough(guide_database: Engine) -> None:
    draws = draws_from_database(guide_database, TABLES)
    assert list(draws.of(TABLE).counts) == [38, 0, 0, 0, 2], "sold ones count as well"
    assert draws.time_us is None
    assert draws.box.names == (TABLE.box,)
    shown = draws.frame()
    assert sorted(shown["mint"]) == sorted(f"mint{n}" for n in range(1, 41))
    assert set(shown["skin"]) == {"AK-47 | Redline", "AWP | Fade"}
    assert shown["wallet"].isna().sum() == 10, "unclaimed NFTs have no owner"
    (box,) = audit(draws, TABLE).boxes
    by_name = {one.test.name: one.test for one in box.confirmatory}
    assert by_name["wallet"].detail == "10 draws without it left out"
    assert by_name["hour of the day"].detail == "the source does not say"


def test_an_nft_without_its_template_is_a_row_without_a_tier(guide_database: Engine) -> None:
    with guide_database.begin() as connection:
        connection.execute(
            text("""insert into user_skins ("nftMintAddress", "skinTemplateId") values
                    ('zz-no-template', null), ('zz-lost', gen_random_uuid())""")
        )
    with pytest.raises(UsageError, match=r"row 41: tier is missing; 2 bad rows"):
        draws_from_database(guide_database, TABLES)
    draws = draws_from_database(guide_database, TABLES, strict=False)
    assert (draws.rows_in, len(draws), draws.rejects.total) == (42, 40, 2)


def test_a_database_without_the_tables_says_which(guide_database: Engine) -> None:
    with guide_database.begin() as connection:
        connection.execute(text("drop table user_skins"))
    with pytest.raises(UsageError, match="database: has no table user_skins"):
        draws_from_database(guide_database, TABLES)
    with guide_database.begin() as connection:
        connection.execute(text("create table user_skins (id int)"))
    with pytest.raises(UsageError, match="has no column like 'nftmintaddress'"):
        draws_from_database(guide_database, TABLES)


def test_an_empty_database_has_no_draws(guide_database: Engine) -> None:
    with guide_database.begin() as connection:
        connection.execute(text("delete from user_skins"))
    with pytest.raises(UsageError, match="database guide: has no rows"):
        draws_from_database(guide_database, TABLES)


# -- the journal ----------------------------------------------------------------------------------


def journal(folder: Path, *changes: dict[str, object]) -> Path:
    """Two scenarios that use the same names, with other lines between the reveals."""
    lines: list[dict[str, object]] = []
    for number, change in enumerate(changes):
        lines.append({"kind": "mint", "scenario": "s", "nft": "nft-1"})
        at = f"2026-01-01T00:00:0{number}Z"
        line = {"kind": "reveal", "scenario": f"s{number % 2}", "at": at,
                "nft": f"nft-{number // 2}", "wallet": "alice", "box": TABLE.box, "tier": "Rare",
                "skin": "a | b", **change}  # fmt: skip
        lines.append({key: value for key, value in line.items() if value is not None})
    path = folder / "journal.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return path


def test_a_journals_reveals_are_draws(tmp_path: Path) -> None:
    draws = draws_from_file(journal(tmp_path, {}, {}, {"tier": "Epic"}), TABLES)
    assert list(draws.of(TABLE).counts) == [0, 0, 2, 1, 0]
    shown = draws.frame()
    assert list(shown["mint"]) == ["s0/nft-0", "s1/nft-0", "s0/nft-1"]
    assert list(shown["wallet"]) == ["s0/alice", "s1/alice", "s0/alice"]
    assert list(shown["time"].dt.second) == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tier": None}, "row 2: tier is missing"),
        ({"tier": 7}, r"row 2: unknown tier \(tier '7'\)"),
        ({"nft": None}, "row 2: mint is missing"),
        ({"wallet": None}, "row 2: wallet is missing"),
        ({"at": None}, "row 2: time is no ISO 8601 time"),
        ({"box": "gold"}, "row 2: box without a table"),
        ({"nft": "nft-0", "scenario": "s0"}, "row 2: mint stands in row 1 already"),
    ],
)
def test_a_bad_line_of_a_journal_is_named_or_counted(
    tmp_path: Path, change: dict[str, object], told: str
) -> None:
    path = journal(tmp_path, {}, change, {})
    with pytest.raises(UsageError, match=f"journal.jsonl: {told}"):
        draws_from_file(path, TABLES)
    draws = draws_from_file(path, TABLES, strict=False)
    assert (draws.rows_in, len(draws), draws.rejects.total) == (3, 2, 1)


def test_a_journal_that_is_none_says_so(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"kind":"reveal"\n')
    with pytest.raises(UsageError, match=r"journal\.jsonl line 1 is not JSON"):
        draws_from_file(path, TABLES)
    path.write_text("[1]\n")
    with pytest.raises(UsageError, match="line 1 is no JSON object"):
        draws_from_file(path, TABLES)
    path.write_text('{"tier":"Rare"}\n')
    with pytest.raises(UsageError, match="line 1 is not one of a journal: it has no kind"):
        draws_from_file(path, TABLES)
    path.write_text('{"kind":"mint"}\n')
    with pytest.raises(UsageError, match="has no rows: nothing was drawn"):
        draws_from_file(path, TABLES)


def test_a_box_that_is_not_asked_for_is_no_silent_drop(tmp_path: Path) -> None:
    gold = RarityTable("gold", {"Rare": "0.5", "Epic": "0.5"})
    path = journal(tmp_path, {}, {"box": "gold"}, {})
    both = draws_from_file(path, {**TABLES, "gold": gold})
    assert [len(both.of(one)) for one in (TABLE, gold)] == [2, 1]
    one = draws_from_file(path, {"gold": gold}, strict=False)
    assert one.rejects.counted == {"box without a table": 2}


def test_a_box_of_another_name_is_rolled_as_its_table_says() -> None:
    """The guide's box is drawn at the guide's odds whatever is promised of it: that is what an
    audit finds out. A box of another name exists only as its table says."""
    gold = RarityTable("gold", {"Rare": "0.875", "Legendary": "1/8"})
    draws = open_source("roll", {"gold": gold}, SourceOptions(draws=4000))
    assert draws.tier.names == ("Legendary", "Rare")
    assert audit(draws, gold).boxes[0].outcome == "not refuted"
    promised = RarityTable(TABLE.box, {**dict(TABLE.odds), "Common": "0.25", "Uncommon": "0.5"})
    draws = open_source("roll", {TABLE.box: promised}, SourceOptions(draws=4000))
    assert audit(draws, promised).refuted


@pytest.mark.parametrize(
    ("odds", "told"),
    [
        ({"Rare": "0.5", "Mythic": "0.5"}, "box gold: Mythic: the reference catalogue has no such"),
        ({"Rare": "1/3", "Epic": "2/3"}, "box gold: Rare: 1/3 has no end in decimals"),
    ],
)
def test_what_no_backend_could_sell_is_named(odds: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        open_source("roll", {"gold": RarityTable("gold", odds)}, SourceOptions(draws=10))
