"""The writer's prompt and examples inside the exported model: in its chat template, and in Ollama's Modelfile.

Knows chat templates (Jinja for transformers and llama.cpp, Go for Ollama). Knows nothing of weights.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tinker_cookbook.renderers import Renderer

from idiolect.errors import InputError
from idiolect.service import Writer

__all__ = ["ChatForm", "chat_form", "modelfile"]

_MARK = "\N{OBJECT REPLACEMENT CHARACTER}request\N{OBJECT REPLACEMENT CHARACTER}"
_OLLAMA = {
    "<|im_end|>": ("{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"),
    "<|eot_id|>": (
        "<|begin_of_text|>{{- range .Messages }}<|start_header_id|>{{ .Role }}<|end_header_id|>\n\n{{ .Content }}<|eot_id|>{{ end }}"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
}
"""What ends a turn -> the family's turns as a Go template."""


@dataclass(frozen=True)
class ChatForm:
    """How a conversation becomes the model's text."""

    template: str
    """Jinja, with the writer's prompt and examples inside: they are there unless the client brings a system message of its own."""
    before: str
    """The text before a lone request, and ``after`` it, as the writer was trained on."""
    after: str
    stop: tuple[str, ...]
    """What ends an answer."""
    own: bool
    """Whether the template is the model's own; else it takes one request and no further turns."""


def chat_form(writer: Writer, renderer: Renderer, folder: Path) -> ChatForm:
    """The model's own template if it words a request token by token as the renderer does, or else one made from the renderer's text."""
    tokenizer = renderer.tokenizer
    stops = renderer.get_stop_sequences()
    stop = tuple(one if isinstance(one, str) else str(tokenizer.decode([one])) for one in stops)
    wanted = renderer.build_generation_prompt(writer.messages(_MARK)).to_ints()  # type: ignore[arg-type]
    before, mark, after = str(tokenizer.decode(wanted)).partition(_MARK)
    if not mark:
        raise InputError("does not give its text back", where=f"the tokenizer of {writer.base_model}", hint="Choose another model")
    own = _template(folder)
    if own is not None:
        template = _with_prompt(own, writer)
        asked = [{"role": "user", "content": _MARK}]
        try:
            text = tokenizer.apply_chat_template(asked, chat_template=template, add_generation_prompt=True, tokenize=False)
            if tokenizer.encode(str(text), add_special_tokens=False) == wanted:
                return ChatForm(template, before, after, stop, own=True)
        except Exception:  # a template is a program of the model's makers and may fail in any way; then ours stands in
            pass
    template = f"{{{{ {_literal(before)} }}}}{{{{ messages[-1]['content'] }}}}{{{{ {_literal(after)} }}}}"
    return ChatForm(template, before, after, stop, own=False)


def _template(folder: Path) -> str | None:
    """The chat template of a checkpoint, in either place where transformers keeps it."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    config = folder / "tokenizer_config.json"
    held = json.loads(config.read_text(encoding="utf-8")).get("chat_template") if config.is_file() else None
    return held if isinstance(held, str) else None


def _with_prompt(template: str, writer: Writer) -> str:
    turns = writer.messages("")[:-1]
    if not turns:
        return template
    listed = ", ".join(f"{{'role': '{turn['role']}', 'content': {_literal(turn['content'])}}}" for turn in turns)
    return f"{{%- if messages[0]['role'] != 'system' %}}{{%- set messages = [{listed}] + messages %}}{{%- endif %}}{template}"


def _literal(text: str) -> str:
    """A Jinja string: its escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)


def modelfile(writer: Writer, form: ChatForm, model: str) -> str:
    """Ollama's Modelfile for the file or folder ``model``: template, prompt, examples, stop and temperature."""
    template = _OLLAMA.get(form.stop[0]) if form.stop else None
    lines = [f"FROM ./{model}"]
    if template is None:
        lines.append(f"TEMPLATE {_quoted(_go(form.before) + '{{ .Prompt }}' + _go(form.after))}")
    else:
        lines.append(f"TEMPLATE {_quoted(template)}")
        for turn in writer.messages("")[:-1]:
            head = "SYSTEM" if turn["role"] == "system" else f"MESSAGE {turn['role']}"
            lines.append(f"{head} {_quoted(turn['content'])}")
    lines += [f"PARAMETER stop {json.dumps(stop, ensure_ascii=False)}" for stop in form.stop]
    lines += [f"PARAMETER temperature {writer.temperature:g}", f"PARAMETER num_predict {writer.max_tokens}", "PARAMETER repeat_penalty 1"]
    return "\n".join(lines) + "\n"


def _go(text: str) -> str:
    return text.replace("{{", '{{ "{{" }}')


def _quoted(text: str) -> str:
    """A Modelfile's text; three quotes in a row would end it, and it knows no escape for them."""
    return '"""' + text.replace('"""', "'''") + ('"""' if not text.endswith('"') else ' """')
