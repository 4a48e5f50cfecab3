"""The search for a prompt with the real gepa, judged by a rule whose best prompt is known."""

import json
from collections.abc import Sequence
from pathlib import Path

from idiolect.corpus import Demonstration
from idiolect.methods.optimizing import Judged, LineEditor, OptimizeConfig, optimize
from idiolect.methods.run import Run

ROWS = [Demonstration(input=f"Ask for {number}", output="hello") for number in range(4)]
START = "Write e-mails in this style:\n- is rude\n- says hello"
GOOD = ("says hello", "says bye", "is brief")


class Rule:
    """More good lines are better, any other line is worse; counts what it judged."""

    def __init__(self) -> None:
        self.judged = 0

    def __call__(self, prompt: str, rows: Sequence[Demonstration]) -> list[Judged]:
        self.judged += len(rows)
        lines = {line.removeprefix("- ") for line in prompt.split("\n")[1:]}
        score = max(0.0, 0.3 + 0.2 * len(lines & set(GOOD)) - 0.2 * len(lines - set(GOOD)))
        return [Judged(score, score, 1.0, (), "draft") for _ in rows]


def search(folder: Path, rule: Rule, budget: int = 200) -> str:
    folder.mkdir(exist_ok=True)
    editor = LineEditor([*GOOD, "is long"], seed=1)
    return optimize(Run(folder), START, ROWS, rule, OptimizeConfig(budget=budget, minibatch=2), seed=1, propose=editor)


def test_it_finds_the_good_lines_and_drops_the_bad_one(tmp_path: Path) -> None:
    rule = Rule()
    lines = search(tmp_path / "run", rule).split("\n")
    assert set(lines[1:]) == {f"- {line}" for line in GOOD}
    assert lines[0] == START.split("\n")[0]
    assert rule.judged <= 220
    assert (tmp_path / "run" / "prompt.md").read_text().strip() == "\n".join(lines)


def test_a_killed_search_goes_on_to_the_same_prompt_and_judges_nothing_twice(tmp_path: Path) -> None:
    whole = Rule()
    best = search(tmp_path / "whole", whole)
    log = (tmp_path / "whole" / "judged.jsonl").read_bytes()
    killed = tmp_path / "killed"
    killed.mkdir()
    (killed / "judged.jsonl").write_bytes(log[: len(log) // 2])
    kept = log[: len(log) // 2].count(b"\n")
    rest = Rule()
    assert search(killed, rest) == best
    assert rest.judged == whole.judged - kept
    pairs = [(row["prompt"], row["request"]) for row in map(json.loads, log.splitlines())]
    assert len(set(pairs)) == len(pairs)


def test_a_prompt_that_cannot_be_bettered_stays(tmp_path: Path) -> None:
    best = "Write:\n" + "\n".join(f"- {line}" for line in GOOD)
    (tmp_path / "run").mkdir()
    editor = LineEditor(["is long"], seed=0)
    assert optimize(Run(tmp_path / "run"), best, ROWS, Rule(), OptimizeConfig(budget=60), seed=0, propose=editor) == best
