"""What the person's own texts say beside a draft: past mail to take facts from, and remarks on what the draft does to them.

Knows the demonstrations and how drafts are checked. Knows nothing of pages.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import NamedTuple

from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.corpus.retrieval import Passage, PastMail
from idiolect.evaluation.agreement import agreed_facts
from idiolect.evaluation.checked import CheckedDraft, with_past
from idiolect.evaluation.fidelity import FidelityChecker, fewest_faults
from idiolect.methods.baseline import impersonal
from idiolect.service import Connection, Writer
from idiolect.service.replies import reply_request
from idiolect.service.sampling import BestOf, Draft
from idiolect.settings import Settings
from idiolect.studio.rounds import Round, RoundDraft
from idiolect.workspace import Workspace

__all__ = ["Asked", "Context"]

_PASSAGES = 3


@dataclass(frozen=True)
class Asked:
    """A request with its context."""

    asked: str
    """The request, with the quoted mail where there is one."""
    given: str
    """The same with past mail, where the models are to be given it; else empty."""
    passages: list[Passage] | None
    """The past mail; None where none was looked up."""


class Context:
    """The person's texts, indexed when they are first wanted and again when their file has changed."""

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        self._workspace, self._settings, self._path = workspace, settings, workspace.demonstrations
        self._asking = asyncio.Lock()
        self._held: tuple[int, _Texts] | None = None

    def of(self, request: str, quoted: str, *, past: bool) -> Asked:
        """What the writers are asked, and what past mail of the person's has to do with it."""
        asked = reply_request(request, quoted)
        passages = self._texts().past.search(f"{request}\n{quoted}", _PASSAGES) if past else None
        return Asked(asked, with_past(asked, passages) if passages and self._settings.instructed else "", passages)

    def remarks(self, found: Round, draft: RoundDraft) -> list[str]:
        """What to look at before the draft is sent. Facts of the answered mail and of the past mail count as told."""
        row = Demonstration(input=found.request, output="", facts=found.facts)
        checked = self._texts().checker.check(row, draft.text, finished=draft.finished, allowed=_allowed(found))
        made = Draft(found.asked, draft.text, draft.tokens, draft.seconds, draft.finished)
        return CheckedDraft(made, draft.writer.name, checked, ()).remarks

    async def chooser(self, connection: Connection, found: Round, writer: Writer) -> BestOf:
        """How a round's drafts are chosen among tries, by the same checks. What they have to say is asked of the writer's model once."""
        asked, tries = found.given or found.asked, self._settings.tries
        async with self._asking:
            if tries > 1 and not found.facts:
                plain = impersonal(self._workspace, self._settings, writer)
                found.facts = (await agreed_facts(connection, plain, [asked], self._texts().rows, seed=self._settings.seed))[asked]
        facts = dict.fromkeys((asked, found.asked), found.facts)
        return fewest_faults(tries, self._texts().checker, request=found.request, allowed=_allowed(found), facts=facts)

    def _texts(self) -> _Texts:
        stamp = self._path.stat().st_mtime_ns if self._path.is_file() else 0
        if self._held is None or self._held[0] != stamp:
            rows = load_demonstrations(self._path)
            self._held = stamp, _Texts(rows, PastMail(rows), FidelityChecker(rows))
        return self._held[1]


class _Texts(NamedTuple):
    rows: list[Demonstration]
    past: PastMail
    checker: FidelityChecker


def _allowed(found: Round) -> list[str]:
    """What a draft may take facts from beside its request."""
    return [found.quoted, *(passage.text for passage in found.passages or ())]
