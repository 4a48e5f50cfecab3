"""Listings and cursors, sessions found again, links between what a session made."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import httpx
import pytest
import tinker
from raw import SESSION, Raw
from tinker import types

from running_engine import RunningEngine


@pytest.fixture(scope="module")
def raw(engine: RunningEngine):
    with Raw(engine) as client:
        yield client


@pytest.mark.conformance("GET training_runs: limit, offset, project_id", "GET checkpoints: limit, offset", "GET sessions: limit, offset")
def test_pages_make_the_whole(engine: RunningEngine, rest: tinker.RestClient, raw: Raw, qwen3: Path) -> None:
    session = raw.post("create_session", {**SESSION, "project_id": "paged"})["session_id"]
    models = [raw.model(str(session), qwen3, number) for number in range(5)]
    for number, model in enumerate(models):
        raw.wait(raw.post("save_weights", {"model_id": model, "path": f"w{number}", "seq_id": 1}))
    pages = [rest.list_training_runs(limit=2, offset=offset, project_id="paged").result() for offset in (0, 2, 4, 6)]
    assert [run.training_run_id for page in pages for run in page.training_runs] == models[::-1]
    assert [(page.cursor.offset, page.cursor.limit, page.cursor.total_count) for page in pages] == [(n, 2, 5) for n in (0, 2, 4, 6)]
    newest = [c.tinker_path for c in rest.list_user_checkpoints(limit=2, offset=1).result().checkpoints]
    assert newest == [f"tinker://{models[n]}/weights/w{n}" for n in (3, 2)]
    assert rest.list_sessions(limit=1).result().sessions == [session]
    for wrong in ("limit=-1", "offset=-1", "limit=x", "limit=999999", "offset=" + "9" * 5000):
        assert {raw.http.get(f"{path}?{wrong}").status_code for path in ("training_runs", "checkpoints", "sessions")} == {400}


@pytest.mark.conformance("sessions/search", "PUT sessions/{id}/project", "sessions/{id}/finish: reason, detail")
def test_sessions_are_found_again(rest: tinker.RestClient, raw: Raw, qwen3: Path) -> None:
    said = {"user_metadata": {"kind": "searched", "n": 1}, "display_name": "My Nightly Run", "project_id": "p1"}
    first, second = (str(raw.post("create_session", {**SESSION, **said})["session_id"]) for _ in range(2))
    model = raw.model(first, qwen3)
    raw.wait(raw.post("save_weights", {"model_id": model, "path": "w", "seq_id": 1}))
    sampler = raw.post("create_sampling_session", {"session_id": first, "sampling_session_seq_id": 0, "base_model": str(qwen3)})
    raw.http.post(f"sessions/{second}/finish", json={"reason": {"type": "errored"}, "detail": "boom"})
    held = rest.get_session(first).result()
    assert (held.training_run_ids, held.sampler_ids) == ([model], [sampler["sampling_session_id"]])
    assert (held.user_metadata, held.display_name) == ({"kind": "searched", "n": "1"}, "My Nightly Run")
    rest.assign_session_project(first, "p2").result()
    assert [run.training_run_id for run in rest.list_training_runs(project_id="p2").result().training_runs] == [model]

    def found(**asked: object) -> list[str]:
        body = types.SessionSearchRequest(user_metadata={"kind": "searched"}, **asked)  # pyright: ignore[reportArgumentType]
        answer = raw.http.post("sessions/search", json=body.model_dump(mode="json", exclude_none=True)).json()
        return [types.SessionSearchResponse.model_validate(answer).sessions[i].session_id for i in range(len(answer["sessions"]))]

    assert found() == [second, first]
    assert found(display_name="run nightly") == [second, first]
    assert found(display_name="weekly") == []
    assert found(project_ids=["p2"]) == [first]
    assert found(statuses=[{"type": "active"}]) == [first]
    assert found(statuses=[{"type": "client_finished", "reasons": ["errored"]}]) == [second]
    assert found(statuses=[{"type": "client_finished", "reasons": ["success"]}]) == []
    page = raw.post("sessions/search", {"user_metadata": {"kind": "searched"}, "limit": 1})
    rest_of_it = raw.post("sessions/search", {"user_metadata": {"kind": "searched"}, "cursor": page["next_cursor"]})
    assert [s["session_id"] for s in page["sessions"] + rest_of_it["sessions"]] == [second, first]  # pyright: ignore[reportOperatorIssue]
    assert [s["checkpoints_count"] for s in rest_of_it["sessions"]] == [1]  # pyright: ignore[reportGeneralTypeIssues]


@pytest.mark.conformance("GET samplers/{id}", "create_sampling_session: a repeated sampling_session_seq_id")
def test_a_sampler_says_what_it_reads(service: tinker.ServiceClient, rest: tinker.RestClient, raw: Raw, qwen3: Path) -> None:
    client = service.create_lora_training_client(base_model=str(qwen3), rank=2).result()
    path = client.save_weights_for_sampler("read").result().path
    session = service.holder.get_session_id()
    body = {"session_id": session, "sampling_session_seq_id": 7, "model_path": path}
    first, again = raw.post("create_sampling_session", body), raw.post("create_sampling_session", body)
    assert first == again
    info = rest.get_sampler(str(first["sampling_session_id"])).result()
    assert (info.sampler_id, info.base_model, info.model_path) == (first["sampling_session_id"], str(qwen3), path)
    assert rest.get_session(session).result().sampler_ids == [first["sampling_session_id"]]
    other = raw.http.post("create_sampling_session", json={**body, "model_path": None, "base_model": str(qwen3)})
    assert (other.status_code, "other weights" in other.text) == (400, True)
    with pytest.raises(tinker.NotFoundError):
        rest.get_sampler("none").result()


@pytest.mark.conformance("create_session: user_metadata beyond the limit", "create_model: user_metadata beyond the limit")
def test_metadata_too_long_to_keep_is_refused(raw: Raw, qwen3: Path) -> None:
    long = {"text": "x" * 70_000}
    assert raw.http.post("create_session", json={**SESSION, "user_metadata": long}).status_code == 400
    session = raw.session()
    lora = {"session_id": session, "model_seq_id": 0, "base_model": str(qwen3), "lora_config": {"rank": 1}, "user_metadata": long}
    assert raw.http.post("create_model", json=lora).status_code == 400
    assert raw.model(session, qwen3) == f"{session}:train:0"


def test_what_is_not_answered_says_so(raw: Raw) -> None:
    for path in ("no/such/thing", "no/such"):
        answer = raw.http.get(path)
        assert (answer.status_code, "does not answer GET" in answer.json()["error"]) == (404, True)
    assert raw.http.get("create_session").status_code == 405
    assert httpx.get(str(raw.http.base_url.join("files/a/weights/b/c"))).status_code == 404


def test_a_small_answer_is_sent_at_once(raw: Raw) -> None:
    """Not after the 40 ms for which a client's system holds back an acknowledgement."""
    times = []
    for _ in range(30):
        began = time.perf_counter()
        raw.post("telemetry", {})
        times.append(time.perf_counter() - began)
    assert statistics.median(times) < 0.03


def test_a_connection_outlives_a_pause_of_its_client(engine: RunningEngine) -> None:
    """A client that computes between two batches of requests would else connect anew for each of them."""
    with httpx.Client(base_url=engine.url, limits=httpx.Limits(keepalive_expiry=60)) as http:
        ports = []
        for pause in (0, 6):
            time.sleep(pause)
            answer = http.get("/api/v1/healthz")
            ports.append(answer.extensions["network_stream"].get_extra_info("client_addr")[1])
    assert ports[0] == ports[1]
