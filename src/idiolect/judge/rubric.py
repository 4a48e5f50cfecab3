"""Rubrics: what makes a draft good, as Markdown that a person edits.

Knows the file's form::

    # Title

    1. **Greeting.** Says hello by the first name.
       - Good: hi Ann,
       - Bad: Dear Ms. Miller,

    ## Hard failures

    - A placeholder is left open.

Knows nothing of who judges.
"""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from idiolect.errors import InputError
from idiolect.workspace import read_text

__all__ = ["Criterion", "Rubric"]

_CRITERION = re.compile(r"\d+[.)]\s+\*\*(?P<name>[^*]+?)[.:]?\*\*\s*(?P<text>.*)")
_ANCHOR = re.compile(r"[-*]\s+(?P<kind>good|bad):\s*(?P<text>.*)", re.IGNORECASE)
_ITEM = re.compile(r"[-*]\s+(?P<text>\S.*)")
_FAILURES = re.compile(r"#+\s+hard failures\s*", re.IGNORECASE)
_FORM = "Write criteria as `1. **Name.** What it asks for`, with `- Good: …` and `- Bad: …` below, and `## Hard failures` at the end"


class Criterion(BaseModel):
    """One thing that drafts are compared in."""

    model_config = ConfigDict(frozen=True)
    name: str
    text: str
    good: tuple[str, ...] = ()
    """Anchors: words that meet it, and words that miss it."""
    bad: tuple[str, ...] = ()


class Rubric(BaseModel):
    """Criteria, the most important first, and failures that no criterion makes good."""

    model_config = ConfigDict(frozen=True)
    title: str
    criteria: tuple[Criterion, ...]
    failures: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The rubric as it stands in a judge's prompt."""
        return self.markdown().strip()

    def markdown(self) -> str:
        """The file's text; ``parse`` gives the same rubric back."""
        lines = [f"# {self.title}", ""]
        for number, one in enumerate(self.criteria, 1):
            lines.append(f"{number}. **{one.name}.** {one.text}".rstrip())
            lines += [f"   - {kind}: {words}" for kind, texts in (("Good", one.good), ("Bad", one.bad)) for words in texts]
        if self.failures:
            lines += ["", "## Hard failures", "", *(f"- {failure}" for failure in self.failures)]
        return "\n".join(lines) + "\n"

    @classmethod
    def parse(cls, text: str, where: str = "rubric") -> Rubric:
        """Read a rubric's Markdown. Raises ``InputError`` naming the line that fits nowhere."""
        title, criteria, failures = "", [], []
        failing = False
        for number, raw in enumerate(text.splitlines(), 1):
            line, place = raw.strip(), f"{where}, line {number}"
            if not line:
                continue
            if _FAILURES.fullmatch(line):
                failing = True
            elif line.startswith("# ") and not title:
                title = line[2:].strip()
            elif failing:
                failures.append(_item(line, place))
            elif match := _CRITERION.fullmatch(line):
                _known(match["name"], criteria, place)
                criteria.append({"name": match["name"].strip(), "text": match["text"], "good": [], "bad": []})
            elif not criteria or line.startswith("#"):
                raise InputError(f"{line[:60]!r} is no criterion", where=place, hint=_FORM)
            elif match := _ANCHOR.fullmatch(line):
                criteria[-1][match["kind"].lower()].append(match["text"])
            elif _ITEM.fullmatch(line):
                raise InputError(f"{line[:60]!r} is neither a good nor a bad anchor", where=place, hint=_FORM)
            else:
                criteria[-1]["text"] = f"{criteria[-1]['text']} {line}".strip()
        if not criteria:
            raise InputError("has no criterion", where=where, hint=_FORM)
        return cls(title=title or "What makes a draft good", criteria=criteria, failures=failures)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> Rubric:
        return cls.parse(read_text(path), str(path))


def _item(line: str, where: str) -> str:
    match = _ITEM.fullmatch(line)
    if not match:
        raise InputError(f"{line[:60]!r} is no failure", where=where, hint="Write hard failures as a list, `- …` a line")
    return match["text"]


def _known(name: str, criteria: list[dict[str, object]], where: str) -> None:
    if any(one["name"] == name.strip() for one in criteria):
        raise InputError(f"there are two criteria {name.strip()!r}", where=where, hint="Give each a name of its own")
