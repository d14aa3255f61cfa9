"""Where the environment names a proxy for everything, this machine is still reached directly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.ports import free_port
from harness.proxies import spare_loopback

HARNESS = str(Path(sys.executable).with_name("harness"))


def test_a_run_behind_a_proxy_does_not_ask_it_for_this_machine(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    everywhere = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy")
    environment = {key: value for key, value in os.environ.items() if key.lower() != "no_proxy"}
    done = subprocess.run(
        [HARNESS, "run", "-k", "life_cycle"], env=environment | dict.fromkeys(everywhere, nobody),
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("passed: 1 scenario")


def test_other_exceptions_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet.example, 127.0.0.1")
    monkeypatch.setenv("no_proxy", "10.0.0.0/8")
    spare_loopback()
    spare_loopback()
    expected = "intranet.example,127.0.0.1,10.0.0.0/8,localhost,::1"
    assert (os.environ["NO_PROXY"], os.environ["no_proxy"]) == (expected, expected)
