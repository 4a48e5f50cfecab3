"""Who takes part in a comparison: the workspace's writers, and others that a word each names.

Knows the workspace's runs and where else writers come from. Knows nothing of drafts or measures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from idiolect.errors import InputError
from idiolect.evaluation.drafts import AnyWriter
from idiolect.evaluation.given import read_drafts
from idiolect.evaluation.scoring import BASELINE
from idiolect.methods.baseline import BaselineConfig, baseline, plain_writer
from idiolect.methods.run import all_writers
from idiolect.service import Endpoint, Writer
from idiolect.settings import Settings, model_named
from idiolect.tasks import load_task
from idiolect.workspace import Workspace, read_text

__all__ = ["ORDER", "Contenders", "choose_writers"]

ORDER = ("baseline", "prompt", "few_shot", "sft", "rlaif", "ditto")
"""How the workspace's writers are listed; others follow in the order of their runs."""
_NAME = re.compile(r"(?P<name>[\w.+-]+)=(?P<source>.+)", re.DOTALL)
_PROMPTED = "+prompt"
_FORMS = "run:FOLDER, model:NAME, drafts:FILE or openai:URL#MODEL"


@dataclass(frozen=True)
class Contenders:
    """All who are compared, the baseline among them."""

    writers: dict[str, AnyWriter] = field(default_factory=dict)
    states: dict[str, Path] = field(default_factory=dict)
    """Adapter → the local engine's state of the other workspace where it was trained."""

    @property
    def models(self) -> list[str]:
        """The base models that the service must have, each once."""
        return list(dict.fromkeys(writer.base_model for writer in self.writers.values() if isinstance(writer, Writer)))

    @property
    def addresses(self) -> dict[str, str]:
        """Writer → the address that its requests are sent to."""
        return {name: writer.url for name, writer in self.writers.items() if isinstance(writer, Endpoint)}


def choose_writers(workspace: Workspace, settings: Settings, words: Sequence[str] | None = None) -> Contenders:
    """The writers that the words name; the baseline always joins, and is made where it has no run yet.

    A word is the name of one of the workspace's writers (its newest finished run), or a source from elsewhere, with or without
    ``NAME=`` before it: ``run:FOLDER``, ``model:NAME`` (``+prompt`` behind it adds the workspace's prompt.md), ``drafts:FILE``,
    ``openai:URL#MODEL`` (``+prompt`` likewise). Without a name of the workspace's own all of its writers take part.
    Raises ``InputError`` for what is none of these, and for two writers of one name.
    """
    own = all_writers(workspace)
    if BASELINE not in own:
        own[BASELINE] = baseline(workspace, settings)
    rank = {name: place for place, name in enumerate(ORDER)}
    own = {name: own[name] for name in sorted(own, key=lambda name: rank.get(name, len(ORDER)))}
    named = [word for word in words or () if word in own]
    chosen = Contenders({name: writer for name, writer in own.items() if not named or name in named or name == BASELINE})
    for word in words or ():
        if word in own:
            continue
        given = _NAME.fullmatch(word)
        name, source = (given["name"], given["source"]) if given else (None, word)
        writer = _from_elsewhere(workspace, settings, chosen, source, name, own)
        if writer.name in chosen.writers:
            raise InputError(f"there is a writer {writer.name!r} already", where=word, hint=f"Give it a name: NAME={source}")
        chosen.writers[writer.name] = writer
    return chosen


def _from_elsewhere(
    workspace: Workspace, settings: Settings, chosen: Contenders, source: str, name: str | None, own: dict[str, Writer]
) -> AnyWriter:
    if source in own and name:
        return own[source].model_copy(update={"name": name})
    kind, _, rest = source.partition(":")
    if kind in ("run", "model", "drafts", "openai") and not rest.strip():
        raise InputError("names nothing", where=source, hint=f"Write {_FORMS}")
    if kind == "run":
        writer, folder = _of_run(workspace, rest)
        if writer.adapter and folder.parent.parent != workspace.root:
            chosen.states[writer.adapter] = Workspace(folder.parent.parent).engine_state
        return writer.model_copy(update={"name": name or (folder.name if writer.name in own else writer.name)})
    if kind == "model":
        return _model(workspace, settings, rest, name)
    if kind == "drafts":
        path = Path(rest).expanduser()
        return read_drafts(path, name or _slug(path.stem))
    if kind == "openai":
        return _endpoint(workspace, settings, rest, name)
    there = ", ".join(own)
    raise InputError(f"there is no writer {source!r}", where=str(workspace.runs), hint=f"There are: {there}; from elsewhere: {_FORMS}")


def _of_run(workspace: Workspace, given: str) -> tuple[Writer, Path]:
    """The writer of a run that is named by its folder's name, or by a path from here or from the workspace."""
    path = Path(given).expanduser()
    tried = [path.resolve(), (workspace.root / path).resolve(), (workspace.runs / path).resolve()]
    found = next((folder for folder in tried if folder.is_dir()), None)
    if found is None:
        raise InputError("there is no such run", where=given, hint=f"Name a folder such as {workspace.runs / '<method>-<time>'}")
    if not (found / "writer.json").is_file():
        raise InputError("holds no writer.json", where=str(found), hint="The run is not finished: run its method again, or name another")
    return Writer.load(found / "writer.json"), found


def _model(workspace: Workspace, settings: Settings, given: str, name: str | None) -> Writer:
    model, prompt = _prompted(workspace, given)
    try:
        plain = plain_writer(
            workspace, settings, name=name or _slug(given), temperature=BaselineConfig().temperature, model=model_named(model)
        )
    except InputError as error:
        hint = "Name a checkpoint folder, or a hub model that the cookbook knows"
        raise InputError(error.what, where=f"model:{given}", hint=hint) from error
    return plain.model_copy(update={"system_prompt": _joined(plain.system_prompt, prompt)})


def _endpoint(workspace: Workspace, settings: Settings, given: str, name: str | None) -> Endpoint:
    where = f"openai:{given.rpartition('@')[2]}"
    url, _, model = given.partition("#")
    model, prompt = _prompted(workspace, model)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError("is no address", where=where, hint="Write openai:https://HOST/v1#MODEL")
    if parts.username or parts.password:
        raise InputError("holds a password", where=where, hint="Put the key into the environment variable OPENAI_API_KEY")
    if not model:
        raise InputError("names no model", where=where, hint=f"Write openai:{url}#MODEL")
    task = load_task(settings.task, workspace)
    return Endpoint(
        name=name or _slug(model),
        url=url.rstrip("/"),
        model=model,
        system_prompt=_joined(task.instruction, prompt),
        max_tokens=task.checks.max_tokens,
        temperature=BaselineConfig().temperature,
    )


def _prompted(workspace: Workspace, given: str) -> tuple[str, str | None]:
    """A model's name, and the workspace's prompt where ``+prompt`` stands behind it."""
    model = given.removesuffix(_PROMPTED)
    if model == given:
        return given, None
    if not workspace.prompt.is_file():
        raise InputError("there is no prompt yet", where=str(workspace.prompt), hint="Run `idiolect prompt` first")
    return model, read_text(workspace.prompt).strip()


def _joined(*parts: str | None) -> str | None:
    return "\n\n".join(part for part in parts if part) or None


def _slug(given: str) -> str:
    """A writer's name from a model's or a file's: the last part of a path, in characters that a file name may have."""
    return re.sub(r"[^\w.+-]+", "-", given.rstrip("/").rpartition("/")[2]).strip("-.") or "writer"
