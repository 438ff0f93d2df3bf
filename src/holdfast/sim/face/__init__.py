"""The sockets of the exchange: HTTP, WebSocket API, streams and the admin face on one port.

| file | does |
|---|---|
| `http` | one handler for every path; REST requests to the core and back |
| `ws_api` | the order WebSocket API |
| `streams` | private and market streams |
| `admin`, `admin_bodies`, `admin_truth` | what others do to the account, and the truth to judge by |
| `clock` | the machine's clock |

Nothing here decides what an exchange does: that is the core.
"""
