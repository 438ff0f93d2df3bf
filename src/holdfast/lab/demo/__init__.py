"""`holdfast demo`: one drift, played on the real programs, watched from outside, judged at the exchange and on the bus.

scenarios  what may be played, and what each one promises
tales      what is no simple drift: liquidation, hedge mode, a first start ...
repertoire all of them by name
staging    how the stage differs for one of them
stage      simulator, embedded Valkey and services in a temporary folder, as a user would run them
webhook    the operator's end of an alert
watch      the bus, read as a stranger would read it
strategy   a program that trades by plans
play       the acts: the strategy, somebody at the exchange, and nothing else
reading    answers of exchange and bus -> values
facts      what was seen, as values
judge      facts x scenario -> which promises were kept. Pure
report     facts and promises -> the JSON object
screen     the same for a person, while it happens
run        all of it, from the first child to the verdict

Invariants: nothing is judged by our own log or journal; every wait has a bound, and what was not seen in time is a
broken promise with a name.
"""
