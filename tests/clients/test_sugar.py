"""Metaplex's sugar, as it is published, against the ledger: the tool that the guide deploys with.

It is a Rust program and no part of this project; the tests run where it is on PATH:

    cargo install --locked sugar-cli@2.9.1

`sugar upload` needs a store for files; the cache that it would write is written here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from harness.backend_process import backend_environment, run_backend
from harness.backend_server import prepare_database
from harness.candy_config import read_candy_config
from harness.database.embedded import EmbeddedPostgres
from harness.deployment_file import find_deployment, read_deployment_file
from harness.errors import UsageError
from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.running_clock import RunningClock
from harness.ledger.preloaded import program_images
from harness.submission import Outcome, sign, submit
from programs.buyback import client as buyback
from programs.token_metadata import client as token_metadata
from tests.clients.command_line import CommandLine, key, write_settings

SOL = 10**9
ITEMS = 12
_LINK = "https://arweave.net"
_HASH = "Cvb455DfhAzScUoG6NotWovvmWNBKg1R"
_RUN_SECONDS_MAX = 300


@pytest.fixture
def sugar_ledger() -> Iterator[EmbeddedLedger]:
    """With the programs, on a port that ends in 8899: by that sugar knows a local cluster, and
    reveals and signs nothing on others that it does not know."""
    authority = key("wallet").pubkey()
    chain = Chain(RunningClock(datetime.now(UTC)), program_images(authority))
    for port in range(8899, 2**16, 10_000):
        try:
            started = EmbeddedLedger.serve(chain, port=port)
        except UsageError:  # taken
            continue
        with started:
            yield started
        return
    raise AssertionError("all ports that end in 8899 are taken")


class Sugar(CommandLine):
    """sugar in a folder with a config, a cache and a wallet that has SOL."""

    def __init__(self, folder: Path, ledger: EmbeddedLedger) -> None:
        super().__init__("sugar", folder, home=folder)
        self.ledger = ledger
        self.client = ledger.client()
        write_settings(
            folder / ".config" / "solana" / "cli" / "config.yml",
            ledger.rpc_url, self.key_file("wallet"),
        )  # fmt: skip
        ledger.fund(key("wallet").pubkey(), 100 * SOL)

    def configure(self, **changes: Any) -> None:
        """Write config.json, the guide's terms unless changed, and the cache of an upload."""
        config = {
            "tokenStandard": "nft", "number": ITEMS, "symbol": "SKIN",
            "sellerFeeBasisPoints": 500, "isMutable": True, "isSequential": False,
            "creators": [{"address": self.address("wallet"), "share": 100}],
            "uploadMethod": "bundlr", "ruleSet": None, "awsConfig": None, "sdriveApiKey": None,
            "pinataConfig": None, "maxEditionSupply": None,
            "hiddenSettings": {
                "name": "Mystery Skin #$ID+1$", "uri": f"{_LINK}/placeholder", "hash": _HASH,
            },
            "guards": {
                "default": {
                    "botTax": {"value": 0.02, "lastInstruction": True},
                    "solPayment": {"value": 0.2, "destination": self.address("till")},
                    "startDate": {"date": "2026-01-01T00:00:00Z"},
                },
                "groups": None,
            },
            **changes,
        }  # fmt: skip
        (self.folder / "config.json").write_text(json.dumps(config))
        uploaded = {"-1": _item("Skins", "collection")}
        uploaded |= {str(number): _item(f"Skin #{number}", str(number)) for number in range(ITEMS)}
        nowhere = dict.fromkeys(
            ("candyMachine", "candyGuard", "candyMachineCreator", "collectionMint"), ""
        )
        cache = {"program": nowhere, "items": uploaded}
        (self.folder / "cache.json").write_text(json.dumps(cache))

    def where(self, name: str) -> str:
        """An address that sugar noted in its cache."""
        return str(json.loads((self.folder / "cache.json").read_text())["program"][name])

    def sold(self) -> list[token_metadata.Metadata]:
        """The metadata of the boxes that the wallet has, in the order of their names."""
        found = []
        for account in self.ledger.chain.accounts_owned_by(token_metadata.PROGRAM_ID):
            try:
                metadata = token_metadata.Metadata.parse(bytes(account[1].data))
            except ValueError:  # an edition, a record of a delegate
                continue
            if metadata.name != "Skins":
                found.append(metadata)
        return sorted(found, key=lambda one: one.name)

    def submit(self, instructions: Sequence[Instruction], *signers: Keypair) -> None:
        transaction, last_height = sign(self.client, instructions, signers)
        sent = submit(self.client, self.ledger.clock, transaction, last_height)
        assert sent.outcome is Outcome.LANDED, sent.fault


def _item(name: str, link: str) -> dict[str, Any]:
    return {
        "name": name, "image_hash": "-", "image_link": f"{_LINK}/{link}.png",
        "metadata_hash": "-", "metadata_link": f"{_LINK}/{link}.json", "onChain": False,
    }  # fmt: skip


@pytest.fixture
def sugar(sugar_ledger: EmbeddedLedger, tmp_path: Path) -> Sugar:
    return Sugar(tmp_path, sugar_ledger)


