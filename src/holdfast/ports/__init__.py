"""Floor 1: what the services need of the world, as Protocols. Never imports decide.

clock      two readings of time
journal    transactions over the durable truth
venue      reading the exchange, streaming from it, sending to it
bus        plans in, results and events out, published copies of state
alerts     telling a person
telemetry  metrics and logs
"""
