"""Floor 2: Valkey or Redis. Plans in, results and events out, published copies of state; nothing here has authority.

Map of the package:

    keys        every stream and key under the prefix, and how far each may grow
    values      one field's bytes to one value of the domain, each defect with its own Reason
    wire        plans and closes, between stream fields and the domain
    outcomes    results and journal entries, between the domain and stream fields
    connection  one dedicated connection: one round trip a call, nothing ever sent twice
    copies      published copies as commands
    readiness   whether the bus still is the one that was filled
    valkey      `ValkeyBus`, the adapter of `ports.bus.Bus`
    binary      which server program to run
    tether      what ties a server's life to its parent's
    embedded    `EmbeddedServer`: our own loopback server, for machines that have none

Invariants, repeated by the tests:

    1. No command leaves twice. A connection that fails with a command under way raises; only an answer that says
       "not executed" (NOGROUP, NOSCRIPT, WRONGTYPE) is followed by another try, once.
    2. No bytes on a stream make a decoder raise; each bad plan is an entry with its Reason.
    3. Results are written before their entries are acknowledged.
    4. A hold key is removed only while it holds the value that we put there.
    5. Every stream is bounded; the plan stream loses acknowledged entries only.
"""
