"""The one place where the graph of objects is built: settings in, running services out.

    process   journal, bus, telemetry, every account; run until one of them ends
    account   one account's venue adapters and services
    world     what all accounts of a process share
    doors     how a process reaches what lies outside of it: sockets in life, memory in the deterministic world

Start, in this order, each with a message that says what to do when it fails: data folder, bus, journal, then for each
account the venue's clock, mode, rules and prices; only then leases and tasks. Nothing is traded before all of it
worked. The end of any task ends the process: a machine's supervisor starts it again, which is safe at any time.
"""

from holdfast.compose.doors import Doors
from holdfast.compose.process import run, run_by_doors
from holdfast.compose.world import BOTH, ServiceName, Started, Wrapping

__all__ = ["BOTH", "Doors", "ServiceName", "Started", "Wrapping", "run", "run_by_doors"]
