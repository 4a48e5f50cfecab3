"""``docs/engine.md`` lists what the tests hold, and the tests hold every endpoint, loss and sampling option."""

from __future__ import annotations

import pytest
from conformance import PAGE, claims, rendered, routes, shape
from tinker import types

from idiolect.engine.losses import LOSSES

ENDPOINTS = {shape(endpoint) for endpoint, _ in claims()}
TARGET = {"prompt", "sampling_params", "base_model", "model_path", "sampling_session_id", "seq_id", "type"}
"""Fields of a sampling request that say whom and what to sample, not how."""
OPTIONS = (set(types.SampleRequest.model_fields) | set(types.SamplingParams.model_fields)) - TARGET


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == rendered(page), "write it anew: python tests/engine/conformance.py"


@pytest.mark.parametrize("endpoint", routes())
def test_every_endpoint_has_a_test(endpoint: str) -> None:
    assert shape(endpoint) in ENDPOINTS


def test_every_marker_names_an_endpoint() -> None:
    assert {shape(route) for route in routes()} >= ENDPOINTS


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_every_loss_has_a_test(loss: str) -> None:
    assert ("forward_backward", loss) in claims()


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_every_sampling_option_has_a_test(option: str) -> None:
    assert ("asample", option) in claims()
