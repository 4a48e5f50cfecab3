"""Sampling through the real SDK against a real engine with a tiny random model."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from checkpoints import tiny_checkpoint
from idiolect.errors import InputError, ServiceError
from idiolect.service import BestOf, Connection, Draft, Model, Writer, cascade, complete, derive_seed, draft, renderer_name
from idiolect.service.datums import prompt_tokens, training_datum
from running_engine import start_engine


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(str(tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny", "qwen3")), "qwen3_instruct")


@pytest.fixture(scope="module")
def connection(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with start_engine(model.base_model, state=tmp_path_factory.mktemp("state")) as engine, Connection(engine.url, engine.token) as opened:
        yield opened


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def sample(connection: Connection, model: Model, texts: list[str], **options) -> list[list[str]]:
    values = {"max_tokens": 12, "temperature": 1.0, "seed": 3, **options}
    answers = connection.run(complete(connection, model, [ask(text) for text in texts], **values))
    return [[answer.text for answer in group] for group in answers]


def test_an_answer_does_not_depend_on_what_stands_beside_it(connection: Connection, model: Model) -> None:
    together = sample(connection, model, ["one", "two", "three"])
    assert sample(connection, model, ["three", "one"]) == [together[2], together[0]]
    assert sample(connection, model, ["two"], seed=4) != [together[1]]


def test_repeated_conversations_get_different_answers_and_groups_differ_inside(connection: Connection, model: Model) -> None:
    first, second = sample(connection, model, ["one", "one"], num_samples=3)
    assert len(first) == 3
    assert len({*first, *second}) == 6


def test_every_answer_is_reported_as_it_comes(connection: Connection, model: Model) -> None:
    results: dict[int, int] = {}
    steps: list[tuple[int, int]] = []
    sample(
        connection, model, ["one", "two", "three"], num_samples=2, on_progress=lambda *step: steps.append(step),
        on_result=lambda index, answers: results.update({index: len(answers)}),
    )  # fmt: skip
    assert results == {0: 2, 1: 2, 2: 2}
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_a_cut_answer_is_not_finished(connection: Connection, model: Model) -> None:
    ((cut,),) = connection.run(complete(connection, model, [ask("one")], max_tokens=2, temperature=1.0, seed=1))
    assert (cut.finished, cut.stop_reason, cut.tokens) == (False, "length", 2)
    answers = connection.run(complete(connection, model, [ask("one")], max_tokens=400, temperature=1.0, seed=1, num_samples=8))[0]
    for answer in answers:
        assert answer.finished == (answer.stop_reason == "stop")
        assert "<|im_end|>" not in answer.text
    assert any(answer.finished for answer in answers)


def test_drafts_come_in_the_requests_order(connection: Connection, model: Model) -> None:
    writer = Writer(name="x", base_model=model.base_model, renderer=model.renderer, system_prompt="Be short.", max_tokens=8)
    drafts = connection.run(draft(connection, writer, ["a", "b"], seed=0))
    assert [each.request for each in drafts] == ["a", "b"]
    assert all(each.tokens <= 8 and each.seconds > 0 for each in drafts)
    assert connection.run(draft(connection, writer, ["b"], seed=0))[0].text == drafts[1].text


def test_a_faulty_draft_is_the_best_of_its_tries(connection: Connection, model: Model) -> None:
    writer = Writer(name="x", base_model=model.base_model, renderer=model.renderer, max_tokens=8, temperature=1.0)
    requests = ["a", "b", "a"]
    plain = connection.run(draft(connection, writer, requests, seed=0))
    asked: list[tuple[str, str]] = []

    def chosen(faults) -> list[Draft]:
        def counted(request: str, text: str, finished: bool) -> int:
            asked.append((request, text))
            return faults(request, text)

        return connection.run(draft(connection, writer, requests, seed=0, best_of=BestOf(5, counted, "x")))

    assert [replace(one, seconds=0.0) for one in chosen(lambda *_: 0)] == [replace(one, seconds=0.0) for one in plain]
    # Fewer of the letter e are fewer faults; only "a" has any.
    asked.clear()
    found = chosen(lambda request, text: 0 if request == "b" else 1 + text.count("e"))
    assert [one.tries for one in found] == [5, 1, 5]
    assert found[1].text == plain[1].text
    tried = {request: {text for asked_for, text in asked if asked_for == request} for request in requests}
    assert len(tried["a"]) == 10
    assert len(tried["b"]) == 1
    assert min(one.text.count("e") for one in (found[0], found[2])) == min(text.count("e") for text in tried["a"])
    assert all(one.tokens > first.tokens and one.seconds > 0 for one, first in ((found[0], plain[0]), (found[2], plain[2])))
    # Where nothing is better, the first try stands.
    assert [one.text for one in chosen(lambda *_: 1)] == [one.text for one in plain]


def test_where_a_writers_tries_all_have_faults_the_next_is_asked(connection: Connection, model: Model) -> None:
    short, long, none = (
        Writer(name=name, base_model=model.base_model, renderer=model.renderer, max_tokens=tokens, temperature=1.0)
        for name, tokens in (("short", 3), ("long", 12), ("none", 1))
    )
    requests = ["a", "b", "c"]
    alone = {one.name: connection.run(draft(connection, one, requests, seed=0)) for one in (short, long)}

    def written(writers: list[Writer], faults) -> list[tuple[str, Draft]]:
        best_of = BestOf(4, lambda request, text, _: faults(request, text), "x")
        return [(one.name, made) for one, made in connection.run(cascade(connection, writers, requests, seed=0, best_of=best_of))]

    good = alone["long"][1].text
    found = written([short, long, none], lambda request, text: int(request == "b" and text != good))
    assert [name for name, _ in found] == ["short", "long", "short"]
    assert [made.text for _, made in found][::2] == [made.text for made in alone["short"]][::2]
    assert [made.tries for _, made in found] == [1, 4 + 1, 1]
    assert found[1][1].text == good
    assert found[1][1].tokens > alone["long"][1].tokens + 4
    # All are asked where all have faults; of equals the earlier writer's stands.
    found = written([short, long], lambda *_: 1)
    assert [(name, made.text, made.tries) for name, made in found] == [("short", made.text, 8) for made in alone["short"]]
    assert [made.tries for _, made in written([short], lambda *_: 1)] == [4, 4, 4]


def test_the_context_length_is_known(connection: Connection, model: Model) -> None:
    async def ask_for_both() -> tuple[int | None, int | None]:
        return await connection.context_length(model.base_model), await connection.context_length("other")

    assert connection.run(ask_for_both()) == (512, None)


def test_a_wrong_key_is_said(connection: Connection, model: Model) -> None:
    with Connection(connection.base_url, "tml-wrong") as other, pytest.raises(ServiceError) as caught:
        sample(other, model, ["one"])
    assert caught.value.exit_code == 3


def test_an_unknown_model_is_said(connection: Connection, model: Model) -> None:
    async def other() -> None:
        await connection.sampler(Model("nowhere/nothing", model.renderer))

    with pytest.raises(ServiceError):
        connection.run(other())


def test_work_ends_when_the_service_is_gone(connection: Connection) -> None:
    import asyncio

    def gone() -> None:
        raise ServiceError("the engine has ended")

    dying = Connection(connection.base_url, connection.api_key, health=gone)
    with pytest.raises(ServiceError, match="has ended"):
        dying.run(asyncio.sleep(60))


def test_a_datum_learns_the_last_message_only(connection: Connection, model: Model) -> None:
    renderer = connection.renderer(model)
    messages = [*ask("Dear Ann"), {"role": "assistant", "content": "hello there"}]
    datum = training_datum(renderer, messages)
    weights, targets = datum.loss_fn_inputs["weights"].data, datum.loss_fn_inputs["target_tokens"].data
    assert sum(weights) == pytest.approx(1)
    learnt = [token for token, weight in zip(targets, weights, strict=True) if weight]
    assert renderer.tokenizer.decode(learnt) == "hello there<|im_end|>"
    assert prompt_tokens(renderer, ask("Dear Ann")) + len(learnt) == len(targets) + 1
    assert training_datum(renderer, messages, max_length=5).model_input.length <= 5


def test_seeds_depend_on_all_their_parts() -> None:
    assert derive_seed(1, "a") == derive_seed(1, "a")
    assert len({derive_seed(1, "a"), derive_seed(2, "a"), derive_seed(1, "b"), derive_seed("1", "a")}) == 4
    assert 0 <= derive_seed("x") < 2**31


def test_renderers_are_known_for_hub_names_and_folders(model: Model, tmp_path: Path) -> None:
    assert renderer_name("Qwen/Qwen3-4B-Instruct-2507") == "qwen3_instruct"
    assert renderer_name(model.base_model) == "qwen3_instruct"
    assert renderer_name("any/model", "llama3") == "llama3"
    with pytest.raises(InputError, match="no renderer is known"):
        renderer_name("any/model")
    with pytest.raises(InputError, match="is not a model folder"):
        Connection().renderer(Model(str(tmp_path), "qwen3_instruct"))
