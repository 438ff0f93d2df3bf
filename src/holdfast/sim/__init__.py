"""A Binance USD-M futures exchange to test against: the core in `core/`, its sockets in `face/`, its start in `server`.

It shares no code with `holdfast.venues`, so that a mistake in one can't hide the same mistake in the other.
"""
