"""Floor 4: the deterministic world that attacks the product.

loop      asyncio on a clock that jumps; clock: the Clock port on it; process: code that can be paused or killed
bus       a Valkey in memory, reached through the product's own connection code, and how it fails
keyspace, streams, stream_commands  what that server stores and answers
disk      the journal's SQLite in memory: power loss, a full disk

schedule, acts, climate   what a history is made of, drawn from its seed: shape, deeds, faults, and how much of them
moments   faults and deeds that wait for an entry of the journal; farewells: ends at awkward moments
world     one history from start to rest: `machine` with its `unit`s (processes), `exchange` behind `net`,
          people at the `desk`
old_words  draws of moments in which an old answer could pass for a new one; waylay: they happen as a request arrives
trouble   every fault, done from outside; intruder: forged closes on the bus; fence: no socket, thread or real wait
oracle    the judge: `books` walks the exchange's trades, `watch` and `sight` the journal's public `audit`, `dues`
          the next steps, `persons` who is told what
chronicle what happened, line by line, and its hash; prompter: acts that wait for what it says
jobs      many histories over many processes -> report
shrink    the fewest acts that still fail; replay: one history in full
story     a history kept in a file, which no draw changes; dice: the chance that falls while it is played
planting  the door for planted bugs; plants: the bugs, in a source checkout only
settings, silence, logs, litter   what keeps a history cheap, and clean after the one before
"""
