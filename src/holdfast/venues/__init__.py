"""Floor 2: the exchanges, each behind `holdfast.ports.venue`. Nothing here imports the simulator, nor it us.

binance   Binance USD-M futures
"""
