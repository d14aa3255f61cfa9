"""A backend that somebody else runs: its HTTP interface, the ledger, and nothing behind either.

A guest at somebody else's table eats what is served and does not go into the kitchen. What a story
asks of the kitchen raises `Lacks`, and the story is skipped with that as its reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx
from solana.rpc.commitment import Confirmed

from harness.address_book import AddressBook
from harness.clock import SystemClock
from harness.deployment_file import FoundDeployment, find_deployment, read_deployment_file
from harness.errors import StartError, UsageError
from harness.journal import Journal
from harness.ledger.cluster import ClusterSource, place
from harness.ledger.refund import give_back
from harness.opening import well_known
from harness.players.api import BackendApi
from harness.players.dialect import Dialect, read_dialect
from harness.programs.sets import open_set
from harness.run.target import CAPABILITIES, Lacks
from harness.seeds import Seed
from harness.settings import TestbedSettings
from harness.testbed import BOX_ID, Testbed

_TIMEOUT_SECONDS = 10.0
_NOT_FOUND = 404
_LONG_SECONDS = 30.0
_SLOTS_SECONDS = 3.0  # some seven slots of a cluster


class Absent:
    """Stands where a part of the kitchen would be. Whatever is asked of it raises Lacks, and is
    noted, so that a story which swallows that is skipped all the same."""

    def __init__(self, need: str, noted: list[str]) -> None:
        self._need = need
        self._noted = noted

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)  # Python's own questions, such as copy's or inspect's
        self._lack()

    def __call__(self, *_: object, **__: object) -> NoReturn:
        self._lack()

    def _lack(self) -> NoReturn:
        reason = f"needs {self._need} ({CAPABILITIES[self._need]})"
        self._noted.append(reason)
        raise Lacks(reason)


class LedgerTime(SystemClock):
    """The machine's clock, which does not wait in vain: on a ledger that stands still, such as
    the embedded one behind a URL, no quote ever dies."""

    def __init__(self, source: ClusterSource, noted: list[str]) -> None:
        self._source = source
        self._noted = noted
        self._slot = -1
        self._waited_seconds = 0.0

    def sleep(self, seconds: float) -> None:
        if seconds >= _LONG_SECONDS:
            ledger = self._source.visit(SystemClock()).client()
            before = ledger.get_slot(Confirmed).value
            super().sleep(_SLOTS_SECONDS)
            seconds -= _SLOTS_SECONDS
            if ledger.get_slot(Confirmed).value == before:
                Absent("passing time", self._noted)()
        super().sleep(seconds)
        self._waited_seconds += seconds
        if self._waited_seconds >= _LONG_SECONDS:  # many short waits are a long one
            slot = self._source.visit(SystemClock()).client().get_slot(Confirmed).value
            if slot == self._slot:
                Absent("passing time", self._noted)()
            self._slot, self._waited_seconds = slot, 0.0


@dataclass(frozen=True)
class ForeignBackend:
    """What a person said of the backend to play against, checked as far as files go."""

    base_url: str
    dialect: Dialect
    deployment: Path

    def check(self, source: ClusterSource) -> FoundDeployment:
        """See that backend and ledger are there and belong together.

        Raises UsageError for what is wrong in file, URL or mapping; StartError if nobody answers.
        """
        path = self.dialect.path("/buyback/status")
        # Reading the machine's certificates takes long; only for https, as in BackendApi.
        verify = self.base_url.startswith("https://")
        try:
            answer = httpx.get(self.base_url + path, timeout=_TIMEOUT_SECONDS, verify=verify)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            reason = type(error).__name__
            raise StartError(f"no backend answers at {place(self.base_url)} ({reason})") from None
        if answer.status_code == _NOT_FOUND:
            raise UsageError(
                f"--backend: {place(self.base_url)} knows no {urlsplit(self.base_url).path}{path}; "
                "name the prefix in the URL, or the path in --backend-map"
            )
        if not _json_object(answer):
            raise UsageError(
                f"--backend: {place(self.base_url)} answers {urlsplit(self.base_url).path}{path} "
                f"with {answer.status_code} and no JSON object; is it the backend's address?"
            )
        file = read_deployment_file(self.deployment)
        with source.visit(SystemClock()) as ledger:
            return find_deployment(file, ledger.client())


def _json_object(answer: httpx.Response) -> bool:
    """False for a page, such as the web client's, which is shown for every path."""
    try:
        return isinstance(answer.json(), dict)
    except ValueError:
        return False


