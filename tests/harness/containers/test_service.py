"""Containers come up on loopback, side by side, and are gone afterwards, however the run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.containers import Service, ServiceSpec, require_engine
from harness.containers.reaper import RUN_LABEL, Reaper, remove_containers
from harness.database.container import ContainerPostgres
from harness.errors import StartError
from harness.redis.container import IMAGE, start

pytestmark = pytest.mark.usefixtures("docker")

_GONE_SECONDS_MAX = 60
_CHILD = """
import sys, time
from pathlib import Path
from harness.containers.reaper import Reaper
from harness.redis.container import start
print(Reaper.of_this_process().run, flush=True)
with start(Path(sys.argv[1])):
    print("up", flush=True)
    if sys.argv[2] == "fail":
        raise SystemExit(5)
    time.sleep(120)
"""


def _of_run(run: str) -> list[str]:
    found = require_engine().containers.list(
        all=True, ignore_removed=True, filters={"label": f"{RUN_LABEL}={run}"}
    )
    return [container.id for container in found]


@pytest.mark.parametrize("ending", ["fail", "SIGINT", "SIGTERM", "SIGKILL"])
def test_nothing_is_left_however_the_run_ends(ending: str, tmp_path: Path) -> None:
    """An exception, Ctrl-C, a polite and a rude kill: the container goes with the run."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path / "redis.log"), ending],
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdout is not None
    run = child.stdout.readline().strip()
    assert child.stdout.readline().strip() == "up"
    if ending != "fail":
        assert len(_of_run(run)) == 1
        os.kill(child.pid, signal.Signals[ending])
    child.wait(timeout=60)
    assert child.returncode != 0
    deadline = time.monotonic() + _GONE_SECONDS_MAX
    while _of_run(run) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert _of_run(run) == []


def test_two_side_by_side_have_their_own_ports_on_loopback(tmp_path: Path) -> None:
    with start(tmp_path / "a.log") as (one, first), start(tmp_path / "b.log") as (other, second):
        assert one.port != other.port
        assert one.password != other.password
        for service in (first, second):
            bindings = service.bindings()
            assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}
    assert _of_run(Reaper.of_this_process().run) == []


def test_a_taken_port_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs that pick the same free port: the second picks another."""
    from harness.containers import service as module

    free = module._free_ports
    with start(tmp_path / "a.log") as (one, _):
        picks = iter([[one.port]])
        monkeypatch.setattr(module, "_free_ports", lambda count: next(picks, None) or free(count))
        with start(tmp_path / "b.log") as (other, _):
            assert other.port != one.port


def test_a_container_that_ends_at_once_says_why(tmp_path: Path) -> None:
    spec = ServiceSpec(
        name="Redis", image=IMAGE, ports=(6379,), entrypoint=["sh", "-c"],
        command=["echo no such option; exit 3"],
    )  # fmt: skip
    with pytest.raises(StartError, match="ended at once") as failed:
        Service.start(spec, tmp_path / "redis.log", lambda _: False)
    assert failed.value.log_lines == ["no such option"]
    assert _of_run(Reaper.of_this_process().run) == []


def test_an_image_that_cannot_be_had_says_so(tmp_path: Path) -> None:
    spec = ServiceSpec(name="Redis", image="mystery-box.invalid/none:1", ports=(1,))
    with pytest.raises(StartError, match=r"mystery-box.invalid/none:1 .* cannot be pulled"):
        Service.start(spec, tmp_path / "log", lambda _: False)


def test_logs_stream_into_the_file_across_a_restart(tmp_path: Path) -> None:
    log = tmp_path / "postgres.log"
    with ContainerPostgres.start(log) as server:
        url = server.create_database("before")
        server.restart()
        assert "before" in url
        server.create_database("after", template="before")
    text = log.read_text(errors="replace")
    assert text.count("database system is ready to accept connections") >= 2


def test_the_reaper_removes_only_its_own(tmp_path: Path) -> None:
    with start(tmp_path / "redis.log"):
        assert remove_containers("0" * 16) == 0
        assert len(_of_run(Reaper.of_this_process().run)) == 1
