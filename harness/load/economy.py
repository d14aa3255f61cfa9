"""The economy under load: embedded ledger on the machine's clock, Postgres, and the backend in
processes of its own with real workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.backend_process import BackendProcess, backend_environment, run_backend
from harness.clock import Clock, SystemClock
from harness.ledger.sources import EmbeddedSource
from harness.load.profile import Profile
from harness.run.session import RunOptions, RunSession
from harness.testbed import Testbed

#: What a load test must be able to ask for, where the profile does not test the limits themselves.
_UNLIMITED = {"RATE_LIMIT_MAX_REQUESTS": "0", "REVEAL_LIMIT_MAX_REQUESTS": "0"}
#: Where it does, each wallet comes from an address of its own, through a proxy on this machine.
_LIMITED = {"TRUSTED_PROXIES": "127.0.0.1"}


class RealTimeSource(EmbeddedSource):
    """The embedded ledger in real time: a load is measured by the machine's clock."""

    def new_clock(self) -> Clock:
        return SystemClock()


@dataclass(frozen=True)
class Economy:
    bed: Testbed
    backend: BackendProcess
    #: What must not stand in any log.
    secrets: tuple[str, ...]


@contextmanager
def open_economy(profile: Profile, seed: str, folder: Path, items: int) -> Iterator[Economy]:
    """Bring ledger, database and backend up for one load. Raises StartError."""
    session = RunSession(RunOptions(seed=seed, folder=folder))
    session.ledger_source = RealTimeSource()
    try:
        with session.testbed(
            "load",
            title=f"load: {profile.name}",
            story=profile.about,
            changes={"items_available": items, "treasury_lamports": 5_000_000 * 10**9},
        ) as bed:
            database_url = bed.engine.url.render_as_string(hide_password=False)
            environment = backend_environment(
                deployment=bed.deployment,
                authority=bed.authority_key,
                treasury=bed.treasury_key,
                database_url=database_url,
                rpc_url=bed.ledger.rpc_url,
                box_id=bed.box_id,
                placeholder_uri=bed.config.hidden.uri,
            )
            environment |= _LIMITED if profile.rate_limits else _UNLIMITED
            with run_backend(
                environment, folder / "logs" / "backend.log", workers=profile.backend_workers
            ) as backend:
                keys = (environment["ADMIN_WALLET_PRIVATE_KEY"], str(bed.treasury_key))
                yield Economy(bed, backend, (*keys, str(bed.authority_key), database_url))
    finally:
        session.close()
