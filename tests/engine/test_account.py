"""What the SDK's admin client and the rest of its REST client ask of an account."""

from __future__ import annotations

import pytest
import tinker
from raw import SESSION, Raw

from running_engine import RunningEngine

DAY = ("2026-07-13T00:00:00Z", "2026-07-14T00:00:00Z")


@pytest.fixture(scope="module")
def raw(engine: RunningEngine):
    with Raw(engine) as client:
        yield client


@pytest.fixture
def admin(engine: RunningEngine) -> tinker.AdminClient:
    return tinker.AdminClient(base_url=engine.url, api_key=engine.token)


@pytest.mark.conformance("GET billing/usage/events", "GET audit")
def test_nothing_is_billed_or_logged(admin: tinker.AdminClient, raw: Raw) -> None:
    used = admin.get_billing_usage(*DAY).result()
    assert (used.data, used.sessions, used.cost_data_through) == ([], {}, None)
    assert admin.get_audit_log().result().entries == []
    for query in ({}, {"starting_on": "x"}, {"starting_on": DAY[1], "ending_before": DAY[0]}, {"starting_on": "2026-07-13T00:00:00"}):
        assert raw.http.get("billing/usage/events", params=query).status_code == 400


@pytest.mark.conformance("GET billing/usage/checkpoints/current: project_id")
def test_storage_is_counted_by_project(admin: tinker.AdminClient, rest: tinker.RestClient, raw: Raw, qwen3) -> None:
    session = str(raw.post("create_session", {**SESSION, "project_id": "stored"})["session_id"])
    model = raw.model(session, qwen3)
    for number in (1, 2):
        raw.wait(raw.post("save_weights", {"model_id": model, "path": f"w{number}", "seq_id": number}))
    (held,) = admin.get_current_checkpoint_storage_usage(project_id="stored").result().data
    sizes = [c.size_bytes or 0 for c in rest.list_checkpoints(model).result().checkpoints]
    assert (held.project_id, held.checkpoint_count, held.size_bytes) == ("stored", 2, sum(sizes))
    assert held.estimated_monthly_cost_usd == 0
    assert admin.get_current_checkpoint_storage_usage(project_id="no such").result().data == []
    assert any(item.project_id == "stored" for item in admin.get_current_checkpoint_storage_usage().result().data)


@pytest.mark.conformance("GET sessions/{id}/trace_export: refused with a reason")
def test_a_trace_is_refused_with_a_reason(rest: tinker.RestClient, raw: Raw) -> None:
    session = str(raw.post("create_session", SESSION)["session_id"])
    with pytest.raises(RuntimeError, match="keeps no timeline"):
        rest.export_session_trace(session).result()
    with pytest.raises(tinker.NotFoundError, match="no such session"):
        rest.export_session_trace("0" * 32).result()


@pytest.mark.conformance("client/config: whoami, which the SDK answers itself")
def test_the_sdk_says_why_a_plain_key_is_nobody(rest: tinker.RestClient) -> None:
    with pytest.raises(RuntimeError, match="plain API key"):
        rest.whoami().result()
