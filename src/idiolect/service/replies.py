"""Requests for replies: the mail that is answered as quoted text, fenced, never as words to the model.

Knows texts. Knows nothing of models.
"""

from __future__ import annotations

__all__ = ["reply_request"]


def reply_request(request: str, quoted: str) -> str:
    return request
