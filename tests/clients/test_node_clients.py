"""The JavaScript clients of Solana, Metaplex and Anchor, as they are published, against the ledger.

They are not part of this project and need no installing for anything else: the tests run where
Node and the packages are. `NODE_PATH` says in which folders to look, as for any Node program:

    npm install @solana/web3.js@1 @solana/spl-token @solana/kit @solana-program/system \
        @coral-xyz/anchor @metaplex-foundation/umi \
        @metaplex-foundation/umi-bundle-defaults @metaplex-foundation/mpl-candy-machine \
        @metaplex-foundation/mpl-token-metadata @metaplex-foundation/mpl-toolbox
    NODE_PATH=node_modules pytest tests/clients
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.preloaded import program_images
from harness.seeds import Seed

HERE = Path(__file__).parent
IDL = HERE.parents[1] / "programs" / "buyback" / "idl" / "buyback.json"
PLAY_SECONDS_MAX = 300
WEB3 = ("@solana/web3.js", "@solana/spl-token")
KIT = ("@solana/kit", "@solana-program/system")
METAPLEX = (
    "@coral-xyz/anchor", "@metaplex-foundation/umi", "@metaplex-foundation/umi-bundle-defaults",
    "@metaplex-foundation/mpl-candy-machine", "@metaplex-foundation/mpl-token-metadata",
    "@metaplex-foundation/mpl-toolbox",
)  # fmt: skip


def need(*packages: str) -> None:
    """Skip, saying what is missing, unless Node finds these."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    folders = [Path(one) for one in os.environ.get("NODE_PATH", "").split(os.pathsep) if one]
    missing = [name for name in packages if not any((one / name).is_dir() for one in folders)]
    if missing:
        pytest.skip(f"not on NODE_PATH: {', '.join(missing)}")


def play(script: str, *arguments: str) -> None:
    done = subprocess.run(
        ["node", HERE / script, *arguments],
        capture_output=True, text=True, timeout=PLAY_SECONDS_MAX, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "checks passed with" in done.stdout.splitlines()[-1]


def test_web3js_and_spl_token(ledger: EmbeddedLedger) -> None:
    need(*WEB3)
    play("web3js.js", ledger.rpc_url)


def test_kit(ledger: EmbeddedLedger) -> None:
    need(*KIT)
    play("kit.js", ledger.rpc_url, ledger.ws_url)


def test_umi_and_anchor_play_the_whole_box(tmp_path: Path) -> None:
    need(*WEB3, *METAPLEX)
    authority = Seed("tests/clients").keypair("authority")
    key_file = tmp_path / "authority.json"
    key_file.write_text(json.dumps(list(bytes(authority))))
    with EmbeddedLedger.start(programs=program_images(authority.pubkey())) as started:
        play("mystery_box.js", started.rpc_url, str(key_file), str(IDL))
