"""The journal: the durable, append-only, hash-chained truth, in SQL. Implements `ports.journal`.

    opening      open_journal, open_inline_journal: the ways in
    store        SqlJournal: the port, over a runner
    runners      where the work runs: ThreadRunner in life, InlineRunner in the deterministic world and in tests
    away         where it runs when the database is a server away: AwayRunner
    groups       waiting transactions grouped into one commit; worker: the thread that waits for the disk
    batches      several jobs in one transaction, each in its savepoint
    steps        read, decide, write under a fence
    leases       which process owns an account's service
    reads, writes        what a step may read and write (Reads, Tx)
    chain        canonical text and hashes; audit: the chain and the sums proven again
    rows, rows_operator  domain values to rows and back
    statements, sql      the SQL text, written once
    backend      what a database session must do; sqlite and postgres do it
    postgres_opening     reaching a server, proving it, creating or migrating its tables
    schema, migrate, migrations   the tables

Invariants:
1. A step's state changes and its entries are committed together or not at all.
2. Nothing is acknowledged before its commit is on disk (WAL, synchronous=FULL; synchronous_commit=on).
3. One account's steps are serialised, over processes too: the file's lock, or on a server the account's, is taken
   before anything is read.
4. A commit that failed ends the journal for this process: what it left on disk is known only after reopening.
5. Entry `seq` of an account carries SHA-256(hash of `seq - 1` || canonical text); the account's row carries the head.
6. A leg's amount and version change only by a `ledger_move` row, an order's `booked_qty` only by a `fill` row.
"""

from holdfast.journal.opening import open_inline_journal, open_journal
from holdfast.journal.runners import InlineRunner, ThreadRunner

__all__ = ["InlineRunner", "ThreadRunner", "open_inline_journal", "open_journal"]
