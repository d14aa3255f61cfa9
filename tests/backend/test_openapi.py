"""The API does what its documentation says, whatever is sent to it; and every error is explained.

schemathesis makes calls from the schema, good and bad ones, against a served backend: no answer
may be a 5xx, have an undocumented status, type or form, or take what the schema forbids.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks as conform

import backend.domain
from backend.domain.errors import Refusal
from harness.testbed import Testbed
from tests.backend.serving import serve
from tests.backend.test_access import sign_in

_CALLS_OF_EACH = 18
_CHECKS = [
    not_a_server_error,
    conform.status_code_conformance,
    conform.content_type_conformance,
    conform.response_headers_conformance,
    conform.response_schema_conformance,
    conform.negative_data_rejection,
    conform.unsupported_method,
]
_ERRORS = Path(__file__).parents[2] / "docs" / "errors.md"
_ROW = re.compile(r"^\| `([A-Z0-9_]+)` \| (\d+) \| (.+?) \| (.+?) \|$", re.MULTILINE)
#: The guide's common issues and what this backend calls them.
_GUIDE = (
    "Metadata account not found", "Computational budget exceeded", "MissingRemainingAccount",
    "URI too long", "Treasury has insufficient balance", "NFT not found in user inventory",
)  # fmt: skip


def play(
    base_url: str, schema: dict[str, Any], headers: dict[str, str], real: dict[str, str]
) -> dict[str, set[int]]:
    """Make calls to every endpoint; the statuses that each gave."""
    found = schemathesis.openapi.from_dict(schema).get_all_operations()
    operations = [result.ok() for result in found]
    return {
        f"{one.method.upper()} {one.path}": call(one, base_url, headers, real) for one in operations
    }


def call(
    operation: APIOperation, base_url: str, headers: dict[str, str], real: dict[str, str]
) -> set[int]:
    """A third of the calls names `real` things, the others are as the schema says or are not."""
    seen: set[int] = set()

    def put_real(case: Case) -> Case:
        for part in (case.path_parameters, case.body):
            if isinstance(part, dict):
                part.update({name: real[name] for name in part if name in real})
        return case

    def play_with(cases: st.SearchStrategy[Case], calls_max: int) -> None:
        @settings(
            max_examples=calls_max, derandomize=True, database=None, deadline=None,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=cases)
        def one(case: Case) -> None:
            answer = case.call_and_validate(base_url=base_url, headers=headers, checks=_CHECKS)
            seen.add(answer.status_code)

        one()

    good = operation.as_strategy(GenerationMode.POSITIVE)
    play_with(good.map(put_real), _CALLS_OF_EACH // 3)
    play_with(
        st.one_of(good, operation.as_strategy(GenerationMode.NEGATIVE)), _CALLS_OF_EACH * 2 // 3
    )
    return seen


@pytest.mark.parametrize("required", [False, True], ids=["nobody", "signed in"])
def test_no_call_is_answered_otherwise_than_documented(testbed: Testbed, required: bool) -> None:
    player = testbed.player()
    nft = player.mint()
    testbed.clock.sleep(12)
    with serve(testbed, wallet_auth="required" if required else "optional") as served:
        headers = sign_in(served, player.keypair).headers if required else {}
        schema = served.http.get(served.root + "/openapi.json").json()
        real = {
            "nftMint": str(nft.mint),
            "walletAddress": str(player.pubkey),
            "boxId": testbed.box_id,
        }
        statuses = play(served.root, schema, headers, real)
    assert len(statuses) == 15
    api = "/api/v1"
    for endpoint, reached in {
        f"POST {api}/reveal/{{nftMint}}": {200, 422},
        f"GET {api}/buyback/calculate/{{nftMint}}": {200, 422},
        f"POST {api}/buyback/request": {200, 422},
        f"POST {api}/buyback/confirm": {422},
        f"GET {api}/inventory/{{walletAddress}}": {200, 422},
        f"POST {api}/auth/challenge": {200, 422},
        f"POST {api}/auth/refresh": {401, 422},
        "GET /ready": {200},
    }.items():
        assert statuses[endpoint] >= reached, (endpoint, statuses[endpoint])
    assert "INTERNAL_ERROR" not in served.log.getvalue()


def test_the_schema_says_who_may_call_and_how_it_refuses(testbed: Testbed) -> None:
    with serve(testbed, wallet_auth="required") as served:
        schema = served.http.get(served.root + "/openapi.json").json()
    assert schema["components"]["securitySchemes"]["wallet"]["scheme"] == "bearer"
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            assert operation["description"], path
            if path.startswith("/api/v1/"):
                assert {"200", "401", "413", "422", "429", "500", "503"} <= set(
                    operation["responses"]
                ), path
                assert "Retry-After" in operation["responses"]["429"]["headers"]
    acting = schema["paths"]["/api/v1/buyback/request"]["post"]
    assert acting["security"] == [{"wallet": []}]
    conflicts = acting["responses"]["409"]["content"]["application/json"]["examples"]
    assert set(conflicts) >= {"INSUFFICIENT_TREASURY", "QUOTE_PENDING", "ALREADY_BOUGHT_BACK"}


def refusals() -> dict[str, int]:
    """Every code that the backend can answer with, and its status."""
    for module in pkgutil.iter_modules(backend.domain.__path__):
        importlib.import_module(f"backend.domain.{module.name}")
    found: dict[str, int] = {}
    kinds = [Refusal]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if "code" in vars(kind) and kind is not Refusal:
            found[kind.code] = kind.status
    return found


def test_every_error_is_listed_with_cause_and_cure() -> None:
    listed = _ROW.findall(_ERRORS.read_text(encoding="utf-8"))
    assert len(listed) == len({code for code, *_ in listed}), "a code stands twice"
    assert {code: int(status) for code, status, *_ in listed} == refusals()
    text = _ERRORS.read_text(encoding="utf-8")
    assert [issue for issue in _GUIDE if issue not in text] == []


def test_documentation_is_not_served_in_production_form(testbed: Testbed) -> None:
    with serve(testbed) as served:
        assert httpx.get(served.root + "/docs", verify=False).status_code == 200
        assert httpx.get(served.root + "/redoc", verify=False).status_code == 404
