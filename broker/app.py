"""The broker as an ASGI application, and as a server process."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.responses import Response

from attestation.policy import load_policy, manifests_folder
from attestation.roots import INTEL_ROOT, load_root
from broker.api import datasets, host, institutions, runs, studies, tokens, votes
from broker.api.access import require_steward
from broker.api.edge import EdgeMiddleware
from broker.api.messages import HealthAnswer, canonical_response
from broker.api.problems import PROBLEM_RESPONSES, register_problem_handlers
from broker.context import Broker, system_time
from broker.folder import hold_folder
from broker.logs import configure_logs
from broker.secretfile import load_or_make_secret
from broker.settings import Settings
from broker.storage import Database, ObjectStore
from broker.uploads import UploadSlots
from custodian import Custodian, CustodianSettings
from custodian.api import make_router
from protocol.errors import StorageError, TransportError

__all__ = ["create_app", "custodian_settings", "serve"]

_STOP_SECONDS = 10


def create_app(settings: Settings, *, now: Callable[[], datetime] = system_time) -> FastAPI:
    """Open the data folder and return the application; its lifespan closes what it opened.

    ``public_url``, where not set, is made of host and port.
    """
    broker = _open(settings, now)
    app = FastAPI(
        title="Sealroom broker",
        version=version("sealroom"),
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        responses=PROBLEM_RESPONSES,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.broker = broker
    app.add_middleware(EdgeMiddleware, limit=settings.limits.body, seconds=settings.limits.body_seconds)
    register_problem_handlers(app)
    for router in (
        tokens.router,
        institutions.router,
        datasets.router,
        studies.recipes,
        studies.contracts,
        votes.router,
        runs.router,
        host.router,
        make_router(broker.custodian, require_steward),
    ):
        app.include_router(router)

    @app.get("/v1/health", response_model=HealthAnswer, tags=["health"])
    def health() -> Response:
        """Say that the broker serves and its database answers."""
        with broker.database.reading() as connection:
            connection.exec_driver_sql("SELECT 1")
        return canonical_response(HealthAnswer(status="ok", version=app.version))

    return app


def custodian_settings(settings: Settings) -> CustodianSettings:
    """Return the settings of the embedded custodian."""
    policy = settings.appraisal_policy or manifests_folder() / "appraisal.toml"
    passphrase_file = settings.passphrase_file or settings.data / "custodian-passphrase"
    if settings.passphrase_file is None:
        load_or_make_secret(passphrase_file)
    return CustodianSettings(
        folder=settings.data / "custodian",
        passphrase_file=passphrase_file,
        appraisal=load_policy(_text(policy)),
        roots=tuple(load_root(_text(path)) for path in settings.hardware_roots) or (INTEL_ROOT,),
    )


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; when it is ready, print one line of JSON with the url on standard output."""
    configure_logs()
    with hold_folder(settings.data):
        _serve(settings, _listen(settings))


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=128)
    except OSError as error:
        raise TransportError(
            "ADDRESS", f"Cannot listen on {settings.host} port {settings.port}: {error.strerror}. Choose another port."
        ) from error


def _serve(settings: Settings, listener: socket.socket) -> None:
    bound = settings.model_copy(update={"port": listener.getsockname()[1]})
    app = create_app(bound)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=_STOP_SECONDS,
        limit_concurrency=settings.limits.connections,
    )
    server = _ReadyServer(config, {"ready": True, "url": bound.address})
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again after a clean stop; this turns that into an ordinary end.
        signal.signal(number, lambda *_: None)
    asyncio.run(server.serve(sockets=[listener]))


class _ReadyServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, line: dict[str, object]) -> None:
        super().__init__(config)
        self._line = line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(json.dumps(self._line) + "\n")
        sys.stdout.flush()


def _open(settings: Settings, now: Callable[[], datetime]) -> Broker:
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.data / "broker.sqlite3")
    database.migrate()
    objects = ObjectStore(settings.data / "objects")
    objects.start()
    return Broker(
        settings=settings,
        database=database,
        objects=objects,
        custodian=Custodian(custodian_settings(settings), now),
        uploads=UploadSlots(settings.limits.uploads),
        invite=load_or_make_secret(settings.data / "invite"),
        host_token=load_or_make_secret(settings.data / "host-token"),
        public_url=settings.public_url or settings.address,
        now=now,
    )


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    broker: Broker = app.state.broker
    current_default_thread_limiter().total_tokens = broker.settings.limits.threads
    yield
    broker.custodian.close()
    broker.database.close()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise StorageError("SETTINGS", f"{path} cannot be read as text.") from error
