"""Floor 2: the asyncio shell around the decisions. Knows adapters by their ports alone.

    context     what every service of one account shares
    knocks      in-process wake-ups, which carry no authority
    picture     what the venue showed, merged; memory only
    feed        stream and complete views -> picture; fills to whoever waits for them
    reconcile   P3.4: evaluate legs, place and release holds, repair, plan closes, renew the stamp
      agenda    which legs next: urgent ones first, quiet ones never
      quiet     which legs are not quiet though nobody knocked
      looks       second look and trades for one symbol, as evidence
      moves       one decided move -> its transaction's writes
    intake      plans from the bus -> one lane a symbol; closes overtake
    execute     P3.3: one EXECUTE through permit, claim and intent
    closing     one close through the guardrails, claim and intent
    sending     one request, its outcome, its fills
    hearing     what the stream tells of own orders
    resolving   orders without an answer: asked about until proven
    cancel_plans one CANCEL: the wish that another plan's resting order end
    cancelling  own resting orders that must end: journaled, asked for, recorded
    foreign_orders open orders that are nobody's here, by policy
    open_orders what rests at the venue beside what the journal believes to rest
    requests    what an operator asked for
    publishing  results, events and copies of state, from the journal to the bus
    alerting    telling a person, until acknowledged
    supervisor  leases, tasks, their ends

Every step has one shape: read the facts, decide, record, act, record what came of it (DESIGN §2).
"""
