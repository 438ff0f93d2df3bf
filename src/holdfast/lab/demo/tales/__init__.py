"""Tales: scenarios that are no simple drift. Each is one module that says what happens and what that promises.

tale      what a tale is: its name, its stage, its acts, its judge
cast      who acts and who watches: the strategy, other people, the venue, the operator; what was seen becomes facts
promises  what several tales promise. Pure
forced    `liquidation`, `adl`: the venue takes a part of the position; a person acknowledges
by_hand   `manual-close`: somebody sells a part by hand; the ledger is written down by trade ids
hedge     `hedge`: LONG and SHORT of one symbol drift opposite ways, and are healed apart
missed    `missed-fill`: the stream loses our own fill; the ledger is repaired by its trade id, nothing is closed
first     `first-start`: the account is not empty when it is first seen; nothing is assumed
large     `large`: a drift larger than one order may be is closed slice by slice under one hold
resting   `foreign-order`: somebody's order rests in the book; it is reported, trading goes on

Invariant: a judge reads what was seen at the exchange, on the bus, at the webhook, and the exit status and output of
the operator's commands; never our journal or log.
"""
