"""The redacting logger: nothing that looks like a key, signature or address gets through."""

from __future__ import annotations

import base64
import io
import json
import logging
import secrets

import jwt
import pytest
from solders.keypair import Keypair
from solders.message import Message
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from backend.adapters.clock import SystemClock
from backend.api.logs import RedactedStream, Redactor, capture_libraries, make_logger
from tests.backend.test_gate import settings

KEY = Keypair.from_seed(b"k" * 32)
PAY = transfer(TransferParams(from_pubkey=KEY.pubkey(), to_pubkey=KEY.pubkey(), lamports=1))
TRANSACTION = VersionedTransaction(Message([PAY], KEY.pubkey()), [KEY])
SECRETS: dict[str, str] = {
    "key": str(KEY),
    "address": str(KEY.pubkey()),
    "signature": str(KEY.sign_message(b"x")),
    "key array": json.dumps(list(bytes(KEY))),
    "transaction": base64.b64encode(bytes(TRANSACTION)).decode(),
    "key in base64": base64.b64encode(bytes(KEY.pubkey())).decode(),
    "key in hex": bytes(KEY.pubkey()).hex(),
    "refresh token": secrets.token_urlsafe(32),
    "access token": jwt.encode({"sub": str(KEY.pubkey())}, "k" * 32),
}


@pytest.mark.parametrize("secret", list(SECRETS.values()), ids=list(SECRETS))
def test_secrets_are_blanked_wherever_they_stand(secret: str) -> None:
    out = io.StringIO()
    logger = make_logger(out, SystemClock())
    logger.info(f"of {secret}", detail=f"about {secret}, again", **{"deep": {"er": [secret, 1]}})
    try:
        raise RuntimeError(f"no {secret}")
    except RuntimeError:
        logger.exception("broken")
    print("said", secret, file=RedactedStream(out, Redactor()))
    for part in {secret, secret[:60], secret[-30:]}:
        assert part not in out.getvalue()


def test_objects_that_are_no_text_are_blanked_too() -> None:
    out = io.StringIO()
    logger = make_logger(out, SystemClock())
    logger.info(
        "objects", wallet=KEY.pubkey(), pair=KEY, raw=bytes(KEY), numbers=list(bytes(KEY)),
        transaction=TRANSACTION, set={str(KEY.pubkey())}, as_key={str(KEY.pubkey()): 1},
        repr=f"it is {bytes(KEY)!r}",
    )  # fmt: skip
    written = out.getvalue()
    assert str(KEY.pubkey()) not in written
    assert str(KEY) not in written
    assert str(list(bytes(KEY)))[1:30] not in written
    assert repr(bytes(KEY))[2:40] not in json.loads(written)["repr"]


def test_known_secrets_and_urls_with_keys_are_blanked() -> None:
    redactor = Redactor(["hunter2-hunter2"])
    text = "at https://me:pass@rpc.example.com/?api-key=short1 with hunter2-hunter2 and token=abc&x"
    blanked = redactor.text("GET " + text)
    for secret in ("me:pass", "short1", "hunter2"):
        assert secret not in blanked
    assert "rpc.example.com" in blanked


def test_what_libraries_log_is_redacted_json_too() -> None:
    out = io.StringIO()
    before = logging.root.handlers[:], logging.root.level
    try:
        capture_libraries(make_logger(out, SystemClock()))
        logging.getLogger("uvicorn.error").error("trouble with %s", KEY.pubkey())
        logging.getLogger("httpx").info("GET https://rpc/%s", KEY.pubkey())
    finally:
        logging.captureWarnings(False)
        logging.root.handlers[:], logging.root.level = before
    (line,) = out.getvalue().splitlines()
    assert json.loads(line)["source"] == "uvicorn.error"
    assert str(KEY.pubkey()) not in line


def test_lines_for_people_are_redacted_too() -> None:
    out = io.StringIO()
    logger = make_logger(out, SystemClock(), settings(log_format="combined", log_level="warn"))
    logger.info("not told")
    logger.warning("told", status=200, wallet=KEY.pubkey())
    line = out.getvalue()
    assert line.startswith("at=")
    assert line.endswith(" level=warning event=told status=200 wallet=<redacted>\n")


def test_ordinary_words_stay() -> None:
    for text in (
        "POST /api/v1/reveal/{nftMint} answered 200 in 12.5 ms",
        'File "/srv/app/backend/service/buyback.py", line 120, in confirm',
        "request 0123456789abcdef failed: database-unavailable-for-the-moment",
    ):
        assert Redactor().text(text) == text
