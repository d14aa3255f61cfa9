"""`python -m backend`: the backend as a process of its own, configured by the environment.

    python -m backend                     migrate, seed an empty catalogue, serve
    python -m backend serve --workers 4   the same in four processes on one port
    python -m backend migrate             bring the schema up to date and end
    python -m backend check               say whether the configuration is sound, and end
    python -m backend update-prices FILE  new skin prices from a CSV file, all or none
    python -m backend admin               operators' routes, on a port of their own

Exit codes: 0 done, 2 a wrong configuration or file, 3 no database or no port.
"""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, TextIO, cast

from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from backend.settings import Settings

_EXIT_USAGE, _EXIT_ENVIRONMENT = 2, 3


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        settings = _settings()
    except ValidationError as error:
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"][:1]).upper()
            _say(f"{name}: {problem['msg'].removeprefix('Value error, ')}")
        return _EXIT_USAGE
    try:
        return _run(options, settings)
    except OperationalError as error:
        why = str(error.orig).partition("\n")[0]
        _say(f"no database: {why}; see DATABASE_URL, or DB_HOST and those that follow it")
    except OSError as error:
        _say(f"{error.filename or settings.port}: {error.strerror}")
    return _EXIT_ENVIRONMENT


def _run(options: argparse.Namespace, settings: Settings) -> int:
    from backend.adapters.catalogue import seed_catalogue
    from backend.adapters.database import migrate

    match options.command:
        case "check":
            _say("the configuration is sound")
            return 0
        case "update-prices":
            return _update_prices(options.file, settings)
        case "admin":
            return _serve_admin(settings)
    migrate(settings.sqlalchemy_url())
    seed_catalogue(settings.sqlalchemy_url())
    return 0 if options.command == "migrate" else _serve(options.workers, settings)


def _serve(workers: int | None, settings: Settings) -> int:
    workers, app = workers or settings.workers, "backend.__main__:app_of_environment"
    if workers > 1:
        # Before the workers start, so that they agree on both.
        made_up = settings.jwt_secret.get_secret_value() or secrets.token_urlsafe(32)
        os.environ.setdefault("JWT_SECRET", made_up)
        counts = tempfile.TemporaryDirectory(prefix="metrics-")  # until this function returns
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", counts.name)
    return _listen(app, settings, settings.port, workers, factory=True)


def app_of_environment() -> object:
    """One worker's application."""
    from backend.adapters.clock import SystemClock
    from backend.api.app import create_app
    from backend.api.logs import capture_libraries, make_logger

    settings = _settings()
    capture_libraries(make_logger(sys.stderr, SystemClock(), settings))
    return create_app(settings)


def _serve_admin(settings: Settings) -> int:
    from backend.api.admin import create_admin_app

    if settings.admin_token is None:
        _say("ADMIN_TOKEN: is not set, and without it there are no admin routes")
        return _EXIT_USAGE
    return _listen(create_admin_app(settings), settings, settings.admin_port)


def _listen(app: Any, settings: Settings, port: int, workers: int = 1, **more: Any) -> int:
    """Serve until told to stop. Raises OSError if the port is taken; uvicorn would only log it."""
    import uvicorn

    from backend.api.gate import Protocol

    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((settings.host, port))
    uvicorn.run(
        app, host=settings.host, port=port, workers=workers, log_config=None, access_log=False,
        http=Protocol, proxy_headers=False,  # the gate believes TRUSTED_PROXIES only
        timeout_keep_alive=75,  # longer than clients (httpx: 5 s): none meets a closing connection
        server_header=False, timeout_graceful_shutdown=settings.shutdown_seconds, **more,
    )  # fmt: skip
    return 0


def _update_prices(file: Path, settings: Settings) -> int:
    from backend.adapters.database import Database, open_engine
    from backend.adapters.skin_prices import BadPrices, update_prices

    try:
        rows, changed = update_prices(Database(open_engine(settings.sqlalchemy_url())), file)
    except BadPrices as bad:
        for problem in bad.problems:
            _say(f"{file.name}: {problem}")
        return _EXIT_USAGE
    _say(f"{changed} of {rows} prices changed")
    return 0


def _settings() -> Settings:
    """Of the environment; whatever this process writes from now on, traces of crashes included, is
    redacted on its way out. Raises ValidationError."""
    from backend.api.logs import RedactedStream, Redactor

    settings = Settings(_env_file=".env")  # type: ignore[call-arg]  # the environment fills it
    redactor = Redactor(settings.secret_texts())
    sys.stdout = cast(TextIO, RedactedStream(sys.__stdout__, redactor))
    sys.stderr = cast(TextIO, RedactedStream(sys.__stderr__, redactor))
    return settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m backend", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    serve = commands.add_parser("serve", help="migrate, seed, serve (the default)")
    for place in (parser, serve):
        place.add_argument("--workers", type=int, help="processes (default: WORKERS, else 1)")
    commands.add_parser("migrate", help="bring the schema up to date")
    commands.add_parser("check", help="check the configuration")
    prices = commands.add_parser("update-prices", help="new skin prices from a CSV file")
    prices.add_argument("file", type=Path, help="columns weapon, skinName, condition, basePriceUsd")
    commands.add_parser("admin", help="serve the operators' routes on ADMIN_PORT")
    return parser


def _say(line: str) -> None:
    sys.stderr.write(f"backend: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
