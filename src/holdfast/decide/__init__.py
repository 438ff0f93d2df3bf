"""Floor 1: the verbs. Facts in, a decision out; pure, total, tabulated. The product's worth is here.

    newest      two views of one leg -> the one that counts
    reconcile   view x ledger x own orders x evidence -> Verdict        (the table of rows 1 to 9)
    evidence    trades since the watermark -> classed, and whether they add up to the drift
    episode     verdict x hold x looks x closes -> what to do next      (the life of a hold)
    remedies    a difference x evidence x policies -> what ends it      (book, write down, close, ask)
    close       a verdict of row 8 -> one close: size, slice, life
    permit      EXECUTE x facts x limits -> Permit | Refusal            (P3.3 and P3.2)
    cancel_plan CANCEL x the order that it names -> the wish that it end | Refusal
    cancelling  an order that rests x holds, closes, halt -> whether it must end
    guardrails  RECONCILE_CLOSE, OPERATOR_CLOSE x facts -> Permit | Refusal
    recovery    an order without an answer x what the venue says -> Resolution
    mode        the account's position mode x the journal's -> go on, hold everything, accept, refuse to start
    outcome     what a request brought back -> what the order is now

Invariants, repeated by number in the property tests:

    I1  A close never raises an absolute exposure and never flips a sign.
    I2  A close never exceeds the drift: what the ledger rightly holds is not touched.
    I3  No close without a hold that is open, of that leg, in the journal.
    I4  No EXECUTE while a hold stands on the symbol, whatever else is true.
    I5  Missing, stale, partial or contradictory facts deny; a failed answer is never flat.
    I6  A view older than the ledger's last own fill cannot accuse the ledger.
    I7  The ledger moves by own fills, by evidence with trade ids, or by a person's word; by nothing else.
    I8  Nothing of uncertain fate is sent again.
    I9  Every hold that stands has a next step.
"""
