"""Floor 4: the deterministic world that attacks the product.

Its parts:

loop     asyncio on a clock that jumps; process: code that can be paused or killed
"""
