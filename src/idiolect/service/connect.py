"""One connection to a Tinker-compatible service, with the renderers and samplers that go with its models.

Knows the SDK and the cookbook's renderers. Knows neither where the service runs nor what is asked of it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from idiolect.errors import InputError, ServiceError

if TYPE_CHECKING:
    import tinker
    from tinker_cookbook.renderers import Renderer

__all__ = ["Connection", "Model", "Samples", "renderer_name"]

T = TypeVar("T")
_WATCH_SECONDS = 0.5


class Samples(Protocol):
    """What sampling needs to know: a ``Writer`` is one, a ``Model`` is another."""

    @property
    def base_model(self) -> str: ...
    @property
    def renderer(self) -> str: ...
    @property
    def adapter(self) -> str | None: ...


@dataclass(frozen=True)
class Model:
    """A base model, with an adapter or without, and how messages become its tokens."""

    base_model: str
    renderer: str
    adapter: str | None = None


@dataclass
class Connection:
    """A service at ``base_url`` (None: the SDK's own default). Close it, or use it as a context.

    ``health`` is called now and then while ``run`` waits; it raises when the service is gone for good,
    where the SDK alone would go on trying for hours.
    """

    base_url: str | None = None
    api_key: str | None = None
    concurrency: int = 32
    health: Callable[[], None] | None = None
    _client: tinker.ServiceClient | None = None
    _samplers: dict[tuple[str, str | None], tinker.SamplingClient] = field(default_factory=dict)
    _renderers: dict[tuple[str, str], Renderer] = field(default_factory=dict)
    _context: dict[str, int] | None = None
    _gate: tuple[asyncio.AbstractEventLoop, asyncio.Semaphore] | None = None

    def __deepcopy__(self, memo: object) -> Connection:
        """Itself: the cookbook copies its configs to log them, and what they hold may hold a connection."""
        return self

    @property
    def gate(self) -> asyncio.Semaphore:
        """Lets ``concurrency`` requests through at a time, whatever they are for; one for each event loop."""
        loop = asyncio.get_running_loop()
        if self._gate is None or self._gate[0] is not loop:
            self._gate = (loop, asyncio.Semaphore(self.concurrency))
        return self._gate[1]

    @property
    def client(self) -> tinker.ServiceClient:
        """The SDK's client; its session begins with the first use."""
        if self._client is None:
            import tinker

            # The SDK reports usage to its vendor unless told not to, and a person's mail is nobody's business.
            os.environ.setdefault("TINKER_TELEMETRY", "0")
            # The SDK warns of every poll that it repeats; without a handler of its own that would go to the person's screen.
            logging.getLogger("tinker").addHandler(logging.NullHandler())
            with service_errors(self.base_url):
                self._client = tinker.ServiceClient(base_url=self.base_url, api_key=self.api_key)
        return self._client

    def renderer(self, model: Samples) -> Renderer:
        """The cookbook renderer of a model, over the model's own tokenizer."""
        key = (model.base_model, model.renderer)
        if key not in self._renderers:
            self._renderers[key] = _load_renderer(*key)
        return self._renderers[key]

    async def sampler(self, model: Samples) -> tinker.SamplingClient:
        key = (model.base_model, model.adapter)
        if key not in self._samplers:
            with service_errors(self.base_url):
                if model.adapter:
                    self._samplers[key] = await self.client.create_sampling_client(model_path=model.adapter)
                else:
                    self._samplers[key] = await self.client.create_sampling_client(base_model=model.base_model)
        return self._samplers[key]

    async def context_length(self, base_model: str) -> int | None:
        """Tokens that a prompt and its answer may have together; None where the service does not say."""
        if self._context is None:
            import tinker

            with service_errors(self.base_url):
                answer = await tinker.RestClient(base_url=self.base_url, api_key=self.api_key).get_server_capabilities()
            self._context = {model.model_name or "": model.max_context_length or 0 for model in answer.supported_models}
        return self._context.get(base_model) or None

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Run asynchronous work to its end, and stop it when the service has died. Errors of the SDK become ``ServiceError``.

        Where an event loop is running already, as in a notebook, the work gets one of its own in another thread.
        """
        with service_errors(self.base_url):
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                return asyncio.run(self._watched(work))
            with ThreadPoolExecutor(1) as thread:
                return thread.submit(asyncio.run, self._watched(work)).result()

    async def _watched(self, work: Coroutine[object, object, T]) -> T:
        task = asyncio.ensure_future(work)
        while not task.done():
            await asyncio.wait({task}, timeout=_WATCH_SECONDS)
            if self.health is not None and not task.done():
                try:
                    self.health()
                except BaseException:
                    task.cancel()
                    with suppress(asyncio.CancelledError, Exception):
                        await asyncio.wait({task}, timeout=1)
                    raise
        return task.result()

    def close(self) -> None:
        """Finish the session. A service that is gone already is no error."""
        if self._client is not None:
            with suppress(Exception):
                self._client.close("success").result(timeout=5)
            self._client = None
            self._samplers.clear()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def service_errors(base_url: str | None):
    """Turn the SDK's errors into ``ServiceError`` with what a person can do about them."""
    import tinker
    from tinker._exceptions import TinkerError

    where = base_url or "the Tinker service"
    try:
        yield
    except tinker.AuthenticationError as error:
        raise ServiceError("the key was refused", where=where, hint="Set TINKER_API_KEY to a valid key") from error
    except tinker.APIConnectionError as error:
        raise ServiceError("cannot be reached", where=where, hint="Check TINKER_BASE_URL and the network") from error
    except TinkerError as error:
        raise ServiceError(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__, where=where) from error


def renderer_name(base_model: str, named: str | None = None) -> str:
    """The renderer that was named, or the one that the cookbook recommends; a folder is judged by its config's architecture."""
    if named:
        return named
    from tinker_cookbook import model_info
    from tinker_cookbook.exceptions import ConfigurationError

    try:
        return model_info.get_recommended_renderer_name(base_model)
    except (ConfigurationError, KeyError, ValueError):
        return _renderer_by_template(base_model)


def _renderer_by_template(base_model: str) -> str:
    """A folder's renderer by its model type: Llama 3 has its own form, the Qwen models share ChatML."""
    config = Path(base_model) / "config.json"
    if config.is_file():
        kind = json.loads(config.read_text(encoding="utf-8")).get("model_type", "")
        if kind.startswith("llama"):
            return "llama3"
        if kind.startswith("qwen"):
            return "qwen3_instruct"
    raise InputError(
        f"no renderer is known for {base_model}", where="idiolect.toml, field model.renderer", hint="Name one of the cookbook's renderers"
    )


def _load_renderer(base_model: str, name: str) -> Renderer:
    from tinker_cookbook import renderers
    from tinker_cookbook.exceptions import RendererError
    from tinker_cookbook.tokenizer_utils import get_tokenizer

    if base_model.startswith(("/", ".")) and not (Path(base_model) / "tokenizer_config.json").is_file():
        raise InputError(
            "is not a model folder: it has no tokenizer_config.json", where=base_model, hint="Name a checkpoint folder or a hub model"
        )
    try:
        tokenizer = get_tokenizer(base_model)
    except (OSError, ValueError) as error:
        raise InputError(
            "has no tokenizer that can be loaded", where=base_model, hint="Check the model's name and, for a hub model, the network"
        ) from error
    try:
        return renderers.get_renderer(name, tokenizer)
    except RendererError as error:
        raise InputError(f"unknown renderer {name!r}", where="idiolect.toml, field model.renderer") from error
