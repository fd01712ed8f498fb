from __future__ import annotations

import stat
from pathlib import Path

import pytest

from system.core.errors import SettingsError
from system.core.settings import Settings, obtain_secret_key, read_settings
from tests.shipped import needs_shipped_site

ROOT = Path(__file__).resolve().parents[1]


def config(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "config.py"
    file.write_text(text)
    return file


def test_a_fresh_copy_needs_no_edit_and_no_file() -> None:
    settings = read_settings(ROOT / "config.py", {})
    assert (settings.host, settings.port, settings.name) == ("127.0.0.1", 5000, "kernkoa")
    assert read_settings(ROOT / "nowhere" / "config.py", {}).port == 5000


def test_every_default_of_config_py_is_the_kernels_own() -> None:
    needs_shipped_site()
    shipped = read_settings(ROOT / "config.py", {})
    bare = Settings(path=shipped.path, addons=["agents", "limits"])  # switched on in a fresh copy
    assert vars(shipped) == vars(bare)


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    environ = {
        "KERNKOA_SECRET_KEY": "k",
        "KERNKOA_REDIS_URL": "redis://localhost/1",
        "KERNKOA_SESSION_TIMEOUT": "5",
        "KERNKOA_PDF_PATH": "papers",
        "KERNKOA_LIVE_SECONDS": "off",
        "KERNKOA_FLASK_DEBUG": "0",
        "KERNKOA_DATABASES": '{"maindb": {"url": "sqlite://"}}',
        "KERNKOA_MAIL_SERVER": "mail.example",
    }
    settings = read_settings(config(tmp_path, "session_timeout = 9\nmailServer = 'none'\n"), environ)
    assert settings.secretKey == "k"
    assert settings.redisUrl == "redis://localhost/1"
    assert settings.session_timeout == 5
    assert settings.folder(settings.pdfPath) == tmp_path / "papers"
    assert settings.liveSeconds == "off"
    assert settings.flaskDebug is False
    assert settings.databases == {"maindb": {"url": "sqlite://"}}
    assert settings.mailServer == "mail.example"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = 'abc'", ["config.py", "port", "'abc'", "integer"]),
        ("port = 70000", ["port", "70000", "65535"]),
        ("base = 'shop'", ["base", "'shop'", "a path such as /shop"]),
        ("session_timeout = 0", ["session_timeout", "greater than 0"]),
        ("liveSeconds = 'never'", ["liveSeconds", "'never'", "'off'"]),
        ("redisUrl = 'localhost'", ["redisUrl", "'localhost'"]),
        ("libs = {'controler': 'x'}", ["libs", "controler"]),
        ("defaultDatabase = 'shop'", ["defaultDatabase", "'shop'", "maindb"]),
        ("port = = 1", ["config.py", "line 1", "port = = 1"]),
        ("1 / 0", ["config.py", "ZeroDivisionError"]),
    ],
)
def test_a_wrong_value_is_named_quoted_and_explained(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings(config(tmp_path, text), {})
    for word in words:
        assert word in str(raised.value)


def test_a_wrong_secret_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings(config(tmp_path, "secretKey = b'\\xffhidden'"), {})
    assert "hidden" not in str(raised.value)


def test_all_wrong_values_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings(config(tmp_path, "port = 'a'\n"), {"KERNKOA_SESSION_TIMEOUT": "b"})
    assert "config.py: port" in str(raised.value)
    assert "KERNKOA_SESSION_TIMEOUT: session_timeout" in str(raised.value)


def test_config_py_cannot_make_a_process_the_development_server(tmp_path: Path) -> None:
    assert read_settings(config(tmp_path, "development = True"), {}).development is False


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = read_settings(config(tmp_path, ""), {})
    with pytest.raises(AttributeError, match="frozen"):
        settings.port = 1


def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    settings = Settings(path=tmp_path)
    key = obtain_secret_key(settings)
    assert len(key) >= 64
    assert obtain_secret_key(settings) == key
    assert stat.S_IMODE((tmp_path / "var" / "secret_key").stat().st_mode) == 0o600
    assert [file.name for file in (tmp_path / "var").iterdir()] == ["secret_key"]


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    settings = Settings(path=tmp_path)
    obtain_secret_key(settings)
    (tmp_path / "var" / "secret_key").chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        obtain_secret_key(settings)


def test_a_key_that_cannot_be_kept_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file stands where the folder should be")
    with pytest.raises(SettingsError, match="KERNKOA_SECRET_KEY"):
        obtain_secret_key(Settings(path=tmp_path))


def test_the_url_is_right_by_default(tmp_path: Path) -> None:
    assert Settings(path=tmp_path, base="/shop").url == "http://127.0.0.1:5000/shop/"
    assert Settings(path=tmp_path, url="https://x.example").url == "https://x.example/"
