"""What is cut out of fields and text."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from holdfast.telemetry.redact import Redactor, is_secret_name

SECRET = 'vmPUZE6m/v9SD5"VNHk4'


@pytest.mark.parametrize(
    "name",
    [
        "key",
        "api_key",
        "apiKey",
        "API-KEY",
        "X-MBX-APIKEY",
        "secret",
        "read_secret",
        "listenKey",
        "password",
        "auth_token",
    ],
)
def test_a_secret_name_is_recognised(name: str) -> None:
    """Names that say secret are recognised in every way of writing."""
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["symbol", "plan_id", "monkey", "keyboard", "hold_id", "signature_ms", "tokens_left"])
def test_another_name_is_let_be(name: str) -> None:
    """Names that only contain such a word are let be."""
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "text",
    [
        f"before {SECRET} after",
        f"url=https://x.test/?a={quote(SECRET, safe='')}&b=1",
        json.dumps({"text": SECRET}),
    ],
)
def test_a_registered_value_is_cut_out_of_any_text(text: str) -> None:
    """A registered value is cut out as it is, as JSON and as a URL write it."""
    redactor = Redactor()
    redactor.add(SECRET + "\n")
    shown = redactor.text(text)
    assert "***" in shown
    for form in (SECRET, quote(SECRET, safe=""), json.dumps(SECRET)[1:-1], "VNHk4"):
        assert form not in shown


def test_a_secret_within_a_longer_one_leaves_nothing() -> None:
    """Of two secrets, one the beginning of the other, the longer one is cut out whole."""
    redactor = Redactor()
    redactor.add("abcdef")
    redactor.add("abcdefghij")
    assert redactor.text("x abcdefghij y abcdef z") == "x *** y *** z"


def test_an_unregistered_secret_in_an_address_is_cut_out() -> None:
    """Signatures, keys and passwords in addresses are cut out without being known; the rest stays readable."""
    text = "POST https://me:hush@x.test/fapi/v1/order?symbol=BTCUSDT&signature=0123abcd&recvWindow=5 listenKey=pqia91"
    shown = Redactor().text(text)
    assert shown == ("POST https://me:***@x.test/fapi/v1/order?symbol=BTCUSDT&signature=***&recvWindow=5 listenKey=***")


def test_a_value_too_short_to_be_a_secret_is_not_registered() -> None:
    """An empty or tiny value does not turn every line into stars."""
    redactor = Redactor()
    redactor.add("")
    redactor.add("a")
    assert redactor.text("a banana") == "a banana"
