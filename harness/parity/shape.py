"""The shape of a JSON value: which fields, which types, whatever the values.

Like the outline of a form: two offices may fill it in differently, but the boxes must be the same.
"""

from __future__ import annotations

import re
from typing import Any

_DEPTH_MAX = 12
_ELEMENTS_MAX = 50
_ADDRESS = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}")  # a key that is data, not a field's name

Shape = dict[str, str]


def shape_of(value: Any) -> Shape:
    """Path of every field and the types found there, such as {"value[].lamports": "number"}."""
    found: dict[str, set[str]] = {}
    _walk(value, "", found, 0)
    return {path: " or ".join(sorted(types)) for path, types in sorted(found.items())}


def _walk(value: Any, path: str, found: dict[str, set[str]], depth: int) -> None:
    found.setdefault(path or "(itself)", set()).add(_type_of(value))
    if depth == _DEPTH_MAX:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            name = "(address)" if _ADDRESS.fullmatch(str(key)) else str(key)
            _walk(inner, f"{path}.{name}" if path else name, found, depth + 1)
    elif isinstance(value, list):
        for inner in value[:_ELEMENTS_MAX]:
            _walk(inner, f"{path}[]", found, depth + 1)


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "list" if isinstance(value, list) else "object"
