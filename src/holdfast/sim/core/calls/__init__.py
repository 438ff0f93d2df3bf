"""The calls of the API, one function each: parameters in, a value to encode out.

`public` needs no account, `trading` changes orders, `reading` looks back, `holdings` at what is, `settings` changes
the account, `table` names them all with their weights. Nothing here checks keys or time: the venue did that before.
"""
