"""docker-compose.yml and .env.example: pinned, on loopback, without a secret, true to the code."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from harness.database import container as postgres
from harness.ledger import validator
from harness.programs.sets import PROGRAMS
from harness.redis import container as redis
from harness.testbed import Testbed

ROOT = Path(__file__).resolve().parents[2]
_ONE_SHOT = ("keys", "setup", "stock")
_SECRET = re.compile(r"PASSWORD|SECRET|PRIVATE_KEY|API_KEY|TOKEN")

# Every variable that the production guide names for its backend and its page.
_OF_THE_GUIDE = re.findall(
    r"\w+",
    """
NODE_ENV PORT API_PREFIX DB_HOST DB_PORT DB_USERNAME DB_PASSWORD DB_DATABASE DB_SYNCHRONIZE
DB_LOGGING REDIS_HOST REDIS_PORT REDIS_PASSWORD JWT_SECRET JWT_EXPIRE JWT_REFRESH_EXPIRE
BCRYPT_ROUNDS RATE_LIMIT_WINDOW_MS RATE_LIMIT_MAX_REQUESTS SOLANA_RPC_URL SOLANA_WS_URL PROGRAM_ID
BUYBACK_PROGRAM_ID ADMIN_WALLET_PRIVATE_KEY ADMIN_PRIVATE_KEY BUYBACK_RATE STEAM_API_KEY
CSGOFLOAT_API_KEY DMARKET_API_KEY DISCORD_BOT_TOKEN DISCORD_TICKET_CHANNEL_ID DISCORD_GUILD_ID
LOG_LEVEL LOG_FORMAT NEXT_PUBLIC_SOLANA_RPC_URL NEXT_PUBLIC_API_URL NEXT_PUBLIC_CANDY_MACHINE_ID
NEXT_PUBLIC_COLLECTION_MINT NEXT_PUBLIC_TREASURY_ADDRESS
""",
)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_everything_listens_on_loopback_only(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} publishes {port}"


def test_images_are_pinned_and_those_of_the_harness(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        image = service.get("image", "")
        if "build" not in service and image != "mystery-box-harness":  # built for its first user
            assert re.search(r":v?\d[\w.]*\}?$", image), f"{name} has no pinned image: {image!r}"
    assert services["postgres"]["image"] == postgres.IMAGE
    assert services["redis"]["image"] == redis.IMAGE
    assert validator.IMAGE in services["validator"]["image"]


def test_no_secret_stands_in_it(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for variable, value in (service.get("environment") or {}).items():
            if _SECRET.search(variable):
                assert re.fullmatch(r"\$\{\w+:\?[^}]*\}", value), f"{name}: {variable} is written"


def test_what_runs_on_is_hardened_and_watched(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if name in _ONE_SHOT:
            assert service["read_only"]
            continue
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if not service.get("profiles"):
            assert "healthcheck" in service, f"{name} has no health check"
    for name in ("backend", "redis"):
        assert compose["services"][name]["read_only"]
        assert compose["services"][name]["user"] == "10001:10001"


def test_the_validator_has_the_metaplex_programs(compose: dict[str, Any]) -> None:
    command = " ".join(compose["services"]["validator"]["entrypoint"])
    for program in PROGRAMS:
        if program.name != "buyback":  # that one is deployed by the set-up job
            assert f"--upgradeable-program {program.address} /elf/{program.file}.so none" in command


def test_the_example_has_every_variable_of_the_guide_and_no_secret() -> None:
    values = {}
    for line in (ROOT / ".env.example").read_text().splitlines():
        if found := re.fullmatch(r"#?([A-Z_]+)=(.*)", line):
            values[found[1]] = found[2]
    assert sorted(set(_OF_THE_GUIDE) - set(values)) == []
    assert [name for name, value in values.items() if _SECRET.search(name) and value] == []


def test_make_env_fills_in_passwords_and_keeps_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    script = shutil.copy(ROOT / "deploy/make-env", tmp_path / "deploy/make-env")
    shutil.copy(ROOT / ".env.example", tmp_path / ".env.example")
    subprocess.run([script], check=True, timeout=30, capture_output=True)
    first = (tmp_path / ".env").read_text()
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    made = re.findall(
        r"^(?:DB_PASSWORD|REDIS_PASSWORD|JWT_SECRET|GRAFANA_PASSWORD)=(.+)$", first, re.M
    )
    assert len(made) == len(set(made)) == 4
    assert all(len(one) == 48 for one in made)
    subprocess.run([script], check=True, timeout=30, capture_output=True)
    assert (tmp_path / ".env").read_text() == first


def test_the_dashboard_asks_for_what_the_rules_watch() -> None:
    """Structure only: no Grafana runs here. Panels have distinct ids and places, a unit, a query,
    the provisioned source, and show every metric that a rule looks at."""
    board = json.loads((ROOT / "deploy/grafana/dashboards/mystery-box.json").read_text())
    source = yaml.safe_load(
        (ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text()
    )["datasources"][0]
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} overlaps"
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == source["uid"]
        assert all(target["expr"] for target in panel["targets"])
    rules = (ROOT / "deploy/prometheus/alerts.yml").read_text()
    assert sorted(metrics_in(rules) - metrics_in(json.dumps(panels))) == []


def metrics_in(text: str) -> set[str]:
    """The names in queries that end as metrics do."""
    known = r"\b[a-z][a-z_]*(?:_total|_seconds|_lamports|_in_use|_callers)\b|\b[a-z_]+_seconds(?=_)"
    return set(re.findall(known, text))


@pytest.mark.unjudged
def test_rules_and_dashboard_ask_for_what_the_backend_serves(testbed: Testbed) -> None:
    """The oracle has an age where a price feed runs; the static price has none."""
    served = httpx.get(f"{testbed.backend.url}/metrics", verify=False).text
    names = set(re.findall(r"^# TYPE (\w+)", served, re.M)) | {"mystery_box_oracle_age_seconds"}
    for file in ("prometheus/alerts.yml", "grafana/dashboards/mystery-box.json"):
        asked = metrics_in((ROOT / "deploy" / file).read_text())
        assert asked
        assert sorted(asked - names) == [], f"{file} asks for metrics that nobody serves"
