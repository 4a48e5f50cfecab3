"""One draft for the person who asked for it: written with its context, and held against it.

Knows the writer, the mail that is answered, and the person's past mail. Knows nothing of where the draft goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from idiolect.corpus import Demonstration
from idiolect.corpus.retrieval import Passage, PastMail
from idiolect.evaluation.agreement import agreed_facts
from idiolect.evaluation.fidelity import Fidelity, FidelityChecker, fewest_faults
from idiolect.prompts import render
from idiolect.service import Connection, Draft, Writer, cascade
from idiolect.service.replies import reply_request, without_marks

__all__ = ["CheckedDraft", "checked_draft", "with_past"]


@dataclass(frozen=True)
class CheckedDraft:
    """A draft, who wrote it, what was found in it, and the past mail that has to do with its request."""

    draft: Draft
    writer: str
    found: Fidelity
    passages: tuple[Passage, ...]

    @property
    def remarks(self) -> list[str]:
        """What the person should look at before sending it, a line each."""
        told = []
        if self.found.lost:
            told.append(f"it lacks {', '.join(fact.value for fact in self.found.lost)}")
        if self.found.invented:
            told.append(f"nobody told it {', '.join(self.found.invented)}")
        if self.found.placeholders:
            told.append(f"it leaves open {', '.join(self.found.placeholders)}")
        if self.found.meta_comments:
            told.append(f"it remarks on itself: {' '.join(self.found.meta_comments)}")
        if self.found.repeated:
            told.append(f"it says more than once: {' '.join(self.found.repeated)}")
        if self.found.misspelt:
            told.append(f"no dictionary has {', '.join(self.found.misspelt)}")
        if not self.draft.finished:
            told.append("it was cut at its longest")
        elif self.found.truncated:
            told.append("it ends in the middle of a sentence")
        return told


async def checked_draft(
    connection: Connection,
    writers: Sequence[Writer],
    request: str,
    demonstrations: Sequence[Demonstration],
    *,
    seed: int,
    plain: Writer | None = None,
    quoted: str = "",
    thread: str = "",
    past: int = 0,
    instructed: bool = True,
    tries: int = 1,
) -> CheckedDraft:
    """Write one draft, the best of so many ``tries`` by the first of the ``writers``; where all of these have faults, the next one tries.

    With a ``plain`` writer, who knows nothing of the person, the draft has to say what plain drafts agree on. ``quoted`` is the mail
    that it answers, ``thread`` the same with what it quotes, ``past`` how many past mails of the person's to look up.

    The thread and past mail go to the model only where it is ``instructed``, that is, general enough to use them; in either case their
    facts count as told. Raises ``ServiceError``.
    """
    passages = tuple(PastMail(demonstrations).search(f"{request}\n{quoted}", past)) if past else ()
    asked = reply_request(request, thread if thread and instructed else quoted)
    if passages and instructed:
        asked = with_past(asked, passages)
    context = [thread or quoted, *(passage.text for passage in passages)]
    checker = FidelityChecker(demonstrations)
    facts = await agreed_facts(connection, plain, [asked], demonstrations, seed=seed) if plain and tries > 1 else {}
    best_of = fewest_faults(tries, checker, request=request, allowed=context, facts=facts)
    ((writer, written),) = await cascade(connection, writers, [asked], seed=seed, best_of=best_of)
    row = Demonstration(input=request, output="", facts=facts.get(asked, ()))
    found = checker.check(row, written.text, finished=written.finished, allowed=context)
    return CheckedDraft(written, writer.name, found, passages)


def with_past(asked: str, passages: Sequence[Passage]) -> str:
    """What is asked with past mail behind it, fenced as material."""
    return render("past", request=asked, passages=[replace(passage, text=without_marks(passage.text)) for passage in passages])
