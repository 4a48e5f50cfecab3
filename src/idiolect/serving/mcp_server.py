"""A Model Context Protocol server with one tool, ``draft_email``, for assistants that write on a person's behalf.

Knows that protocol through its official SDK. The tool drafts and never sends.
"""

from __future__ import annotations

from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

from idiolect import __version__
from idiolect.errors import IdiolectError
from idiolect.serving.desk import Desk
from idiolect.serving.limits import ApiError

__all__ = ["DraftedEmail", "mcp_server"]

_TOLD = "Drafts e-mails in one person's own voice. It never sends any."


class DraftedEmail(BaseModel):
    """A draft, and what the person should look at before it is sent."""

    text: str
    writer: str
    finished: bool = Field(description="False where the draft was cut at its longest.")
    missing: list[str] = Field(description="Facts of the request that the draft lacks.")
    remarks: list[str] = Field(description="All that is to be looked at before it is sent.")


def mcp_server(desk: Desk) -> MCPServer:
    """The server; ``run_stdio_async`` and ``streamable_http_app`` put it on a transport."""
    server = MCPServer("idiolect", version=__version__, instructions=_TOLD, log_level="WARNING")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))
    async def draft_email(
        request: Annotated[str, Field(min_length=1, max_length=20_000, description="To whom, and everything that it must say.")],
        reply_to: Annotated[str | None, Field(max_length=100_000, description="The e-mail that is answered, if any.")] = None,
        writer: Annotated[str | None, Field(description="A writer's name; by default the one that most was learnt for.")] = None,
        seed: Annotated[int | None, Field(description="Another seed gives another draft.")] = None,
    ) -> DraftedEmail:
        """Draft an e-mail in the person's own voice. Nothing is sent."""
        try:
            async with desk.places.place():
                done = await desk.checked(writer, request, reply_to or "", seed)
        except (IdiolectError, ApiError) as error:
            raise ToolError(str(error)) from error
        lost = [fact.value for fact in done.found.lost]
        return DraftedEmail(text=done.draft.text, writer=done.writer, finished=done.draft.finished, missing=lost, remarks=done.remarks)

    return server
