"""What serve.yaml may say, and who wins."""

from pathlib import Path

import pytest

from smar.cli import build_parser
from smar.errors import ParamsError
from smar.service.http.settings import Settings, read_settings


def test_options_win_over_the_file_and_the_file_over_defaults(tmp_path: Path):
    assert read_settings(tmp_path, None, {"port": None}) == Settings()
    (tmp_path / "serve.yaml").write_text("port: 9000\nmax_batch: 8\n")
    settings = read_settings(tmp_path, None, {"port": 9001, "host": None})
    assert (settings.port, settings.max_batch, settings.host) == (9001, 8, "127.0.0.1")
    other = tmp_path / "other.yaml"
    other.write_text("")
    assert read_settings(tmp_path, other, {}) == Settings()


def test_all_problems_of_the_file_are_told(tmp_path: Path):
    (tmp_path / "serve.yaml").write_text(
        "port: 99999\nprot: 1\nkeys: [{name: a, sha256: secret}]\nlog: 'yes'\n"
    )
    with pytest.raises(ParamsError) as refused:
        read_settings(tmp_path, None, {})
    for name in ("port", "prot", "keys.0.sha256", "log"):
        assert f"- {name}: " in str(refused.value)


@pytest.mark.parametrize("text", ["[1]", "a: [", "5"])
def test_file_that_is_none_is_refused(tmp_path: Path, text: str):
    (tmp_path / "serve.yaml").write_text(text)
    with pytest.raises(ParamsError, match=r"serve\.yaml"):
        read_settings(tmp_path, None, {})
    with pytest.raises(ParamsError, match="cannot be read"):
        read_settings(tmp_path, tmp_path / "none.yaml", {})


def test_loopback_serves_names_of_this_machine_alone():
    assert Settings().allowed_hosts == ["127.0.0.1", "localhost", "::1", "[::1]"]
    assert Settings(host="0.0.0.0").allowed_hosts == []  # noqa: S104 - nothing listens
    assert Settings(hosts=["shop.example"]).allowed_hosts == ["shop.example"]


def test_command_line_has_the_few_options_of_a_first_try():
    options = build_parser().parse_args(["serve", "--port", "0", "--host", "::1"])
    assert (options.command, options.port, options.host) == ("serve", 0, "::1")
