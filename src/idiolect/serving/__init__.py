"""Writers for other programs: an OpenAI-compatible API and an MCP server over one connection.

Knows a workspace's writers and the two protocols. Knows nothing of pages or of where the models run.
"""

from idiolect.serving.api import make_app
from idiolect.serving.desk import Desk
from idiolect.serving.limits import Limits
from idiolect.serving.server import TOKEN, serve, token_or_new

__all__ = ["TOKEN", "Desk", "Limits", "make_app", "serve", "token_or_new"]
