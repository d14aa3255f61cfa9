"""The configuration of a launch, and what the backend says to it.

`python -m backend check` reads the environment and says whether it is sound: run here as an
operator runs it before going live, with nothing but the variables given.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.backend_process import backend_environment

if TYPE_CHECKING:
    from harness.testbed import Testbed

_SECONDS_MAX = 60


def production_environment(testbed: Testbed) -> dict[str, str]:
    """The guide's variables with sound values, for the testbed's own deployment."""
    environment = backend_environment(
        deployment=testbed.deployment,
        authority=testbed.authority_key,
        treasury=testbed.treasury_key,
        database_url="",
        rpc_url="https://mainnet.helius-rpc.com/?api-key=none",
        box_id=testbed.box_id,
        placeholder_uri=testbed.config.hidden.uri,
    )
    del environment["DATABASE_URL"]
    return {
        **environment,
        "NODE_ENV": "production",
        "DB_HOST": "db.yourdomain.com",
        "DB_PASSWORD": testbed.seed.generator("database password").randbytes(18).hex(),
        "JWT_SECRET": testbed.seed.generator("jwt").randbytes(32).hex(),
        "ADMIN_TOKEN": testbed.seed.generator("admin token").randbytes(32).hex(),
        "WALLET_AUTH": "required",
        "SIGN_IN_DOMAIN": "yourdomain.com",
        "CORS_ORIGINS": "https://yourdomain.com",
        "PRICE_SOURCES": "pyth,coingecko,kraken",
    }


def check_configuration(environment: Mapping[str, str]) -> tuple[int, list[str]]:
    """Exit code and lines of `python -m backend check` with these variables and no others."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "backend", "check"],
        env={**kept, **environment}, cwd=tempfile.gettempdir(),
        capture_output=True, text=True, timeout=_SECONDS_MAX, check=False,
    )  # fmt: skip
    lines = (done.stdout + done.stderr).splitlines()
    return done.returncode, [line.removeprefix("backend: ") for line in lines]
