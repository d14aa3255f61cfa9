"""`treasury.toml`: a scenario as a file, and the JSON Schema that editors read.

Both are read off the dataclasses: a field that is added there can be set here. What is not known is
refused, with the names that are; what cannot be is refused with the reason, before any work.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
import types
import typing
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.treasury.adversary import Search
from harness.treasury.calibrate import Fitting
from harness.treasury.history import read_history
from harness.treasury.prices import Bootstrap, Garch, Gbm, Heston, Merton, PriceProcess, Regimes
from harness.treasury.prices import Stress as StressPrice
from harness.treasury.reserve import Goal
from harness.treasury.scenario import Scenario

PRICE_KINDS: dict[str, type[Any]] = {
    "gbm": Gbm,
    "merton": Merton,
    "heston": Heston,
    "regimes": Regimes,
    "garch": Garch,
    "bootstrap": Bootstrap,
    "stress": StressPrice,
}


@dataclasses.dataclass(frozen=True)
class Study:
    """A whole file: the scenario, and how the questions about it are asked."""

    scenario: Scenario = dataclasses.field(default_factory=Scenario)
    reserve: Goal = dataclasses.field(default_factory=Goal)
    adversary: Search = dataclasses.field(default_factory=Search)
    calibration: Fitting = dataclasses.field(default_factory=Fitting)


#: Tables of a file that are not of the scenario.
_QUESTIONS: dict[str, type[Any]] = {
    "reserve": Goal, "adversary": Search, "calibration": Fitting
}  # fmt: skip


def read_study(path: Path) -> Study:
    """What a file says; what it does not say is as in `Study()`. Raises UsageError."""
    values = read_toml(path)
    asked = {
        name: build(kind, values.pop(name), f"{path.name}: {name}", {})
        for name, kind in _QUESTIONS.items()
        if name in values
    }
    return Study(parse_scenario(values, path), **asked)


def read_scenario(path: Path) -> Scenario:
    """The scenario of a file. Raises UsageError, also for what else stands in it."""
    return read_study(path).scenario


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's values. Raises UsageError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name}: is not TOML: {error}") from None


def parse_scenario(values: Mapping[str, Any], path: Path) -> Scenario:
    """A scenario from a file's values; relative names are looked up beside `path`."""
    values = dict(values)
    changes: dict[str, Any] = {}
    if "price" in values:
        changes["price"] = _price(values.pop("price"), path)
    scenario: Scenario = build(Scenario, values, path.name, changes)
    return scenario


def _price(table: Any, path: Path) -> PriceProcess:
    where = f"{path.name}: price"
    if not isinstance(table, dict):
        raise UsageError(f"{where}: must be a table with a kind: {', '.join(PRICE_KINDS)}")
    table = dict(table)
    kind = table.pop("kind", "gbm")
    if kind not in PRICE_KINDS:
        raise UsageError(f"{where}.kind: {kind!r} is not one of {', '.join(PRICE_KINDS)}")
    if kind == "bootstrap" and not table.keys() & {"history", "returns"}:
        raise UsageError(f"{where}: history is missing: a CSV or Parquet file beside this one")
    if kind == "bootstrap" and "history" in table:
        history = read_history(path.parent / str(table.pop("history")))
        table.setdefault("sol_usd", history.last_usd)
        table["returns"] = history.log_returns.tolist()
        table["return_days"] = history.step_days
    price: PriceProcess = build(PRICE_KINDS[kind], table, where, {})
    return price


def build(kind: type[Any], table: Any, where: str, changes: dict[str, Any]) -> Any:
    """A dataclass from a file's table; `changes` are fields that are known already.

    Raises UsageError that begins with `where`.
    """
    if not isinstance(table, dict):
        raise UsageError(f"{where}: must be a table, is {table!r}")
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    for name, value in table.items():
        if name not in names:
            raise UsageError(
                f"{where}: {name}: unknown key; known: {', '.join([*names, *_beside(kind)])}"
            )
        changes[name] = _value(hints[name], value, f"{where}: {name}")
    needed = [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
        and field.name not in changes
    ]
    if needed:
        raise UsageError(f"{where}: {needed[0]} is missing")
    try:
        return kind(**changes)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _beside(kind: type[Any]) -> list[str]:
    """Keys of a file's table beside the fields of its dataclass."""
    if kind is Scenario:
        return list(_QUESTIONS)
    if kind in PRICE_KINDS.values():
        return ["kind", "history"] if kind is Bootstrap else ["kind"]
    return []


