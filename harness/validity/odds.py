"""The odds' part of the validity page."""

from __future__ import annotations

from harness.validity.parts import PartFunction

PARTS: dict[str, PartFunction] = {}
