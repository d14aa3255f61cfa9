"""Containers for compose, where an engine exists and the images can be had."""

from __future__ import annotations

import pytest

from harness.containers.ready import why_not


@pytest.fixture(scope="session")
def docker_images() -> None:
    """Skips, with the reason, where containers cannot be used."""
    if reason := why_not():
        pytest.skip(f"Docker suite skipped: {reason}")
