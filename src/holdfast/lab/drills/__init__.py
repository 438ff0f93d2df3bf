"""Drills: the real services killed at every side effect, the exchange failing in every way, judged from outside.

    effects     what a side effect is called; how a victim counts it and dies of it
    wrapping    the ports, counted
    victim      what is killed: the services as `holdfast run` has them, with counted ports
    nursery     forks victims from one process that has everything loaded (`nursery_main`)
    stage       one account at a simulator of its own process, one data folder, victims started and started again
    record      what was handed in, and what the bus answered, seen from outside
    traffic     the script: plans, foreign trades, a person's requests
    judge       what must be true at rest, by the simulator's order book, the journal's rows and the bus
    crash       every effect x SIGKILL before and after, and again in recovery
    rounds      which sides share a round, and what a second kill is aimed at
    hunt        one round's shots across its deaths
    causes      what makes rare effects come up
    faults      every fault of the exchange x the crash points around a send
    power       the journal as it lay on the disk at its last fsync
    deliveries  plans delivered many times, in any order, to two apply processes
    report      what a drill says when it is over

Invariants: the judge believes no log and no result of ours alone: the exchange's own book decides. A drill whose
fault never struck is a failed drill. Every drill prints its seed and the command that plays it again.
"""
