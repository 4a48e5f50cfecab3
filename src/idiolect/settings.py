"""A workspace's settings: ``idiolect.toml``, the environment, and the presets that fill in the models.

Knows names of models and where the packaged one lies. Knows nothing of a running service.
"""

from __future__ import annotations

import difflib
import io
import os
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from idiolect.errors import InputError
from idiolect.workspace import read_text, write_atomic

__all__ = [
    "METHOD_PRESETS",
    "PRESETS",
    "Models",
    "Preset",
    "Price",
    "Prices",
    "ServiceSettings",
    "Settings",
    "Teaching",
    "load_env_files",
    "model_named",
    "pocket_model",
    "renderer_of",
]

Preset = Literal["pocket", "handout", "local"]
C = TypeVar("C", bound=BaseModel)


class Models(BaseModel):
    """Which models write. What is not named here comes from the preset."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    policy: str | None = None
    """The model that is personalized: a hub name, a checkpoint folder, or ``pocket``."""
    teacher: str | None = None
    """The model that writes synthetic data; the policy where the preset names none."""
    renderer: str | None = None
    """The cookbook renderer of the policy; None asks the cookbook what fits the model."""
    teacher_renderer: str | None = None
    """The cookbook renderer of the teacher."""


PRESETS: dict[str, Models] = {
    "pocket": Models(policy="pocket", teacher="pocket", renderer="qwen3_instruct", teacher_renderer="qwen3_instruct"),
    "handout": Models(policy="Qwen/Qwen3-4B-Instruct-2507", teacher="Qwen/Qwen3-235B-A22B-Instruct-2507"),
    "local": Models(),
}

METHOD_PRESETS: dict[Preset, dict[str, dict[str, Any]]] = {
    "handout": {
        # 10 seed topics × 10 requests.
        "synthesis": {"per_topic": 10},
        "sft": {"data": "synthetic", "varied": False},
        # The Preference Collection without its first 1,024 rows, once: a pair in both orders is two texts, so 2 · 198,736 / 512 steps.
        "reward_model": {
            "data": "preferences",
            "base_model": "Qwen/Qwen3-30B-A3B-Instruct-2507",
            "rows": 198_736,
            "steps": 777,
            "batch_size": 512,
            "learning_rate": 1e-4,
            "schedule": "linear",
            "max_length": 32_768,
            "save_every": 50,
        },
        # 2,000 synthetic requests, of which the last 500 are for looks; 1,500 in batches of 128 are 12 steps. Prompts of the training
        # carry the style prompt, those of the looks do not.
        "rlaif": {
            "steps": 12,
            "batch_size": 128,
            "group_size": 4,
            "learning_rate": 4e-5,
            "training_prompt": True,
            "kl_penalty": 0.0,
            "max_tokens": 1024,
            "every": 5,
            "dev_requests": 500,
            "rank": 32,
        },
        # The paper's own configuration; 4 rounds of 10 steps, attention's layers.
        "ditto": {
            "demonstrations": 7,
            "imitate_to": 1.0,
            "imitate_steps": 30,
            "rounds": 4,
            "steps": 10,
            "samples": 10,
            "batch_size": 24,
            "learning_rate": 1e-6,
            "beta": 0.05,
            "layers": "attention",
            "prompted": False,
            "varied": False,
        },
    },
}
"""Preset → method → fields of its config that differ from the config's own defaults."""


class ServiceSettings(BaseModel):
    """Where the models run. With neither an address nor a key the command line starts the local engine."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    base_url: str | None = None
    """Address of a Tinker-compatible server; the environment's TINKER_BASE_URL comes first."""
    concurrency: int = Field(default=32, ge=1)
    """Requests under way at one time."""


class Price(BaseModel):
    """What a service asks for a million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    read: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """For a million tokens of prompts that are read."""
    sampled: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """For a million sampled tokens."""
    trained: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """For a million tokens trained on."""


class Prices(Price):
    """What a service asks, for the report's cost and for a dry run."""

    currency: str = "USD"
    """What the prices are in."""
    models: dict[str, Price] = Field(default_factory=dict)
    """Prices of single models, by name; what they leave out is as for all."""

    def of(self, model: str) -> Price:
        """The price of one model."""
        own = self.models.get(model, Price())
        parts = {name: getattr(self, name) if (value := getattr(own, name)) is None else value for name in Price.model_fields}
        return Price(**parts)


