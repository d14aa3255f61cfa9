"""Whether suites in containers can run here: `python -m harness.containers.ready`.

Prints one line. Exit code 0 if an engine answers and has the images or can pull them, 3 if not.
"""

from __future__ import annotations

import sys

from harness.containers.engine import require_engine, require_image
from harness.database import container as postgres
from harness.errors import HarnessError
from harness.ledger import validator
from harness.redis import container as redis

IMAGES = (validator.IMAGE, postgres.IMAGE, redis.IMAGE)


def why_not() -> str | None:
    """The reason why containers cannot be used here, or None if they can."""
    try:
        client = require_engine()
        for image in IMAGES:
            require_image(client, image)
    except HarnessError as error:
        return str(error)
    return None


def main() -> int:
    reason = why_not()
    told = f"ready: {', '.join(IMAGES)}" if reason is None else f"SKIPPED: {reason}"
    sys.stdout.write(f"docker suites: {told}\n")
    return 0 if reason is None else 3


if __name__ == "__main__":
    sys.exit(main())
