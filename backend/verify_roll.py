"""Repeat a provably fair roll from its published proof; needs no backend, database or ledger.

    python -m backend.verify_roll --commitment 9f86d0... --server-seed 6e1a44... \\
        --client-seed my-seed --nonce 7 --choices 3:1,4:9 [--odds '{"Common": "1"}']

Commitment, client seed, nonce and choices are those that GET /fairness/{nftMint} shows; the server
seed is there once it is disclosed. Exit codes: 0 repeated, 1 the seed is not the committed one,
2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys

from backend.domain.boxes import read_odds
from backend.domain.fairness import Proof, read_choices, repeat_roll
from backend.domain.rarity import GUIDE_ODDS


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m backend.verify_roll", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--commitment", required=True, help="64 hex digits")
    parser.add_argument("--server-seed", required=True, type=bytes.fromhex, help="in hex")
    parser.add_argument("--client-seed", required=True)
    parser.add_argument("--nonce", required=True, type=int)
    parser.add_argument("--choices", required=True, type=read_choices, help="ID:WEIGHT,...")
    parser.add_argument("--odds", type=lambda text: read_odds(json.loads(text)), default=GUIDE_ODDS,
                        help="JSON (the guide's)")  # fmt: skip
    given = parser.parse_args()
    proof = Proof(given.commitment, given.client_seed, given.nonce, given.odds, given.choices)
    try:
        tier, template = repeat_roll(proof, given.server_seed)
    except ValueError as not_it:
        sys.stderr.write(f"verify_roll: {not_it}\n")
        return 1
    sys.stdout.write(f"{tier}, template {template}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
