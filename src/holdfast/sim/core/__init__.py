"""The matching core: plain deterministic code, driven from outside.

    requests -> venue (keys, time, limits, faults) -> calls -> exchange -> stream_faults -> outlet

| file | decides |
|---|---|
| `venue`, `requests`, `limits`, `listen_keys` | whether a request is heard |
| `faults`, `stream_faults` | what goes wrong on purpose |
| `calls/` | what each call answers; `reports` has the shapes |
| `order_request`, `filters`, `admission` | whether an order is taken |
| `placing`, `resting`, `filling`, `forced` | what it does |
| `exchange`, `account`, `legs`, `orders`, `market`, `symbols` | the state |
| `batches`, `events` | what the user stream says |
| `knobs`, `refusals`, `amounts` | behaviour, refusals, numbers |

Invariants, tested by number: 1. a position is the sum of its fills; 2. wallet = deposits + realised - commissions +
funding; 3. a reducing order never opens, enlarges or flips; 4. order and trade ids grow by symbol; 5. every event's
sum is the state; 6. the same seed, times and calls give the same answers.
"""
