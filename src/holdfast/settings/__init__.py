"""Floor 2: the one reader of the environment and of files that people write.

    load      holdfast.toml and HOLDFAST_* variables -> Settings, or CannotStart with every problem and its line
    answers   Settings: what the rest of the program asks of them (limits, keys, addresses, paths)
    tables    the pydantic models, one a table of the file: names, defaults, bounds, meanings
    limits    the fields of domain Limits as settings, derived from it, so that the two can't differ
    rules     what one value alone can't show: bounds between values, live trading, one prefix an account
    venue     which world an address belongs to
    secret    references to secrets, and reading them; a secret itself never stands in the file
    lines     where in the text a key stands
    example   the commented file that `holdfast init` writes

Precedence: a HOLDFAST_ variable wins over the file, the file over the default.
"""

from holdfast.ports.telemetry import LogFormat, LogLevel
from holdfast.settings.answers import AccountKeys, Settings
from holdfast.settings.example import commented_example, write_example
from holdfast.settings.load import load_settings
from holdfast.settings.secret import KeyUse
from holdfast.settings.venue import Environment, VenueAddresses

__all__ = [
    "AccountKeys",
    "Environment",
    "KeyUse",
    "LogFormat",
    "LogLevel",
    "Settings",
    "VenueAddresses",
    "commented_example",
    "load_settings",
    "write_example",
]
