"""Floor 4: the deterministic world that attacks the product.

loop      asyncio on a clock that jumps; clock: the Clock port on it; process: code that can be paused or killed
bus       a Valkey in memory, reached through the product's own connection code, and how it fails
keyspace, streams, stream_commands  what that server stores and answers
disk      the journal's SQLite in memory: power loss, a full disk
"""
