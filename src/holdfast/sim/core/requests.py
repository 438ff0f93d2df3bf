"""Decide what a request says before anybody trusts it: parameters, key, signature text; and what an answer is.

Invariants: parameters come from query and body, the query wins on duplicates; the signed text is the raw query
followed by the raw body, without the signature itself, wherever that stood.
Source: venue documentation; that some clients sign the unencoded form of what they send encoded, and that the
WebSocket API's clients sign raw or URL-encoded sorted pairs, was observed with the real libraries.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote_plus, unquote_plus

from holdfast.sim.core.faults import Channel, Page, Strike
from holdfast.sim.core.refusals import NO_HEADERS, ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.sim.core.account import ApiKey
    from holdfast.sim.core.order_request import Params

__all__ = ["Reply", "Request", "error_reply", "read_params", "signed_correctly"]

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in."""

    channel: Channel
    method: str
    path: str
    address: str
    api_key: str | None
    params: Params
    query: str = ""
    """Raw; REST only."""
    body: str = ""
    """Raw; REST only."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: a value to encode, or a page."""

    status: int
    body: object
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    strike: Strike | None = None


def read_params(query: str, body: str) -> dict[str, str]:
    """Read the parameters of a REST request."""
    if not body:
        return dict(parse_qsl(query, keep_blank_values=True)) if query else {}
    params = dict(parse_qsl(body, keep_blank_values=True))
    params.update(parse_qsl(query, keep_blank_values=True))
    return params


def error_reply(error: ApiError) -> Reply:
    """Turn a refusal into an answer."""
    return Reply(error.status, {"code": error.code, "msg": error.msg}, error.headers)


def page_reply(page: Page) -> Reply:
    """Turn a proxy's page into an answer."""
    return Reply(page.status, page)


def _unsigned(text: str) -> str:
    if "signature=" not in text:
        return text
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))


def _signed_texts(request: Request) -> Iterator[str]:
    if request.channel is Channel.WS:
        pairs = sorted((k, v) for k, v in request.params.items() if k != "signature")
        yield "&".join(f"{k}={v}" for k, v in pairs)
        yield "&".join(f"{k}={quote_plus(v)}" for k, v in pairs)
        return
    raw = _unsigned(request.query) + _unsigned(request.body)
    yield raw
    yield unquote_plus(raw)


def signed_correctly(request: Request, key: ApiKey) -> bool:
    """Check the HMAC-SHA256 signature against every form that real clients sign."""
    sent = request.params.get("signature", "").lower()
    secret = key.secret.encode()
    return any(
        hmac.compare_digest(hmac.digest(secret, text.encode(), "sha256").hex().encode(), sent.encode())
        for text in _signed_texts(request)
    )
