"""The gate: limits by address and wallet, proxies, sizes, origins, and answers of one form."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import anyio
import httpx
import pytest
from anyio.to_thread import current_default_thread_limiter
from hypothesis import given
from hypothesis import strategies as st
from solana.rpc.api import Client
from solders.keypair import Keypair

from backend.adapters.clock import SystemClock
from backend.api.app import create_app
from backend.api.limits import Counters, Proxies, RateLimits
from backend.domain.errors import RateLimited
from backend.settings import Settings
from harness.clock import VirtualClock
from harness.faults.rpc_proxy import Kind, RpcProxy
from harness.ledger.embedded import START
from harness.testbed import Testbed
from tests.backend.serving import Served, code_of, serve, settings_of
from tests.backend.test_access import sign_in

ANNA = Keypair.from_seed(b"a" * 32)
GUIDE = {"rate_limit_max_requests": 100, "reveal_limit_max_requests": 5}
MINT = str(ANNA.pubkey())


@pytest.fixture
def limited(testbed: Testbed) -> Iterator[Served]:
    with serve(testbed, **GUIDE, trusted_proxies=("127.0.0.1",)) as served:
        yield served


def status(served: Served, address: str) -> httpx.Response:
    return served.http.get("/buyback/status", headers={"x-forwarded-for": address})


def test_a_hundred_calls_in_fifteen_minutes(testbed: Testbed, limited: Served) -> None:
    answers = [status(limited, "203.0.113.1") for _ in range(101)]
    assert [answer.status_code for answer in answers] == [200] * 100 + [429]
    assert code_of(answers[-1]) == "RATE_LIMITED"
    assert answers[-1].headers["retry-after"] == "900"
    assert status(limited, "203.0.113.2").status_code == 200, "another address goes on"
    testbed.clock.sleep(899)
    late = status(limited, "203.0.113.1")
    assert (late.status_code, late.headers["retry-after"]) == (429, "1")
    testbed.clock.sleep(1)
    assert status(limited, "203.0.113.1").status_code == 200


def test_five_reveals_a_minute_by_address_and_by_wallet(testbed: Testbed, limited: Served) -> None:
    session = sign_in(limited, ANNA)

    def reveal(address: str, *, signed_in: bool) -> int:
        headers = {"x-forwarded-for": address, **(session.headers if signed_in else {})}
        body = {"boxId": "golden-box"}
        return limited.http.post(f"/reveal/{MINT}", json=body, headers=headers).status_code

    assert [reveal("198.51.100.1", signed_in=False) for _ in range(6)] == [400] * 5 + [429]
    assert status(limited, "198.51.100.1").status_code == 200, "other calls go on"
    # A wallet that changes its address with every call is still one wallet.
    assert [reveal(f"198.51.100.{n}", signed_in=True) for n in range(2, 8)] == [400] * 5 + [429]
    testbed.clock.sleep(60)
    assert reveal("198.51.100.1", signed_in=True) == 400


def test_what_a_client_says_of_its_address_is_not_believed(testbed: Testbed) -> None:
    with serve(testbed, rate_limit_max_requests=3) as served:
        answers = [status(served, f"203.0.113.{n}").status_code for n in range(4)]
    assert answers == [200, 200, 200, 429]


def test_a_line_that_the_proxy_adds_counts_not_the_clients_own(testbed: Testbed) -> None:
    """HAProxy's `option forwardfor` adds a header line; the client's own stays before it."""
    with serve(testbed, rate_limit_max_requests=3, trusted_proxies=("127.0.0.1",)) as served:
        answers = [
            served.http.get(
                "/buyback/status",
                headers=[("x-forwarded-for", f"1.2.3.{n}"), ("x-forwarded-for", "203.0.113.1")],
            ).status_code
            for n in range(4)
        ]
    assert answers == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, forged!", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:51234", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8:1:2:3::4]:443", "2001:db8:1:2::"),
        ("10.0.0.1", "2001:db8:1:2:3::4, [::ffff:10.0.0.3]", "2001:db8:1:2::"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("2001:db8:1:2:3::4", "", "2001:db8:1:2::"),
        ("testclient", "", "unknown"),
    ],
)
def test_the_nearest_address_that_is_no_proxy(peer: str, forwarded: str, caller: str) -> None:
    assert Proxies(["10.0.0.0/8"]).caller(peer, forwarded) == caller


@given(st.text(max_size=80))
def test_no_header_is_too_odd_for_proxies(forwarded: str) -> None:
    assert Proxies(["10.0.0.0/8"]).caller("10.0.0.1", forwarded)


def test_counters_in_memory_are_bounded_and_end_with_the_clock() -> None:
    clock = VirtualClock(START)
    counters = Counters(clock, keys_max=10)
    for number in range(50):
        assert counters.count(f"key-{number}", 60)[0] == 1
    assert len(counters._kept) == 10
    assert [counters.count("one", 60)[0] for _ in range(3)] == [1, 2, 3]
    clock.sleep(60)
    assert counters.count("one", 60) == (1, clock.now().timestamp() + 60)


def settings(**changes: object) -> Settings:
    address, key = str(ANNA.pubkey()), json.dumps(list(bytes(ANNA)))
    return Settings(
        buyback_program_id=address, collection_mint=address, candy_machine_id=address,
        admin_wallet_private_key=key, admin_private_key=str(ANNA), **changes,
    )  # fmt: skip


def refused_after(limits: RateLimits, most: int) -> int:
    async def play() -> int:
        for number in range(most):
            try:
                await limits.check(("reveal",), ("198.51.100.1",))
            except RateLimited:
                return number
        return most

    return asyncio.run(play())


def test_without_an_answer_of_redis_memory_counts_on() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    limits = RateLimits(settings(redis_host="127.0.0.1", redis_port=port), VirtualClock(START))
    assert refused_after(limits, 8) == 5


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on PATH")
def test_two_processes_share_their_counts_in_redis() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "",
               "--requirepass", "a-password"]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while socket.socket().connect_ex(("127.0.0.1", port)) and time.monotonic() < deadline:
            time.sleep(0.05)
        given_ = {"redis_host": "127.0.0.1", "redis_port": port, "redis_password": "a-password"}
        one, two = (RateLimits(settings(**given_), SystemClock()) for _ in range(2))
        assert refused_after(one, 3) == 3
        assert refused_after(two, 8) == 2, "three of the five were counted by the other"
    finally:
        server.terminate()
        server.wait(10)


def test_more_than_fits_is_turned_away_at_once_and_let_in_again(testbed: Testbed) -> None:
    with (
        RpcProxy(testbed.ledger.rpc_url) as proxy,
        serve(testbed, rpc=Client(proxy.url), in_flight_max=2) as served,
        ThreadPoolExecutor(2) as pool,
    ):
        held = proxy.trouble(Kind.HELD_BEFORE, times=2)
        waiting = [pool.submit(httpx.get, f"{served.http.base_url}buyback/status", timeout=30)
                   for _ in range(2)]  # fmt: skip
        deadline = time.monotonic() + 10
        while held.times and time.monotonic() < deadline:
            time.sleep(0.01)
        third = served.http.get("/buyback/status")
        assert (third.status_code, code_of(third)) == (503, "OVERLOADED")
        assert third.headers["retry-after"] == "1"
        assert served.http.get(f"{served.root}/health").is_success, "probes are not counted"
        held.released.set()
        assert [one.result().status_code for one in waiting] == [200, 200]
        assert served.http.get("/buyback/status").is_success
        metrics = served.http.get(f"{served.root}/metrics").text
        assert 'rate_limited_total{limit="in_flight"} 1.0' in metrics
        assert "mystery_box_requests_under_way 0.0" in metrics


def test_large_bodies_are_refused_with_and_without_a_length(testbed: Testbed) -> None:
    with serve(testbed, body_bytes_max=4096) as served:
        body = b'{"boxId": "' + b"x" * 5000 + b'"}'
        path, headers = f"/reveal/{MINT}", {"content-type": "application/json"}
        declared = served.http.post(path, content=body, headers=headers)
        assert (declared.status_code, code_of(declared)) == (413, "BODY_TOO_LARGE")
        chunks = (body[at : at + 1000] for at in range(0, len(body), 1000))
        streamed = served.http.post(path, content=chunks, headers=headers)
        assert (streamed.status_code, code_of(streamed)) == (413, "BODY_TOO_LARGE")


def test_half_sent_bodies_do_not_keep_their_places(testbed: Testbed) -> None:
    with serve(testbed, body_seconds_max=1, in_flight_max=2) as served, ExitStack() as sockets:
        place = ("127.0.0.1", served.http.base_url.port)
        head = "POST /api/v1/auth/challenge HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
        slow = [sockets.enter_context(socket.create_connection(place, 10)) for _ in range(2)]
        for one in slow:
            one.sendall(head.encode())
        deadline = time.monotonic() + 5
        while served.http.get("/fairness").is_success and time.monotonic() < deadline:
            time.sleep(0.01)
        assert code_of(served.http.get("/fairness")) == "OVERLOADED"
        for one in slow:
            answer = one.recv(4096)
            assert answer.startswith(b"HTTP/1.1 408")
            assert b"BODY_TOO_SLOW" in answer or b"BODY_TOO_SLOW" in one.recv(4096)
        assert served.http.get("/fairness").is_success


def test_origins_that_are_not_listed_get_no_leave(testbed: Testbed) -> None:
    with serve(testbed, cors_origins=("https://boxes.example",)) as served:
        for origin, allowed in (("https://boxes.example", True), ("https://evil.example", False)):
            asked = served.http.options(
                "/buyback/status",
                headers={"origin": origin, "access-control-request-method": "GET"},
            )
            assert asked.is_success is allowed
            got = served.http.get("/buyback/status", headers={"origin": origin})
            assert (got.headers.get("access-control-allow-origin") == origin) is allowed


def test_every_answer_has_one_form_and_an_id(testbed: Testbed) -> None:
    with serve(testbed) as served:
        wrong = {
            "PATH_UNKNOWN": served.http.get("/nothing"),
            "METHOD_NOT_ALLOWED": served.http.get(f"/reveal/{MINT}"),
            "INVALID_INPUT": served.http.post(f"/reveal/{MINT}", content=b"\xff{"),
            "UNKNOWN_BOX": served.http.post(f"/reveal/{MINT}", json={"boxId": "\u0000"}),
        }
        for code, answer in wrong.items():
            assert code_of(answer) == code
            assert answer.json()["success"] is False
            assert len(answer.headers["x-request-id"]) == 16
        assert wrong["METHOD_NOT_ALLOWED"].headers["allow"] == "POST"
        kept = served.http.get("/buyback/status", headers={"x-request-id": "my-id-1"})
        assert kept.headers["x-request-id"] == "my-id-1"
        forged = served.http.get("/buyback/status", headers={"x-request-id": MINT})
        assert MINT not in forged.headers["x-request-id"] + served.log.getvalue()
        assert '"request_id": "my-id-1"' in served.log.getvalue()


def test_what_nobody_foresaw_is_a_500_in_the_same_form(testbed: Testbed) -> None:
    with serve(testbed) as served:

        def broken() -> None:
            raise RuntimeError(f"row of {MINT}")

        served.app.add_api_route("/broken", broken)
        answer = served.http.get(served.root + "/broken")
        assert (answer.status_code, code_of(answer)) == (500, "INTERNAL_ERROR")
        assert MINT not in answer.text
        logged = served.log.getvalue()
        assert "RuntimeError" in logged
        assert MINT not in logged


def test_a_served_application_has_as_many_threads_as_it_is_told(testbed: Testbed) -> None:
    app = create_app(settings_of(testbed, threads=3), clock=testbed.clock, log=io.StringIO())

    async def served() -> float:
        async with app.router.lifespan_context(app):
            return current_default_thread_limiter().total_tokens

    assert anyio.run(served) == 3