def test_a_machine_of_sugars_sells_boxes_that_are_revealed_and_bought_back(
    sugar: Sugar, tmp_path: Path
) -> None:
    """The guide's way: sugar sets the machine up, and players, backend and judges come to it."""
    sugar.configure()
    terms = read_candy_config(sugar.folder / "config.json")
    assert (terms.mint_price_lamports, terms.bot_tax_lamports) == (SOL // 5, SOL // 50)
    sugar("deploy")
    sugar("guard", "add")
    assert "0.2" in sugar("guard", "show")
    assert f"items available: {ITEMS}" in sugar("show")
    assert "mint disallowed" in sugar("mint", fails=True), "it sells through its guard only"

    treasury, owner = key("treasury"), key("wallet")
    sugar.ledger.fund(treasury.pubkey(), 50 * SOL)
    collection = Pubkey.from_string(sugar.where("collectionMint"))
    sugar.submit(
        [buyback.initialize(authority=owner.pubkey(), treasury=treasury.pubkey(),
                            collection_mint=collection, min_treasury_balance=SOL)],
        owner,
    )  # fmt: skip
    addresses = tmp_path / "deployment.json"
    addresses.write_text(
        json.dumps({
            "candy_machine": sugar.where("candyMachine"),
            "candy_guard": sugar.where("candyGuard"),
            "collection_mint": str(collection), "buyback_program": str(buyback.PROGRAM_ID),
            "buyback_config": str(buyback.config_address(buyback.CONFIG_VERSION)),
            "treasury": str(treasury.pubkey()),
        })
    )  # fmt: skip
    found = find_deployment(read_deployment_file(addresses), sugar.client)
    assert found.config.mint_price_lamports == terms.mint_price_lamports
    wallet = tmp_path / "funds.json"
    wallet.write_text(json.dumps(list(bytes(key("funds")))))
    sugar.ledger.fund(key("funds").pubkey(), 100 * SOL)
    (tmp_path / "quick.toml").write_text("propagation_seconds = 0\n")
    with EmbeddedPostgres.start(tmp_path / "postgres.log") as server:
        database = server.create_database("sugar")
        prepare_database(database)
        environment = backend_environment(
            deployment=found.deployment, authority=owner, treasury=treasury,
            database_url=database, rpc_url=sugar.ledger.rpc_url, box_id="mystery-box",
            placeholder_uri=terms.hidden.uri,
        )  # fmt: skip
        with run_backend(environment, tmp_path / "backend.log") as backend:
            done = subprocess.run(
                [Path(sys.executable).with_name("harness"), "run", "flow", "-k", "life_cycle",
                 "--backend", backend.url, "--ledger", sugar.ledger.rpc_url,
                 "--deployment", addresses, "--testbed", tmp_path / "quick.toml",
                 "--wallet", wallet],
                cwd=tmp_path, capture_output=True, text=True, timeout=_RUN_SECONDS_MAX,
                check=False,
            )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "0 scenarios" not in done.stdout
    assert "buyback" in done.stdout
    price = terms.mint_price_lamports
    till = sugar.client.get_balance(key("till").pubkey()).value
    assert till > 0
    assert till % price == 0


def test_sugar_mints_reveals_signs_and_takes_its_rent_back(sugar: Sugar) -> None:
    sugar.configure()
    sugar("deploy")
    sugar("guard", "add")
    sugar("config", "update")
    sugar("guard", "update")
    sugar("guard", "remove")
    sugar("mint")
    sugar("mint", "--number", "3")
    assert [one.name for one in sugar.sold()] == [f"Mystery Skin #{n}" for n in range(1, 5)]
    assert {one.uri for one in sugar.sold()} == {f"{_LINK}/placeholder"}
    sugar("reveal")
    revealed = [(one.name, one.uri) for one in sugar.sold()]
    assert revealed == [(f"Skin #{number}", f"{_LINK}/{number}.json") for number in range(4)]
    sugar("sign")
    assert "Verification successful" in sugar("verify")
    before = sugar.client.get_balance(key("wallet").pubkey()).value
    sugar("guard", "withdraw")
    assert "Found 1 candy machines" in sugar("withdraw", "--list")
    sugar("withdraw", "--candy-machine", sugar.where("candyMachine"))
    assert "Found 0 candy machines" in sugar("withdraw", "--list")
    assert sugar.client.get_balance(key("wallet").pubkey()).value > before


def test_sugar_mints_programmable_nfts(sugar: Sugar) -> None:
    """It can't reveal them: it uses an instruction that Token Metadata refuses for them."""
    sugar.configure(tokenStandard="pnft")
    sugar("deploy")
    sugar("mint", "--number", "2")
    assert [one.name for one in sugar.sold()] == ["Mystery Skin #1", "Mystery Skin #2"]
    assert "ProgrammableNonFungible" in sugar("show")
    assert "Some reveals failed" in sugar("reveal")


def test_sugar_writes_config_lines_and_finds_them_right(sugar: Sugar) -> None:
    sugar.configure(hiddenSettings=None, guards=None)
    sugar("deploy")
    assert "Verification successful" in sugar("verify")
    sugar("mint", "--number", "2")
    links = {one.uri for one in sugar.sold()}
    assert len(links) == 2
    assert links < {f"{_LINK}/{number}.json" for number in range(ITEMS)}
    assert f"{ITEMS - 2} total unminted" in sugar("show", "--unminted")
