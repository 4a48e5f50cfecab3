"""One engine with the pocket model, a workspace with writers, and a server of them on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import pytest

from idiolect.service import Connection
from idiolect.serving import Desk, Limits, make_app, serve
from idiolect.settings import Settings, pocket_model
from idiolect.workspace import Workspace
from running_engine import RunningEngine, start_engine
from writers import workspace_with_writers

TOKEN = "a-token-for-tests-only"


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    with start_engine(pocket_model(), state=tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture(scope="session")
def place(engine: RunningEngine, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return workspace_with_writers(tmp_path_factory.mktemp("served"), engine)


@pytest.fixture(scope="session")
def connection(engine: RunningEngine) -> Iterator[Connection]:
    with Connection(engine.url, engine.token) as opened:
        yield opened


Serving = Callable[[Limits], AbstractContextManager[str]]


@pytest.fixture(scope="session")
def serving(engine: RunningEngine, place: Workspace) -> Serving:
    """Serve the workspace under given limits until the context ends; its value is the server's address."""

    @contextmanager
    def start(limits: Limits) -> Iterator[str]:
        ready, address = threading.Event(), []
        stopping: list[Callable[[], object]] = []

        async def run(connection: Connection) -> None:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None
            stopping.append(lambda: loop.call_soon_threadsafe(task.cancel))
            app = make_app(Desk(place, Settings.load(place.settings), connection, limits), TOKEN)
            with suppress(asyncio.CancelledError):
                await serve(app, "127.0.0.1", 0, lambda url: (address.append(url), ready.set()))

        def work() -> None:
            with Connection(engine.url, engine.token) as connection:
                asyncio.run(run(connection))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        assert ready.wait(30)
        try:
            yield address[0]
        finally:
            stopping[0]()
            thread.join(20)
            assert not thread.is_alive()

    return start


@pytest.fixture(scope="session")
def served(serving: Serving) -> Iterator[str]:
    with serving(Limits(per_minute=10_000)) as url:
        yield url
