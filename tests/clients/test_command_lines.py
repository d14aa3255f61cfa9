"""Solana's command lines, as they are published, against the ledger.

They are Rust programs and no part of this project; the tests run where they are on PATH:

    cargo install solana-cli@3.1.5 spl-token-cli@5.5.0
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.ledger.embedded import EmbeddedLedger
from programs import elf
from tests.clients.command_line import CommandLine, write_settings


@pytest.fixture
def solana(ledger: EmbeddedLedger, tmp_path: Path) -> CommandLine:
    config = tmp_path / "config.yml"
    line = CommandLine("solana", tmp_path, "--config", str(config), "--url", ledger.rpc_url)
    line.start += ["--keypair", str(line.key_file("wallet"))]
    line("airdrop", "100")
    return line


def test_solana_pays_and_looks(solana: CommandLine) -> None:
    other = solana.address("other")
    assert solana("balance").strip() == "100 SOL"
    sent = solana.json("transfer", "--allow-unfunded-recipient", other, "1.5", "--with-memo", "hi",
                       "--with-compute-unit-price", "1000")  # fmt: skip
    signature = sent["signature"]
    assert solana("balance", other).strip() == "1.5 SOL"
    assert "Finalized" in solana("confirm", "-v", signature)
    history = solana("transaction-history", solana.address("wallet"), "--show-transactions")
    assert signature in history
    assert "hi" in history
    assert solana.json("confirm", "-v", signature)["transaction"]["signatures"] == [signature]
    assert "insufficient" in solana("transfer", other, "1000", fails=True).lower()


def test_solana_asks_about_the_cluster(solana: CommandLine) -> None:
    slot = int(solana("slot"))
    assert slot > 0
    assert int(solana("block-height")) >= slot
    assert int(solana("transaction-count")) >= 1
    assert solana("epoch").strip() == "0"
    info = solana.json("epoch-info")
    assert info["epoch"] == 0
    assert info["slotsInEpoch"] == 432_000
    assert solana("cluster-version").startswith("3.")
    assert len(solana("genesis-hash").strip()) > 30
    assert solana.json("rent", "165")["rentExemptMinimumLamports"] == 2_039_280
    assert "Date:" in solana("block-time")
    assert "SOL" in solana("supply")
    assert "SOL" in solana("largest-accounts")
    assert "Active Stake" in solana("validators")
    assert "Nodes" in solana("gossip")
    assert "active" in solana("feature", "status", "--display-all")
    solana("recent-prioritization-fees")
    solana("leader-schedule")
    solana("first-available-block")
    solana("block-production")
    solana("stakes")


def test_solana_shows_blocks_and_accounts(solana: CommandLine) -> None:
    signature = solana.json("transfer", "--allow-unfunded-recipient", solana.address("other"), "1")
    landed = solana.json("confirm", "-v", signature["signature"])
    assert landed["confirmationStatus"] == "finalized"
    block = solana.json("block", str(landed["slot"]))
    assert [one["transaction"][0][:8] for one in block["transactions"]]
    shown = solana.json("account", solana.address("wallet"))
    assert shown["account"]["owner"] == "1" * 32


def test_solana_keeps_nonces(solana: CommandLine) -> None:
    account, other = solana.key_file("nonce"), solana.address("other")
    solana("create-nonce-account", account, "1")
    nonce = solana("nonce", solana.address("nonce")).strip()
    solana("transfer", "--allow-unfunded-recipient", other, "1", "--blockhash", nonce,
           "--nonce", solana.address("nonce"))  # fmt: skip
    used = solana("nonce", solana.address("nonce")).strip()
    assert used != nonce
    solana("new-nonce", solana.address("nonce"))
    assert solana("nonce", solana.address("nonce")).strip() != used
    solana("authorize-nonce-account", solana.address("nonce"), solana.address("wallet"))
    assert solana.address("wallet") in solana("nonce-account", solana.address("nonce"))
    solana("withdraw-from-nonce-account", solana.address("nonce"), other, "1")
    assert solana("balance", other).strip() == "2 SOL"


def test_solana_keeps_lookup_tables(solana: CommandLine, ledger: EmbeddedLedger) -> None:
    tables = "address-lookup-table"
    table = solana.json(tables, "create")["lookupTableAddress"]
    solana(tables, "extend", table, "--addresses", solana.address("other"))
    assert solana.json(tables, "get", table)["addresses"] == [solana.address("other")]
    solana(tables, "deactivate", table, "--bypass-warning")
    assert "deactivated in 51" in solana(tables, "close", table, fails=True)
    ledger.clock.sleep(600)
    solana(tables, "close", table)
    assert "not found" in solana(tables, "get", table, fails=True)


def test_solana_deploys_upgrades_and_closes_a_program(solana: CommandLine) -> None:
    code = solana.folder / "buyback.so"
    code.write_bytes(elf.load("buyback"))
    key = solana.key_file("program")
    address = solana.address("program")
    solana("program", "deploy", "--use-rpc", "--program-id", key, code)
    shown = solana.json("program", "show", address)
    assert shown["authority"] == solana.address("wallet")
    assert shown["dataLen"] == len(code.read_bytes())
    dumped = solana.folder / "dumped.so"
    solana("program", "dump", address, dumped)
    assert dumped.read_bytes() == code.read_bytes()
    solana("program", "extend", address, "10240")
    assert solana.json("program", "show", address)["dataLen"] == len(code.read_bytes()) + 10240
    solana("program", "deploy", "--program-id", key, code)
    buffer = solana.json("program", "write-buffer", code)["buffer"]
    assert buffer in solana("program", "show", "--buffers")
    solana("program", "upgrade", buffer, address)
    assert address in solana("program", "show", "--programs")
    spare = solana.json("program", "write-buffer", "--use-rpc", code)["buffer"]
    solana("program", "close", spare)
    solana("program", "set-upgrade-authority", address, "--new-upgrade-authority",
           solana.key_file("other"))  # fmt: skip
    assert solana.json("program", "show", address)["authority"] == solana.address("other")
    solana("program", "close", address, "--authority", solana.key_file("other"),
           "--bypass-warning")  # fmt: skip
    assert "closed" in solana("program", "show", address, fails=True)


def test_solana_hears_logs(solana: CommandLine) -> None:
    listener = subprocess.Popen(
        [*solana.start, "logs"], stdout=subprocess.PIPE, text=True, cwd=solana.folder
    )
    try:
        assert listener.stdout is not None
        assert "Streaming transaction logs" in listener.stdout.readline()
        sent = solana.json("transfer", "--allow-unfunded-recipient", solana.address("other"), "1")
        heard = "".join(listener.stdout.readline() for _ in range(5))
        assert sent["signature"] in heard
        assert "Status: Ok" in heard
    finally:
        listener.kill()
        listener.wait()


@pytest.fixture
def token(solana: CommandLine, ledger: EmbeddedLedger) -> CommandLine:
    config = solana.folder / "config.yml"
    write_settings(config, ledger.rpc_url, solana.key_file("wallet"))
    return CommandLine("spl-token", solana.folder, "--config", str(config))


@pytest.mark.parametrize(
    "program",
    [
        "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
        "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
    ],
    ids=["Token", "Token-2022"],
)
def test_spl_token_mints_moves_burns_and_closes(token: CommandLine, program: str) -> None:
    mint, other = token.address("mint"), token.address("other")
    token("--program-id", program, "create-token", token.key_file("mint"), "--decimals", "2",
          "--enable-freeze")  # fmt: skip
    token("create-account", mint)
    token("mint", mint, "100")
    assert token("balance", mint).strip() == "100"
    token("transfer", mint, "30", other, "--fund-recipient", "--allow-unfunded-recipient")
    token("burn", token("address", "--token", mint, "--verbose").split()[-1], "20")
    assert token("supply", mint).strip() == "80"
    token("close", mint, fails=True)
    token("burn", token("address", "--token", mint, "--verbose").split()[-1], "50")
    token("close", mint)
    assert mint not in token("accounts")


def test_spl_token_makes_mints_with_extensions(token: CommandLine, ledger: EmbeddedLedger) -> None:
    mint = token.address("mint")
    token("--program-2022", "create-token", token.key_file("mint"), "--enable-metadata",
          "--transfer-fee-basis-points", "50", "--transfer-fee-maximum-fee", "5000",
          "--interest-rate", "5", "--enable-close",
          "--enable-permanent-delegate", "--enable-freeze",
          "--default-account-state", "initialized")  # fmt: skip
    token("initialize-metadata", mint, "Box", "BOX", "https://box.example")
    token("update-metadata", mint, "colour", "red")
    # The client allows 2,500 units, too few for the build of Token-2022 that LiteSVM brings.
    token("set-interest-rate", mint, "7", "--with-compute-unit-limit", "10000")
    token("set-transfer-fee", mint, "60", "7000")
    shown = token("display", mint)
    for words in ("Box", "colour", "red", "60bps", "7bps"):
        assert words in shown, shown
