"""Floor 0: the nouns. Frozen values, Decimal amounts, the standard library only, no I/O, no clock.

Map of the package, from the smallest noun to the largest:

    amounts     Decimal in, Decimal out; steps and signs
    names       identifiers, and the one rule that turns a plan's id into an order's client id
    sides       Side, PositionSide, Leg and the other small enumerations of the field
    reasons     every code that a result's `error` may carry, with its one-line meaning
    errors      the tree of exceptions, classed by what the catcher must do
    instrument  what the venue allows on a symbol
    plan        what somebody wants done
    permit      proof that one plan may become one order
    order       what became of it
    trade       what the venue says was executed
    view        what the venue says is held, and when that was true
    ledger      what we believe is held
    hold        a refusal to trade, with a reason, an owner and a next step
    way_out     what a person types about a hold, by its reason
    close       a RECONCILE_CLOSE or OPERATOR_CLOSE as the journal keeps it
    entry       one line of the journal
"""
