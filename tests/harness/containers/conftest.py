"""Containers for these tests, where an engine exists and the images can be had."""

from __future__ import annotations

from functools import cache

import pytest

from harness.containers.ready import why_not


@cache
def _reason() -> str | None:
    return why_not()


@pytest.fixture
def docker() -> None:
    """Skips, with the reason, where containers cannot be used."""
    if reason := _reason():
        pytest.skip(f"Docker suite skipped: {reason}")
