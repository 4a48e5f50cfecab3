"""What the judge says under the rubric or the prompt as it stands: the person's own texts against drafts, asked in the background.

Knows texts, writers and judges. Knows nothing of pages. Only demonstrations are looked at, the newest of them: an editor that showed
held-out texts would have the rubric and the prompt fitted to what the comparison measures on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.errors import IdiolectError, InputError
from idiolect.evaluation.drafts import write_drafts
from idiolect.evaluation.judge_check import Checked, check_judge
from idiolect.judge import Judge, ModelJudge, Pair
from idiolect.judge.examples import LabelledPair, draft_pairs
from idiolect.judge.pairs import Verdict, in_both_orders, verdicts
from idiolect.methods.baseline import plain_writer
from idiolect.methods.prompting import joined
from idiolect.methods.reward_model import judge_model, load_judge, rubric_of
from idiolect.service.sampling import OnProgress
from idiolect.service.writer import TEMPERATURE, Writer
from idiolect.settings import Settings
from idiolect.studio.drafting import Drafting
from idiolect.studio.rounds import folder_of
from idiolect.workspace import Workspace, read_json, read_text, write_json

__all__ = ["Asked", "Edited", "Verdicts", "newest_texts"]

Edited = Literal["prompt", "rubric"]
_PAIRS: dict[Edited, int] = {"prompt": 2, "rubric": 6}
"""How many of the person's texts the judge is asked about."""


@dataclass
class Asked:
    """One asking of the judge, under way or done."""

    version: str
    """Of the edited file when the judge was asked."""
    stage: str = "Reaching the models"
    done: int = 0
    total: int = 0
    running: bool = True
    problem: str = ""
    trained: bool = False
    """Whether it is a judge that was trained in this workspace; else the base model as it is."""
    earlier_rubric: bool = False
    """Whether the judge was trained under another rubric than the present one."""
    pairs: list[tuple[LabelledPair, Verdict | None]] = field(default_factory=list)
    """The person's own text as the better one, with the verdict on it."""
    figures: Checked | None = None

    def told(self, stage: str) -> OnProgress:
        def on_progress(done: int, total: int) -> None:
            self.stage, self.done, self.total = stage, done, total

        return on_progress


_ASKED = TypeAdapter(Asked)


@dataclass(frozen=True)
class _Answers:
    """Answers that a judge has given already, as a judge."""

    answers: list[float | None]
    name: str = "rubric"

    def prefers_first(self, pairs: Sequence[Pair]) -> list[float | None]:
        return self.answers


class Verdicts:
    """Asks the judge; the newest answers about each editor are kept in the workspace."""

    def __init__(self, workspace: Workspace, settings: Settings, drafting: Drafting) -> None:
        self._workspace, self._settings, self._drafting = workspace, settings, drafting
        self._tasks: dict[Edited, asyncio.Task[None]] = {}
        self.asked: dict[Edited, Asked] = {}
        for edited in _PAIRS:
            # A damaged file is no more than verdicts that have to be asked for again.
            with suppress(OSError, InputError, ValidationError):
                self.asked[edited] = _ASKED.validate_python(read_json(self._path(edited)))

    def ask(self, edited: Edited, version: str) -> None:
        """Ask under the files as they are saved; an asking that is under way is given up, for it is about an earlier text."""
        if edited in self._tasks:
            self._tasks[edited].cancel()
        self.asked[edited] = Asked(version)
        self._tasks[edited] = asyncio.create_task(self._work(edited, self.asked[edited]))

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _work(self, edited: Edited, asked: Asked) -> None:
        try:
            await self._judged(edited, asked)
            write_json(self._path(edited), _ASKED.dump_python(replace(asked, running=False), mode="json"))
        except IdiolectError as error:
            asked.problem = " ".join(str(error).split())
        except Exception as error:  # the SDK's and the renderers' errors are no closed set
            asked.problem = f"{type(error).__name__} while the judge was asked. Try again"
        finally:
            asked.running = False

    async def _judged(self, edited: Edited, asked: Asked) -> None:
        place, settings = self._workspace, self._settings
        rows = newest_texts(load_demonstrations(place.demonstrations), _PAIRS[edited])
        writer, judge = self._writer(edited), self._judge(asked)
        connection = await self._drafting.connected(writer.base_model, judge.base_model)
        requests = [row.input for row in rows]
        drafted = await write_drafts(place, connection, writer, requests, seed=settings.seed, on_progress=asked.told("Writing drafts"))
        drafts = {request: [draft.text] for request, draft in zip(requests, drafted.drafts, strict=True) if draft}
        labelled = draft_pairs(rows, drafts)
        if not labelled:
            raise InputError("every draft is word for word the person's own text", hint="There is nothing to judge here")
        model = ModelJudge.of(connection, judge)
        answers = await model.probabilities(in_both_orders([one.pair for one in labelled]), asked.told("Asking the judge"))
        asked.pairs = list(zip(labelled, verdicts(answers), strict=True))
        asked.figures = check_judge(_Answers(answers), labelled, seed=settings.seed).by_source["draft"]

    def _path(self, edited: Edited) -> Path:
        return folder_of(self._workspace) / f"verdicts-{edited}.json"

    def _writer(self, edited: Edited) -> Writer:
        """The baseline for the rubric; for the prompt the same model told by it."""
        plain = plain_writer(self._workspace, self._settings, name="baseline", temperature=TEMPERATURE)
        if edited == "rubric":
            return plain
        prompt = joined(plain.system_prompt, read_text(self._workspace.prompt).strip())
        return plain.model_copy(update={"name": "prompt-edited", "system_prompt": prompt})

    def _judge(self, asked: Asked) -> Judge:
        """The trained judge where there is one, under the present rubric."""
        rubric = rubric_of(self._workspace, self._settings)
        try:
            judge = load_judge(self._workspace)
        except InputError:
            return judge_model(self._workspace, self._settings)
        asked.trained, asked.earlier_rubric = True, judge.rubric != rubric
        return judge.model_copy(update={"rubric": rubric})


def newest_texts(demonstrations: Sequence[Demonstration], count: int) -> list[Demonstration]:
    """The newest texts with a request, at most ``count``; undated ones are the oldest, and of equals the later in the file is newer.

    Raises ``InputError`` where there is none.
    """
    told = [row for row in demonstrations if row.input.strip() and row.output.strip()]
    if not told:
        raise InputError("there is no text of yours with a request to judge by", hint="Import some above, then run `idiolect prompt`")
    oldest = datetime.min.replace(tzinfo=UTC)

    def age(row: Demonstration) -> datetime:
        date = row.date or oldest
        return date if date.tzinfo else date.replace(tzinfo=UTC)

    return sorted(told, key=age)[-count:]
