"""A load that is fast and wrong fails: a backend that keeps every threshold while it does damage.

The damage is a patch inside the backend's own process, put there by Python's `sitecustomize`, so
that everything from the crowd to the exit code is the real thing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = str(Path(sys.executable).with_name("harness"))
PROFILE = """
arrival = "constant"
thresholds = ["p95 < 5 s", "errors < 1 %", "dropped arrivals = 0"]

[mix]
reveal = 1
sell = 1

[[stages]]
seconds = 5
rate = 3
"""
IN_THE_BACKEND = """
import os
import sys

if sys.orig_argv[1:3] == ["-m", "backend"]:
    from backend.service import buyback, reveal
    from sqlalchemy import text
{damage}
"""
ONE_LAMPORT_MORE = """
    right = buyback.to_lamports
    buyback.to_lamports = lambda *given: right(*given) + 1
"""
NO_RECORD = """
    enter = buyback.BuybackService._enter

    def forgetful(self, quote_id, mint, *more):
        enter(self, quote_id, mint, *more)
        forget = "delete from buyback_records where nft_mint = :mint returning 1"
        self.db.rows(text(forget), mint=mint)

    buyback.BuybackService._enter = forgetful
"""
REVEALED_TWICE = """
    finish = reveal.RevealService._finish

    def eager(self, row, **how):
        revealed = finish(self, row, **how)
        _, metadata = self._shown(row)
        blockhash, height = self.ledger.latest_blockhash()
        again = self._transaction(metadata, row.title, row.metadata_uri + "?", blockhash)
        self.ledger.send(bytes(again), height)
        return revealed

    reveal.RevealService._finish = eager
"""
ANOTHER_SKIN_IN_THE_BOOKS = """
    finish = reveal.RevealService._finish

    def mistaken(self, row, **how):
        revealed = finish(self, row, **how)
        another = (
            "update user_skins set skin_template_id = (select min(id) from skin_templates "
            "where id <> skin_template_id) where nft_mint_address = :mint returning 1"
        )
        self.db.rows(text(another), mint=row.nft_mint)
        return revealed

    reveal.RevealService._finish = mistaken
"""
MINT_IN_THE_LOG = """
    paid = buyback.BuybackService._pay

    def talkative(self, quote):
        os.write(1, f"paying for {quote.nft_mint}\\n".encode())  # print redacts addresses
        return paid(self, quote)

    buyback.BuybackService._pay = talkative
"""


@pytest.mark.parametrize(
    ("damage", "judge", "said"),
    [
        (ONE_LAMPORT_MORE, "burnt, paid and recorded", "in force when it was quoted"),
        (NO_RECORD, "burnt, paid and recorded", "recorded 0x"),
        (REVEALED_TWICE, "revealed once, as recorded", "rewritten 2 times"),
        (ANOTHER_SKIN_IN_THE_BOOKS, "revealed once, as recorded", "the books say"),
        (MINT_IN_THE_LOG, "nothing told in logs", "stands in the backend's log"),
    ],
    ids=["a lamport more", "no record", "revealed twice", "another skin", "a mint in the log"],
)
def test_damage_fails_a_load_that_keeps_its_thresholds(
    tmp_path: Path, damage: str, judge: str, said: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(IN_THE_BACKEND.format(damage=damage))
    (tmp_path / "mine.toml").write_text(PROFILE)
    done = subprocess.run(
        [HARNESS, "load", "mine.toml"], cwd=tmp_path, capture_output=True, text=True, timeout=240,
        check=False, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "WRONG: the judges found damage after the load" in done.stdout
    (report,) = tmp_path.glob("runs/*/load.json")
    found = json.loads(report.read_text())
    assert all(one["holds"] for one in found["thresholds"]), found["thresholds"]
    (failed,) = [one for one in found["judgements"] if not one["passed"]]
    assert failed["judge"] == judge
    assert all(said in finding for finding in failed["findings"]), failed["findings"]
    assert f"{judge}: " in done.stdout
