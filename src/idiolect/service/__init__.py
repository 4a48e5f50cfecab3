"""The client side of the Tinker protocol: everything above it asks a URL and does not know where the model runs."""

from idiolect.service.connect import Connection, Model, renderer_name
from idiolect.service.endpoint import Endpoint, endpoint_drafts
from idiolect.service.replies import reply_request
from idiolect.service.sampling import BestOf, Completion, Draft, cascade, complete, derive_seed, draft
from idiolect.service.scores import text_logprobs
from idiolect.service.streaming import Piece, stream
from idiolect.service.writer import TEMPERATURE, Writer

__all__ = [
    "TEMPERATURE",
    "BestOf",
    "Completion",
    "Connection",
    "Draft",
    "Endpoint",
    "Model",
    "Piece",
    "Writer",
    "cascade",
    "complete",
    "derive_seed",
    "draft",
    "endpoint_drafts",
    "renderer_name",
    "reply_request",
    "stream",
    "text_logprobs",
]