def _value(hint: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        (inner,) = [part for part in typing.get_args(hint) if part is not type(None)]
        return _value(inner, value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise UsageError(f"{where}: must be a list, is {value!r}")
        inner = typing.get_args(hint)[0]
        return tuple(_value(inner, item, f"{where}[{n}]") for n, item in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type[Any], hint), value, where, {})
    return _plain(hint, value, where)


def _plain(hint: Any, value: Any, where: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        if value not in list(hint):
            raise UsageError(f"{where}: {value!r} is not one of {', '.join(hint)}")
        return hint(value)
    if hint is bool or hint is str:
        if not isinstance(value, hint):
            raise UsageError(f"{where}: must be {_CALLED[hint]}, is {value!r}")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UsageError(f"{where}: must be {_CALLED[hint]}, is {value!r}")
    if hint is Decimal:
        try:
            return Decimal(str(value))
        except InvalidOperation:
            raise UsageError(f'{where}: must be a number such as "0.85", is {value!r}') from None
    if hint is int:
        if not isinstance(value, int):
            raise UsageError(f"{where}: must be a whole number, is {value!r}")
        return value
    if not isinstance(value, int | float):
        raise UsageError(f"{where}: must be a number, is {value!r}")
    if math.isnan(value):
        raise UsageError(f"{where}: is not a number")
    return float(value)


_CALLED = {bool: "true or false", str: "text", int: "a whole number", float: "a number",
           Decimal: "a number"}  # fmt: skip


def json_schema() -> dict[str, Any]:
    """JSON Schema draft-07 of `treasury.toml`: the draft that TOML and YAML editors read."""
    schema = _schema_of(Scenario)
    kinds = []
    for kind, process in PRICE_KINDS.items():
        one = _schema_of(process)
        one["properties"]["kind"] = {"const": kind}
        if kind == "bootstrap":
            one["properties"]["history"] = {
                "type": "string",
                "description": "a CSV or Parquet file of prices, beside this one",
            }
        one.pop("required", None)
        kinds.append(one)
    schema["properties"]["price"] = {
        "oneOf": [*kinds],
        "description": "the law of SOL/USD; see docs/treasury-model.md",
    }
    for one in kinds:
        one["required"] = ["kind"]
    schema["properties"] |= {name: _schema_of(kind) for name, kind in _QUESTIONS.items()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "treasury.toml: a scenario of the treasury model",
        **schema,
    }


def _schema_of(kind: type[Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    properties, required = {}, []
    for field in dataclasses.fields(kind):
        if hints[field.name] is PriceProcess:
            continue
        entry = _schema_value(hints[field.name])
        if field.default is not dataclasses.MISSING and field.default is not None:
            plain = field.default
            if isinstance(plain, Decimal | StrEnum):
                plain = str(plain)
            if isinstance(plain, bool | int | str) or (
                isinstance(plain, float) and math.isfinite(plain)
            ):
                entry["default"] = plain
        elif field.default is dataclasses.MISSING and (
            field.default_factory is dataclasses.MISSING
        ):
            required.append(field.name)
        properties[field.name] = entry
    about = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
    schema = {
        "type": "object", "description": about, "additionalProperties": False,
        "properties": properties,
    }  # fmt: skip
    return schema | ({"required": required} if required else {})


def _schema_value(hint: Any) -> dict[str, Any]:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        (inner,) = [part for part in typing.get_args(hint) if part is not type(None)]
        return _schema_value(inner)
    if origin is tuple:
        return {"type": "array", "items": _schema_value(typing.get_args(hint)[0])}
    if dataclasses.is_dataclass(hint):
        return _schema_of(typing.cast(type[Any], hint))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return {"enum": [str(member) for member in hint]}
    if hint is Decimal:
        return {"type": ["number", "string"]}
    return {"type": {bool: "boolean", str: "string", int: "integer", float: "number"}[hint]}
