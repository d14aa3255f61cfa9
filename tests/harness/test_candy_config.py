"""The sugar config.json: the guide's own is taken, a wrong one is told which key and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.candy_config import DEFAULT_PATH, read_candy_config
from harness.errors import UsageError


def test_the_guides_own_file() -> None:
    config = read_candy_config()
    assert config.mint_price_lamports == 200_000_000
    assert (config.bot_tax_lamports, config.bot_tax_last_instruction) == (20_000_000, True)
    assert (config.items_available, config.symbol) == (10_000, "SKIN")
    assert config.hidden.name == "Mystery Skin #$ID+1$"
    assert config.destination is None, "the guide has a placeholder there"


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    content = json.loads(DEFAULT_PATH.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c.pop("number"), "number: is missing"),
        (lambda c: c.update(number=0), "number: must be a whole number from 1"),
        (lambda c: c.update(number="many"), 'is "many"'),
        (lambda c: c.update(numbr=5), "numbr: unknown key"),
        (lambda c: c.update(symbol="TOO LONG A SYMBOL"), "symbol: has 17 bytes, at most 10"),
        (lambda c: c.update(isMutable=False), "isMutable: is false"),
        (lambda c: c.update(price=0.3), "price: 0.3 contradicts"),
        (lambda c: c.update(sellerFeeBasisPoints=10001), "sellerFeeBasisPoints: must be"),
        (lambda c: c.update(tokenStandard="pnft"), "tokenStandard: only nft"),
        (lambda c: c.pop("hiddenSettings"), "hiddenSettings: is missing"),
        (lambda c: c["hiddenSettings"].update(name="x"), r"has neither \$ID\$ nor"),
        (lambda c: c["hiddenSettings"].update(hash="short"), "must be 32 characters"),
        (lambda c: c["hiddenSettings"].update(uri="u" * 201), "has 201 bytes, at most 200"),
        (lambda c: c["creators"][0].update(share=99), "shares add up to 99"),
        (lambda c: c["creators"][0].update(address="me"), r"creators\[0\].address: \"me\" is"),
        (lambda c: c["guards"].pop("default"), "guards.default: is missing"),
        (lambda c: c["guards"].update(groups=[{}]), "guards.groups: guard groups"),
        (lambda c: c["guards"]["default"].pop("solPayment"), "solPayment: is missing"),
        (lambda c: c["guards"]["default"].update(allowList={}), "allowList: this guard"),
        (
            lambda c: (
                c.pop("price"),
                c["guards"]["default"]["solPayment"].update(value=0.0000000001),
            ),
            "not a whole number of lamports",
        ),
        (lambda c: c["guards"]["default"]["botTax"].update(value=-1), "botTax.value"),
        (
            lambda c: c["guards"]["default"]["botTax"].update(lastInstruction="yes"),
            "lastInstruction: must be true or false",
        ),
        (
            lambda c: c["guards"]["default"].update(startDate={"date": "soon"}),
            'startDate.date: "soon" is not a date',
        ),
    ],
)
def test_a_wrong_key_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], told: str
) -> None:
    path = changed(tmp_path / "config.json", change)
    with pytest.raises(UsageError, match=told) as refusal:
        read_candy_config(path)
    assert str(refusal.value).startswith("config.json: ")
    assert "\n" not in str(refusal.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_candy_config(tmp_path / "nowhere.json")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UsageError, match="is not JSON"):
        read_candy_config(tmp_path / "config.json")
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(UsageError, match="must be an object"):
        read_candy_config(tmp_path / "config.json")


def test_dates_and_addresses(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["guards"]["default"]["startDate"] = {"date": "01 Jan 2026 00:00:00 GMT"}
        content["guards"]["default"]["solPayment"]["destination"] = "1" * 32

    config = read_candy_config(changed(tmp_path / "config.json", change))
    assert config.start_date is not None
    assert config.start_date.isoformat() == "2026-01-01T00:00:00+00:00"
    assert str(config.destination) == "1" * 32
