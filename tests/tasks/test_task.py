"""Task files, packaged and of one's own."""

from pathlib import Path

import pytest

from idiolect.cli.init import init
from idiolect.errors import InputError
from idiolect.judge import Rubric
from idiolect.settings import Settings
from idiolect.tasks import load_task, packaged_tasks
from idiolect.workspace import Workspace
from idiolect.world import TOPICS

SOURCE = Path(__file__).parents[2] / "src" / "idiolect" / "tasks"
OWN = 'name = "note"\ninstruction = "Write a note."\nrequest_form = "One line."\ntopics = ["cats"]\nrubric = "# Short"\n'


def test_email_has_ten_topics_that_the_pocket_model_knows() -> None:
    task = load_task("email")
    assert len(set(task.topics)) == 10
    assert set(task.topics) <= set(TOPICS)
    assert task.rubric.startswith("#") or task.rubric.strip().startswith("#")


def test_a_workspaces_own_file_is_found_with_and_without_suffix(tmp_path: Path) -> None:
    (tmp_path / "note.toml").write_text(OWN)
    for name in ("note", "note.toml"):
        assert load_task(name, Workspace(tmp_path)).topics == ("cats",)


def test_own_file_goes_before_the_packaged_one(tmp_path: Path) -> None:
    (tmp_path / "email.toml").write_text(OWN)
    assert load_task("email", Workspace(tmp_path)).name == "note"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OWN + "topic = 1", "field topic"),
        (OWN.replace('"cats"', ""), "field topics"),
        (OWN + "[checks]\nmax_tokens = 0", "checks.max_tokens"),
        ("=", "TOML"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "note.toml").write_text(text)
    with pytest.raises(InputError, match=said):
        load_task("note", Workspace(tmp_path))


def test_unknown_task_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="Known: email, code_review, commit, review"):
        load_task("poem")


@pytest.mark.parametrize("name", packaged_tasks())
def test_every_packaged_task_is_short_and_has_a_rubric_of_the_common_form(name: str) -> None:
    task = load_task(name)
    assert task.name == name
    assert task.one != "text"
    rubric = Rubric.parse(task.rubric)
    assert len(rubric.criteria) >= 3
    # The e-mail's is read by the pocket model with every pair, so it has neither anchors nor a list of failures; `judge propose` adds them.
    assert name == "email" or (len(rubric.failures) >= 3 and all(one.good and one.bad for one in rubric.criteria))
    assert len((SOURCE / f"{name}.toml").read_text(encoding="utf-8").splitlines()) <= 80


def test_the_example_of_the_documentation_is_a_task(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")
    (tmp_path / "haiku.toml").write_text(page.split("```toml\n")[1].split("```")[0])
    init(tmp_path / "own", task=str(tmp_path / "haiku.toml"))
    settings = Settings.load(tmp_path / "own" / "idiolect.toml")
    assert load_task(settings.task, Workspace(tmp_path / "own")).checks.max_tokens == 64
    with pytest.raises(InputError, match="there is no task 'poem'"):
        init(tmp_path / "other", task="poem")