def foreign_backend(
    url: str,
    ledger: str,
    deployment: Path | None,
    mapping: Path | None,
    workers: int = 1,
) -> ForeignBackend | None:
    """What `--backend` means with what else was given; None for the reference backend.

    Raises UsageError for what does not go together or cannot be read.
    """
    if url == "reference":
        for option, given in (("--deployment", deployment), ("--backend-map", mapping)):
            if given is not None:
                raise UsageError(f"{option}: is for a backend behind a URL; --backend is reference")
        return None
    parts = urlsplit(url)
    try:
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise UsageError("--backend: must be reference or an http(s) URL with a host")
    if urlsplit(ledger).scheme not in ("http", "https"):
        raise UsageError(f"--backend URL: --ledger must be the RPC URL of its ledger, is {ledger}")
    if deployment is None:
        raise UsageError("--backend URL: --deployment FILE must say what it was set up with")
    if workers > 1:
        raise UsageError(f"--workers {workers}: players of one foreign backend share its machine; "
                         "--workers 1")  # fmt: skip
    read_deployment_file(deployment)
    dialect = read_dialect(mapping)
    path = parts.path.rstrip("/") or dialect.prefix
    return ForeignBackend(f"{parts.scheme}://{parts.netloc}{path}", dialect, deployment)


@contextmanager
def open_foreign_testbed(
    *,
    foreign: ForeignBackend,
    source: ClusterSource,
    seed: Seed,
    settings: TestbedSettings,
    journal_path: Path,
    scenario: str,
    title: str = "",
    story: str = "",
) -> Iterator[Testbed]:
    """A testbed around a backend and a machine that are there and stay there.

    On leaving, what is left in the players' wallets goes back to the wallet that paid.
    Raises UsageError or StartError as `ForeignBackend.check`.
    """
    with ExitStack() as stack:
        noted: list[str] = []
        clock = LedgerTime(source, noted)
        keys = source.keys(seed)
        ledger = stack.enter_context(source.visit(clock))
        client = ledger.client()
        file = read_deployment_file(foreign.deployment)
        found = find_deployment(file, client)
        book = AddressBook()
        well_known(book)
        book.add("authority", found.deployment.authority)
        book.add("treasury", found.deployment.treasury)
        if ledger.funder is not None:
            book.add("faucet", ledger.funder)
        for name in ("candy_machine", "candy_guard", "collection_mint", "buyback_config"):
            book.add(f"the {name.replace('_', ' ')}", getattr(found.deployment, name))
        journal = Journal(journal_path, scenario, clock)
        stack.callback(journal.close)
        journal.write(
            "scenario",
            title=title,
            story=story,
            seed=seed.text,
            config={
                "mint_price_lamports": found.config.mint_price_lamports,
                "bot_tax_lamports": found.config.bot_tax_lamports,
                "items_available": found.config.items_available,
                "min_treasury_lamports": found.min_treasury_lamports,
            },
        )
        api = BackendApi(foreign.base_url, book, journal, foreign.dialect)
        stack.callback(api.close)
        kitchen: Any = Absent("reference backend", noted)
        operator: Any = Absent("operator", noted)
        tables: Any = Absent("database", noted)
        bed = Testbed(
            seed=keys,
            settings=settings,
            config=found.config,
            clock=clock,
            ledger=ledger,
            client=client,
            book=book,
            journal=journal,
            deployment=found.deployment,
            backend=kitchen,
            api=api,
            engine=tables,
            market=kitchen,
            another_backend=kitchen,
            programs=open_set(),
            database_url=tables,
            scratch=journal_path.parent,
            weather=kitchen,
            authority_key=operator,
            treasury_key=operator,
            min_treasury_lamports=found.min_treasury_lamports,
            box_id=file.box_id or BOX_ID,
            # What is confirmed by now was there before; what comes, comes later.
            first_slot=client.get_slot(Confirmed).value + 1,
            foreign=True,
            items_redeemed_before=found.items_redeemed,
            lacked=noted,
        )
        if ledger.funder is not None:
            payer = ledger.funder
            stack.callback(
                lambda: give_back(client, clock, [one.keypair for one in bed.players], payer)
            )
        bed.record_treasury("the treasury was found")
        yield bed
