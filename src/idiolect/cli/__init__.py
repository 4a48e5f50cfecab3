"""The command line: one file a verb, each loaded only when it is called.

Knows names of verbs and how errors are shown. Only typer and the standard library are imported here, because
``idiolect --help`` must not wait for torch.
"""

from __future__ import annotations

import errno
import importlib
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from idiolect import __version__
from idiolect.errors import IdiolectError

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter

__all__ = ["app", "main"]

VERBS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "Personalize the pocket model for a simulated person, and show what it brought."),
    "init": ("init", "Make a workspace for one person."),
    "import": ("import_", "Take the person's own texts out of a mailbox or a file."),
    "baseline": ("baseline", "Set down the base model as it is, the mark to beat."),
    "prompt": ("prompt", "Write a system prompt from the person's texts, and choose examples."),
    "synthesize": ("synthesize", "Have a teacher write synthetic texts in the person's voice."),
    "sft": ("sft", "Fine-tune an adapter on the person's voice; does what is missing before it."),
    "judge": ("judge", "A judge of drafts: its rubric, its training, and how far it can be trusted."),
    "rlaif": ("rlaif", "Train the policy on verdicts over its own drafts, and go back to the best step."),
    "ditto": ("ditto", "Fine-tune an adapter on a handful of the person's texts, preferred to the model's own drafts."),
    "improve": ("improve", "Train a writer on your votes and edits, with --judge the judge, too."),
    "compare": ("compare", "Measure all writers on the held-out requests."),
    "audit": ("audit", "Copy the workspace with planted secrets, to measure what fine-tuning gives away."),
    "report": ("report", "Write the report anew from the result files."),
    "submit": ("submit", "Check what is handed in, and pack it as a ZIP."),
    "write": ("write", "Write a draft for a request."),
    "draft": ("draft", "Write a draft and leave it in the drafts folder of a mail account; nothing is sent."),
    "studio": ("studio", "Open the studio: write, compare, watch trainings and set up in the browser."),
    "serve": ("serve", "Serve the writers as an OpenAI-compatible API, and to assistants over MCP."),
    "export": ("export", "Write a writer as a model for other programs: peft, transformers, llama.cpp, Ollama."),
    "bench": ("bench", "Measure the measures, on data whose truth is known."),
    "engine": ("engine", "Serve models over the Tinker protocol; prints its URL when it is ready."),
}
"""Verb → (module of this package with a function, or a typer group, of the module's name; what the verb does)."""


class _Verbs(TyperGroup):
    """Loads a verb's module when the verb is called, and turns errors into one line."""

    def list_commands(self, ctx: Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        if cmd_name not in VERBS:
            return None
        module, _ = VERBS[cmd_name]
        verb = getattr(importlib.import_module(f"idiolect.cli.{module}"), module)
        if isinstance(verb, typer.Typer):
            return typer.main.get_command(verb)
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(cmd_name)(verb)
        return typer.main.get_command(single)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, told) for verb, (_, told) in VERBS.items()])

    def invoke(self, ctx: Context) -> Any:
        try:
            return super().invoke(ctx)
        except IdiolectError as error:
            _complain(str(error), error.exit_code)
        except KeyboardInterrupt:
            _complain("stopped; run the same command again to go on", 130)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                _complain(f"{error.filename or 'disk'}: the disk is full. Free some space and run the command again", 2)
            if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
                _complain(f"{error.filename or 'file'}: {error.strerror}. Choose another folder", 2)
            raise


def _complain(text: str, code: int) -> None:
    print(f"idiolect: {' '.join(text.split())}", file=sys.stderr)
    raise SystemExit(code)


app = typer.Typer(cls=_Verbs, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _idiolect(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Make a language model write as one particular person, and measure whether it does."""


def main() -> None:
    """The ``idiolect`` command."""
    app()
