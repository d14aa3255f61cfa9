"""`python -m backend`: migrate, seed an empty catalogue, serve. Configured by the environment."""

from __future__ import annotations

import sys

import uvicorn
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from backend.adapters.catalogue import seed_catalogue
from backend.adapters.database import migrate
from backend.api.app import create_app
from backend.settings import Settings

_EXIT_USAGE, _EXIT_ENVIRONMENT = 2, 3


def main() -> int:
    try:
        settings = Settings(_env_file=".env")  # type: ignore[call-arg]  # the environment fills it
    except ValidationError as error:
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"]).upper()
            _say(f"{name}: {problem['msg']}")
        return _EXIT_USAGE
    try:
        migrate(settings.sqlalchemy_url())
        seed_catalogue(settings.sqlalchemy_url())
    except OperationalError:
        _say(f"no database at {settings.db_host}:{settings.db_port}; see DB_HOST and DB_PORT")
        return _EXIT_ENVIRONMENT
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_level="warning",
    )
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"backend: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
