"""Floor 2: the asyncio shell around the decisions. Knows adapters by their ports alone.

    context     what every service of one account shares
    knocks      in-process wake-ups, which carry no authority
    picture     what the venue showed, merged; memory only
    feed        stream and complete views -> picture; fills to whoever waits for them
    reconcile   P3.4: evaluate legs, place and release holds, repair, plan closes, renew the stamp
      agenda    which legs next: urgent ones first, quiet ones never
      quiet     which legs are not quiet though nobody knocked
      looks       second look and trades for one symbol, as evidence
      judged      what the journal keeps of the facts behind a move
      origins     whose orders are behind the trades that the ledger lacks
      moves       one decided move -> its transaction's writes
      repairs     the moves that change a ledger; holding: those that place holds and tell people
      leg_memory  what is remembered of a leg between evaluations, and may be lost
    first_start what an account held when it was first seen, held before anything is decided
    mode_watch  the position mode, read again and again; a change holds everything
    intake      plans from the bus -> one lane a symbol; closes overtake
    inbox       what others journaled for apply: one look, and knocks
    execute     P3.3: one EXECUTE through permit, claim and intent
    closing     one close through the guardrails, claim and intent
    sending     one request, its outcome, its fills
      booking     a trade as a fill of one own order: the only place where fills move a ledger
      concluding  what became of an order: state, fills, result, close and hold together
      late        a fill of an order that was given up
    hearing     what the stream tells of own orders
    resolving   orders without an answer: asked about until proven
    cancel_plans one CANCEL: the wish that another plan's resting order end
    cancelling  own resting orders that must end: journaled, asked for, recorded
    foreign_orders open orders that are nobody's here, by policy
    open_orders what rests at the venue beside what the journal believes to rest
    requests    what an operator asked for; operator_close and operator_resolve carry out two of these words
    halting     stopping one account, until a person resumes
    publishing  results, events and copies of state, from the journal to the bus; entry_log: entries as lines of the log
    alerting    telling a person, until acknowledged
    supervisor  leases, tasks, their ends

Every step has one shape: read the facts, decide, record, act, record what came of it (DESIGN §2).
"""
