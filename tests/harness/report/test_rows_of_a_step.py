"""The timeline tells, after each call, which rows it changed and what they were before."""

from __future__ import annotations

import json

import pytest

from harness.journal import read_journal
from harness.players.api import ApiRefusal
from harness.report import render
from harness.testbed import Testbed


def test_each_step_tells_its_rows(testbed: Testbed) -> None:
    player = testbed.player()
    nft = player.mint()
    skin = player.reveal(nft).skin_name
    player.reveal(nft)  # answered from the books: nothing changes, and nothing is told
    paid = f"{player.quote(nft).lamports} lamports"
    player.sell(nft)
    with pytest.raises(ApiRefusal):
        player.request_buyback(nft)
    told = [line for line in read_journal(testbed.journal.path) if line["kind"] == "rows"]
    assert [(line["nft"], line["changed"]) for line in told] == [
        ("nft-1", {"reveals": [None, "revealed"], "user_skins": [None, skin]}),
        ("nft-1", {"buyback_quotes": [None, f"open {paid}"]}),
        ("nft-1", {
            "user_skins": [skin, f"{skin}, burnt back"],
            "buyback_quotes": [f"open {paid}", f"paid {paid}"],
            "buyback_records": [None, paid],
        }),
    ]  # fmt: skip
    folder = testbed.scratch.parent
    (folder / "journal.jsonl").write_bytes(testbed.journal.path.read_bytes())
    (folder / "run.json").write_text(json.dumps({"exit_code": 0}))
    page = render(folder).read_text()
    life = page[page.index("One life cycle") : page.index("How close")]
    assert f"buyback_quotes: open {paid} → paid {paid}; buyback_records: no row → {paid}" in life


def test_a_database_that_is_gone_has_no_rows_to_tell(testbed: Testbed) -> None:
    player = testbed.player()
    nft = player.mint()
    with testbed.engine.begin() as connection:
        connection.exec_driver_sql("alter table reveals rename to elsewhere")
    with pytest.raises(ApiRefusal):
        player.reveal(nft)
    assert "rows" not in [line["kind"] for line in read_journal(testbed.journal.path)]
