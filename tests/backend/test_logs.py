"""The redacting logger: nothing that looks like a key, signature or address gets through."""

from __future__ import annotations

import io
import json

import pytest
from solders.keypair import Keypair

from backend.adapters.clock import SystemClock
from backend.api.logs import make_logger, redact

KEY = Keypair.from_seed(b"k" * 32)


@pytest.mark.parametrize(
    "secret",
    [str(KEY), str(KEY.pubkey()), str(KEY.sign_message(b"x")), json.dumps(list(bytes(KEY)))],
    ids=["key", "address", "signature", "key array"],
)
def test_secrets_are_blanked(secret: str) -> None:
    assert secret not in redact(f"failed for {secret}: try again")
    out = io.StringIO()
    logger = make_logger(out, SystemClock())
    logger.info("event", detail=f"about {secret}")
    try:
        raise RuntimeError(f"no {secret}")
    except RuntimeError:
        logger.exception("broken")
    assert secret not in out.getvalue()
    assert all(json.loads(line)["level"] for line in out.getvalue().splitlines())


def test_ordinary_words_stay() -> None:
    text = "POST /api/v1/reveal/{nftMint} answered 200 in 12.5 ms"
    assert redact(text) == text
