"""The file that `holdfast init` writes."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.errors import CannotStart
from holdfast.domain.limits import Limits
from holdfast.domain.names import AccountId
from holdfast.settings import commented_example, load_settings, write_example
from holdfast.settings.limits import limit_names

if TYPE_CHECKING:
    from pathlib import Path

NO_DEFAULT = ("url", "_url", "_env", "_file", "environment", "bus_prefix")


def test_the_example_loads_as_it_is(tmp_path: Path) -> None:
    """The written file loads and means the defaults."""
    path = tmp_path / "holdfast.toml"
    write_example(path)
    main = AccountId("main")
    settings = load_settings(path)
    assert settings.limits(main) == Limits(symbols=settings.limits(main).symbols)


def test_what_the_example_shows_as_default_is_the_default(tmp_path: Path) -> None:
    """Uncommenting every key that has a default changes nothing."""
    plain = tmp_path / "plain.toml"
    plain.write_text(commented_example(), encoding="utf-8")
    lines = [
        line.removeprefix("# ") if (key := re.match(r"# (\w+) = ", line)) and not key[1].endswith(NO_DEFAULT) else line
        for line in commented_example().splitlines()
    ]
    full = tmp_path / "full.toml"
    full.write_text("\n".join(lines), encoding="utf-8")
    assert sum(not line.startswith("#") for line in lines) > 40
    assert load_settings(full).tables == load_settings(plain).tables


def test_every_key_is_explained() -> None:
    """Each key, each limit of the domain included, stands under a line that says what it means."""
    lines = commented_example().splitlines()
    keys = {
        match[1]: lines[number - 1] for number, line in enumerate(lines) if (match := re.match(r"#? ?(\w+) = ", line))
    }
    assert set(limit_names()) <= keys.keys()
    for key, above in keys.items():
        assert re.match(r"# .*[.]$", above), f"{key} is not explained: {above!r}"


def test_the_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    """It is written with mode 0600; an existing file, or a link to nowhere, is left as it is."""
    path = tmp_path / "holdfast.toml"
    write_example(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(CannotStart, match="never overwrites"):
        write_example(path)
    assert path.read_text(encoding="utf-8") == "mine"
    link = tmp_path / "link.toml"
    link.symlink_to(tmp_path / "elsewhere.toml")
    with pytest.raises(CannotStart, match="never overwrites"):
        write_example(link)
    with pytest.raises(CannotStart, match="cannot write"):
        write_example(tmp_path / "no" / "such" / "holdfast.toml")
