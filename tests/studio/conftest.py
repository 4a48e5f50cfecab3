"""A studio without a browser: the application behind its guard, in a workspace with two writers, and no models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import save_demonstrations
from idiolect.methods.run import open_run
from idiolect.settings import Settings
from idiolect.studio import Access, studio_app
from idiolect.workspace import Workspace
from studio_visitor import HOME, PORT, Visitor, no_service, writer


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    place = Workspace(tmp_path / "workspace")
    Settings(author="Mara", me=("mara@example.org",)).save(place.settings)
    save_demonstrations(place.demonstrations, [Demonstration(id="1", input="Ask Ann for the keys", output="Hi Ann, the keys?")])
    for name in ("baseline", "prompt"):
        open_run(place, name, {}).finish(writer(name))
    return place


@pytest.fixture
def access() -> Access:
    return Access("127.0.0.1", PORT)


@pytest.fixture
def client(place: Workspace, access: Access) -> Iterator[TestClient]:
    with TestClient(studio_app(place, Settings.load(place.settings), no_service, access), base_url=HOME) as client:
        yield client


@pytest.fixture
def visitor(client: TestClient, access: Access) -> Visitor:
    assert client.get(access.link).status_code == 200
    return Visitor(client)
