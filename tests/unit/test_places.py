"""Where tools are installed: next to the code in a checkout, in the user's cache for an installed package."""

from pathlib import Path

import pytest

from infra import places


def test_a_checkout_keeps_its_tools_in_itself():
    assert places.tools_folder() == places.CODE == places.ROOT


@pytest.mark.parametrize(("cache", "folder"), [("/c", "/c/everscore"), (None, "~/.cache/everscore")])
def test_an_installed_package_keeps_them_in_the_users_cache(monkeypatch, tmp_path, cache, folder):
    monkeypatch.setattr(places, "ROOT", tmp_path / "share" / "everscore")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if cache:
        monkeypatch.setenv("XDG_CACHE_HOME", cache)

    assert places.tools_folder() == Path(folder).expanduser()


def test_a_template_without_code_of_its_own_goes_with_the_installed_code(tmp_path):
    assert places.code_of(tmp_path) == places.CODE

    (tmp_path / "functions").mkdir()

    assert places.code_of(tmp_path) == tmp_path