class Teaching(BaseModel):
    """How the teacher writes synthetic texts, wherever they are made; ``idiolect synthesize`` has the same options."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    think: bool = False
    """It thinks before it writes. For general models: the pocket model has never seen such prompts."""
    critique: bool = False
    """It criticizes and rewrites its draft. For general models, too."""


class Settings(BaseSettings):
    """What ``idiolect.toml`` may hold. ``IDIOLECT_<FIELD>`` in the environment overrides a field."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="IDIOLECT_", env_nested_delimiter="__", use_attribute_docstrings=True
    )
    author: str = "me"
    """Whose voice this is; a name for reports."""
    me: tuple[str, ...] = ()
    """The person's own e-mail addresses."""
    imap: str | None = None
    """The mail account whose drafts folder ``idiolect draft`` uses: imaps://user@host. The password never stands here."""
    task: str = "email"
    """What is written: a task's name, or a task file in the workspace."""
    preset: Preset = "pocket"
    """pocket (ships with the package, offline), handout (the class handout's models) or local (models of your own)."""
    model: Models = Models()
    """Models that replace those of the preset."""
    service: ServiceSettings = ServiceSettings()
    """Where the models run."""
    synthesis: Teaching = Teaching()
    """Whether the teacher thinks and criticizes."""
    prices: Prices = Prices()
    """What the service asks; without prices the report tells tokens and time only."""
    seed: int = Field(default=0, ge=0)
    """Every random choice derives from it."""
    heldout: int = Field(default=50, ge=0)
    """How many of the newest texts are held out, at most; never more than a fifth."""
    tries: int = Field(default=16, ge=1)
    """Drafts that are sampled at most to get one in which the checks find nothing wrong; 1 takes the first as it is."""
    fallback: bool = True
    """Where the checks find a fault in all tries of the writer that most was learnt for, the workspace's others are asked in turn."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # The file's values come in as arguments, so the environment must stand before them.
        return env_settings, init_settings

    @classmethod
    def load(cls, path: Path) -> Settings:
        """The settings of a file and the environment; an absent file means the defaults.

        Raises ``InputError`` naming the file and the line or field.
        """
        values = _read_toml(path) if path.exists() else {}
        try:
            return cls(**values)
        except ValidationError as error:
            raise _explained(error, path) from error

    def save(self, path: Path) -> None:
        """Write what differs from the defaults, with the fields' own order."""
        values = self.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
        kept = {"author": self.author, "task": self.task, "preset": self.preset, **values}
        write_atomic(path, tomli_w.dumps({name: kept[name] for name in type(self).model_fields if name in kept}))

    def filled(self, method: str, config: C) -> C:
        """The config with the settings' own and the preset's values where nothing was asked for."""
        own = self.synthesis.model_dump(exclude_unset=True) if method == "synthesis" else {}
        preset = {**METHOD_PRESETS.get(self.preset, {}).get(method, {}), **own}
        return config.model_copy(update={name: value for name, value in preset.items() if name not in config.model_fields_set})

    @property
    def base_url(self) -> str | None:
        return os.environ.get("TINKER_BASE_URL") or self.service.base_url

    @property
    def api_key(self) -> str | None:
        """The key is read from the environment only, so that it never lies in a workspace."""
        return os.environ.get("TINKER_API_KEY") or None

    @property
    def instructed(self) -> bool:
        """Whether the policy is a general model that must be told what to write; the pocket model writes e-mails only."""
        return self.policy != pocket_model()

    @property
    def policy(self) -> str:
        """The policy as the service knows it: a hub name or a checkpoint folder."""
        named = self.model.policy or PRESETS[self.preset].policy
        if named is None:
            raise InputError("no model is named", where="idiolect.toml, field model.policy", hint="Name a hub model or a checkpoint folder")
        return model_named(named)

    @property
    def teacher(self) -> str:
        preset = PRESETS[self.preset]
        # A preset's teacher that is its policy, too, makes room with it; another one teaches whatever policy is named.
        of_preset = preset.teacher if preset.teacher != preset.policy and self.policy != pocket_model() else None
        named = self.model.teacher or of_preset
        return model_named(named) if named else self.policy

    @property
    def renderer(self) -> str | None:
        return self.model.renderer or renderer_of(self.policy)

    @property
    def teacher_renderer(self) -> str | None:
        if self.model.teacher_renderer:
            return self.model.teacher_renderer
        return self.renderer if self.teacher == self.policy else renderer_of(self.teacher)


def load_env_files(*folders: Path) -> None:
    """Set what the folders' ``.env`` files say and nobody has set yet, the first folder's word first; empty values set nothing.

    Raises ``InputError`` where a file is there and cannot be read.
    """
    for path in dict.fromkeys(folder.resolve() / ".env" for folder in folders):
        if path.is_file():
            from dotenv import dotenv_values

            for name, value in dotenv_values(stream=io.StringIO(read_text(path))).items():
                if value and not os.environ.get(name):
                    os.environ[name] = value


def pocket_model() -> str:
    """The folder of the packaged pocket model; IDIOLECT_POCKET_MODEL names another one."""
    return os.environ.get("IDIOLECT_POCKET_MODEL") or str(Path(__file__).parent / "pocket" / "model")


def renderer_of(model: str) -> str | None:
    """The pocket model's renderer; of others the cookbook knows it."""
    return PRESETS["pocket"].renderer if model == pocket_model() else None


def model_named(name: str) -> str:
    """A model as the service knows it: a hub name or a checkpoint folder."""
    if name == "pocket":
        return pocket_model()
    folder = Path(name).expanduser()
    # A hub name is "owner/model"; only what looks like a path is taken for a folder.
    return str(folder.resolve()) if folder.is_dir() or name.startswith((".", "/", "~")) else name


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"is not valid TOML: {error}", where=str(path), hint="Correct it there") from error


def _fields_at(location: tuple[Any, ...]) -> list[str]:
    """The names that the table at this place may hold."""
    tables: dict[tuple[Any, ...], type[BaseModel]] = {
        (): Settings, ("model",): Models, ("service",): ServiceSettings, ("synthesis",): Teaching, ("prices",): Prices,
    }  # fmt: skip
    table = tables.get(location)
    return list(table.model_fields) if table else []


def _explained(error: ValidationError, path: Path) -> InputError:
    first = error.errors()[0]
    place = tuple(first["loc"])
    field = ".".join(str(part) for part in place)
    shown = path.name if path.exists() else "environment"
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(place[-1]), _fields_at(place[:-1]), n=1, cutoff=0.5)
        known = ", ".join(_fields_at(place[:-1]))
        hint = f"Did you mean {'.'.join([*map(str, place[:-1]), near[0]])}?" if near else f"Known fields: {known}"
        return InputError("unknown field", where=f"{shown}, field {field}", hint=hint)
    hint = f"One of: {', '.join(get_args(Preset))}" if field == "preset" else "Correct it there"
    return InputError(f"{first['msg']}, not {first['input']!r}", where=f"{shown}, field {field}", hint=hint)
