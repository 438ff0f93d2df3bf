"""Names: what may name a plan or a symbol, and the client order id that follows from a plan's id."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.names import (
    AccountId,
    PlanId,
    client_order_id,
    is_our_client_order_id,
    is_plan_id,
    is_symbol,
)

MAIN = AccountId("main")
PLAN_IDS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/-", min_size=1, max_size=128)


@pytest.mark.parametrize("text", ["a", "p-1", "2026-07-01T00:00:00", "a/b.c_d:e", "x" * 128])
def test_a_plan_may_have_this_name(text: str) -> None:
    """Letters, digits and `. _ : / -` up to 128 name a plan."""
    assert is_plan_id(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "a\n", "\na", "a\x00b", "x" * 129, "é", "１", "a\x1fb", "*", "a\u2028"],  # noqa: RUF001 - the full-width digit is the point
)
def test_a_plan_may_not_have_this_name(text: str) -> None:
    """Anything else does not, a trailing line feed included."""
    assert not is_plan_id(text)


@pytest.mark.parametrize("text", ["BTCUSDT", "1000SHIBUSDT", "BTCUSDT_260925", "AB"])
def test_a_symbol_has_this_form(text: str) -> None:
    """Capital letters, digits and underscore make a symbol."""
    assert is_symbol(text)


@pytest.mark.parametrize("text", ["", "A", "btcusdt", "BTCUSDT\n", "BTC-USDT", "BTC/USDT", "BTCUSDT:LONG", "A" * 33])
def test_a_symbol_has_no_other_form(text: str) -> None:
    """Anything else is no symbol, a trailing line feed included."""
    assert not is_symbol(text)


def test_the_client_order_id_is_fixed_for_ever() -> None:
    """The id of a known plan is this very text: a change of the rule would forget every order without an answer."""
    assert client_order_id(MAIN, PlanId("plan-1")) == "hf-a3k526wtrqyptleaebipxk7vdu"


@given(PLAN_IDS)
def test_the_client_order_id_fits_the_venue(text: str) -> None:
    """Whatever the plan, the id is 29 characters that the venue takes, carries our prefix, and is the same again."""
    made = client_order_id(MAIN, PlanId(text))
    assert re.fullmatch(r"[a-z2-7-]{29}", made)
    assert re.fullmatch(r"[.A-Z:/a-z0-9_-]{1,36}", made)
    assert is_our_client_order_id(made)
    assert made == client_order_id(AccountId("main"), PlanId(text))


@given(PLAN_IDS, PLAN_IDS)
def test_other_plans_and_other_accounts_have_other_ids(left: str, right: str) -> None:
    """Two plans, or one plan on two accounts, never share a client order id; nor do a name's halves run together."""
    assert (client_order_id(MAIN, PlanId(left)) == client_order_id(MAIN, PlanId(right))) is (left == right)
    assert client_order_id(AccountId("other"), PlanId(left)) != client_order_id(MAIN, PlanId(left))
    assert client_order_id(AccountId("mai"), PlanId("n" + left)) != client_order_id(MAIN, PlanId(left))


@pytest.mark.parametrize("text", ["", "h", "HF-x", "x-hf-", "autoclose-1", "web_1"])
def test_an_order_of_others_is_not_ours(text: str) -> None:
    """An order without our prefix is not ours."""
    assert not is_our_client_order_id(text)
