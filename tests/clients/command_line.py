"""A published command line, run as people run it: with a wallet in a file, in a folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair

from harness.seeds import Seed

COMMAND_SECONDS_MAX = 120
_SEED = Seed("tests/clients/command lines")


def key(name: str) -> Keypair:
    """A key pair by name, the same in every test."""
    return _SEED.keypair(name)


class CommandLine:
    """One of the programs. `home` is where it looks for a person's settings."""

    def __init__(self, name: str, folder: Path, *options: str, home: Path | None = None) -> None:
        """Skips the test if the program is not on PATH."""
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not on PATH")
        self.folder = folder
        self.start = [path, *options]
        self._environment = {**os.environ, **({} if home is None else {"HOME": str(home)})}

    def key_file(self, name: str) -> Path:
        """A key pair in a file, as the tools keep them."""
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(list(bytes(key(name)))))
        return path

    def address(self, name: str) -> str:
        return str(key(name).pubkey())

    def __call__(self, *arguments: str | Path, fails: bool = False) -> str:
        """What it printed. Expects it to succeed, or with `fails` not to."""
        done = subprocess.run(
            [*self.start, *(str(one) for one in arguments)],
            capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX, check=False,
            cwd=self.folder, env=self._environment,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr if fails else done.stdout

    def json(self, *arguments: str | Path) -> Any:
        return json.loads(self(*arguments, "--output", "json"))


def write_settings(path: Path, rpc_url: str, wallet: Path) -> None:
    """The settings that Solana's own tools share."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"json_rpc_url: {rpc_url}\nwebsocket_url: ''\nkeypair_path: {wallet}\n"
        "address_labels: {}\ncommitment: confirmed\n"
    )
