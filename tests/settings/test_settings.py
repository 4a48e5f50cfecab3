"""idiolect.toml: defaults, presets, the environment, and errors that name the field."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idiolect.errors import InputError
from idiolect.settings import PRESETS, Models, Settings, pocket_model


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("IDIOLECT_", "TINKER_"))]:
        monkeypatch.delenv(name)


def load(folder: Path, text: str) -> Settings:
    path = folder / "idiolect.toml"
    path.write_text(text)
    return Settings.load(path)


def test_absent_file_means_the_pocket_model(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "idiolect.toml")
    assert settings.preset == "pocket"
    assert settings.policy == settings.teacher == pocket_model()
    assert settings.renderer == settings.teacher_renderer == "qwen3_instruct"
    assert not settings.instructed
    assert pocket_model().endswith("idiolect/pocket/model")


def test_handout_preset_names_the_handouts_models(tmp_path: Path) -> None:
    settings = load(tmp_path, 'preset = "handout"')
    assert (settings.policy, settings.teacher) == ("Qwen/Qwen3-4B-Instruct-2507", "Qwen/Qwen3-235B-A22B-Instruct-2507")
    assert settings.renderer is None
    assert settings.instructed


def test_the_handouts_teacher_stays_when_its_policy_is_named(tmp_path: Path) -> None:
    # As in the handout's own command lines: model_name=Qwen/Qwen3-4B-Instruct-2507.
    for policy in ("Qwen/Qwen3-4B-Instruct-2507", "owner/model"):
        settings = load(tmp_path, f'preset = "handout"\n[model]\npolicy = "{policy}"')
        assert (settings.policy, settings.teacher) == (policy, "Qwen/Qwen3-235B-A22B-Instruct-2507")
    # The pocket model runs on the local engine, where no hosted teacher is.
    settings = load(tmp_path, 'preset = "handout"\n[model]\npolicy = "pocket"')
    assert settings.policy == settings.teacher == pocket_model()


def test_a_model_of_ones_own_teaches_itself(tmp_path: Path) -> None:
    settings = load(tmp_path, 'preset = "local"\n[model]\npolicy = "owner/model"')
    assert settings.policy == settings.teacher == "owner/model"
    settings = load(tmp_path, '[model]\npolicy = "owner/model"')
    assert settings.policy == settings.teacher == "owner/model"


def test_a_folder_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(tmp_path, '[model]\npolicy = "./here"').policy == str(tmp_path / "here")


def test_local_preset_without_a_model_says_which_field_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"field model\.policy: no model is named"):
        _ = load(tmp_path, 'preset = "local"').policy


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("athor = 'x'", r"idiolect\.toml, field athor: unknown field\. Did you mean author\?"),
        ("[model]\npolcy = 'x'", r"field model\.polcy: unknown field\. Did you mean model\.policy\?"),
        ("[service]\nzzz = 1", r"field service\.zzz: unknown field\. Known fields: base_url, concurrency"),
        ("preset = 'pocked'", r"field preset: .*One of: pocket, handout, local"),
        ("seed = 'x'", r"field seed: .* not 'x'"),
        ("seed = -1", r"field seed: "),
        ("[service]\nconcurrency = 0", r"field service\.concurrency"),
        ("author = 'x'\nme = ,", r"idiolect\.toml: is not valid TOML: .*line 2"),
    ],
)
def test_errors_name_file_and_field(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        load(tmp_path, text)
    assert caught.value.exit_code == 2


def test_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDIOLECT_SEED", "7")
    monkeypatch.setenv("IDIOLECT_MODEL__POLICY", "owner/other")
    settings = load(tmp_path, "seed = 3\n[model]\npolicy = 'owner/model'")
    assert (settings.seed, settings.policy) == (7, "owner/other")


def test_service_address_and_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "[service]\nbase_url = 'http://one.example'"
    assert load(tmp_path, text).base_url == "http://one.example"
    assert load(tmp_path, text).api_key is None
    monkeypatch.setenv("TINKER_BASE_URL", "http://two.example")
    monkeypatch.setenv("TINKER_API_KEY", "tml-secret")
    settings = load(tmp_path, text)
    assert (settings.base_url, settings.api_key) == ("http://two.example", "tml-secret")
    settings.save(tmp_path / "saved.toml")
    assert "secret" not in (tmp_path / "saved.toml").read_text()


@given(
    author=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
    me=st.lists(st.emails(), max_size=3),
    seed=st.integers(0, 2**31),
    preset=st.sampled_from(sorted(PRESETS)),
    policy=st.none() | st.just("owner/model"),
)
def test_what_is_saved_is_loaded_again(tmp_path_factory: pytest.TempPathFactory, author, me, seed, preset, policy) -> None:
    path = tmp_path_factory.mktemp("settings") / "idiolect.toml"
    settings = Settings(author=author, me=tuple(me), seed=seed, preset=preset, model=Models(policy=policy))
    settings.save(path)
    assert Settings.load(path) == settings
