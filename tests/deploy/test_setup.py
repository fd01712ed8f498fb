"""setup.sh without root: --root, --dry-run, errors, and checks with the system's own tools."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.servers import NGINX, NGINX_MODULES, REPOSITORY, copy_clone, make_certificate
from tests.shipped import needs_shipped_site

SHELLCHECK = shutil.which("shellcheck")
SYSTEMD_ANALYZE = shutil.which("systemd-analyze")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can enter, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="koa-setup-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def clone(folder: Path) -> Path:
    """A clone without a virtual environment, which is fast because nothing in it is checked."""
    return copy_clone(folder / "clone", venv=False)


@pytest.fixture
def checked(folder: Path) -> Path:
    """A clone with a virtual environment: every release is checked."""
    return copy_clone(folder / "checked")


def setup(
    clone: Path, *arguments: str | Path, user: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    path = "/usr/local/bin:/usr/bin:/bin" if user else os.environ["PATH"]
    return subprocess.run(
        ["sh", clone / "setup.sh", *arguments],
        env={"PATH": path, "HOME": "/nonexistent", "LANG": "C.UTF-8", **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
    )


def stage(clone: Path, tree: Path, *options: str | Path, user: str | None = None) -> str:
    done = setup(clone, "install", "--root", tree, *options, user=user)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def look(tree: Path) -> dict[str, tuple[int, int, bytes | str]]:
    """Every file in a tree: mode, modification time, content."""
    found: dict[str, tuple[int, int, bytes | str]] = {}
    for path in sorted(tree.rglob("*")):
        state = path.lstat()
        content: bytes | str = b""
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = path.read_bytes()
        found[str(path.relative_to(tree))] = (state.st_mode, state.st_mtime_ns, content)
    return found


INSTALLED = {
    "etc/default/kernkoa",
    "etc/logrotate.d/kernkoa",
    "etc/nginx/sites-available/kernkoa",
    "etc/nginx/sites-enabled/kernkoa",
    "etc/systemd/system/emperor.uwsgi.service",
    "etc/systemd/system/kernkoa-beat.service",
    "etc/systemd/system/kernkoa-worker.service",
    "etc/systemd/system/multi-user.target.wants/emperor.uwsgi.service",
    "etc/systemd/system/multi-user.target.wants/kernkoa-beat.service",
    "etc/systemd/system/multi-user.target.wants/kernkoa-worker.service",
    "etc/tmpfiles.d/kernkoa.conf",
    "etc/uwsgi/emperor.ini",
    "etc/uwsgi/vassals/kernkoa_uwsgi.ini",
    "var/lib/kernkoa/current",
    "var/lib/kernkoa/manifest.json",
    "var/lib/kernkoa/site.json",
}


@pytest.mark.parametrize("script", ["setup.sh", "tests/box.sh", ".ci/run"])
@pytest.mark.skipif(SHELLCHECK is None, reason="shellcheck is needed: sh setup.sh test installs it")
def test_shellcheck_finds_nothing(script: str) -> None:
    done = subprocess.run([str(SHELLCHECK), REPOSITORY / script], capture_output=True, text=True)
    assert done.stdout == ""


@pytest.mark.skipif(shutil.which("dash") is None, reason="dash is needed")
def test_setup_is_plain_posix_shell() -> None:
    done = subprocess.run(["dash", "-n", REPOSITORY / "setup.sh"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_names_every_command(clone: Path) -> None:
    text = setup(clone, "--help").stdout
    for command in ("dev", "test", "reload", "rollback", "status", "run", "uninstall"):
        assert f"setup.sh {command}" in text


def test_an_unknown_command_is_named(clone: Path) -> None:
    done = setup(clone, "deplyo")
    assert done.returncode == 1
    assert "deplyo" in done.stderr


def test_an_ordinary_user_stages_a_whole_tree_and_the_second_time_nothing_changes(
    clone: Path, folder: Path
) -> None:
    tree = folder / "tree"
    tree.mkdir()
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        shutil.chown(tree, user)
    stage(clone, tree, user=user)
    first = look(tree)
    files = {name for name in first if not (tree / name).is_dir() or (tree / name).is_symlink()}
    assert {name for name in files if "/releases/" not in name} == INSTALLED
    assert "Nothing had to be changed." in stage(clone, tree, user=user)
    assert look(tree) == first


def test_a_dry_run_prints_every_step_and_changes_nothing(clone: Path, folder: Path) -> None:
    before = look(folder)
    text = setup(clone, "install", "--dry-run", "--root", folder / "tree").stdout
    for step in ("emperor.uwsgi.service", "sites-enabled/kernkoa", "kernkoa.py check", "systemctl restart"):
        assert re.search(rf"would: .*{re.escape(step)}", text), text
    assert look(folder) == before


@pytest.mark.parametrize("options", [("--root", "tree", "--no-packages"), ("--no-packages", "--root", "tree")])
def test_with_root_no_environment_is_created(clone: Path, folder: Path, options: tuple[str, ...]) -> None:
    setup(clone, "install", *(folder / "tree" if option == "tree" else option for option in options))
    assert not (clone / "venv3").exists()


def test_an_environment_behind_a_link_is_never_cleared(clone: Path, folder: Path) -> None:
    other = folder / "other"
    (other / "bin").mkdir(parents=True)
    (other / ".made_in").write_text("/elsewhere\n")
    (clone / "venv3").symlink_to(other)
    setup(clone, "dev", "--help")
    assert (other / ".made_in").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become an ordinary user")
@pytest.mark.parametrize("command", ["install", "reload", "rollback", "uninstall"])
def test_without_root_the_message_says_that_root_is_needed(clone: Path, command: str) -> None:
    done = setup(clone, command, user="nobody")
    assert done.returncode == 1
    assert re.search(r"needs root|No site", done.stderr)


def test_a_file_changed_by_hand_is_kept_and_the_new_one_proposed(clone: Path, folder: Path) -> None:
    tree = folder / "tree"
    stage(clone, tree)
    site = tree / "etc/nginx/sites-available/kernkoa"
    site.write_text(site.read_text() + "# mine\n")
    assert "changed by hand" in stage(clone, tree, "--port", "8080")
    assert site.read_text().endswith("# mine\n")
    assert "listen 8080 default_server;" in (tree / "var/lib/kernkoa/proposed/kernkoa").read_text()


def test_an_option_is_remembered_by_the_next_run(clone: Path, folder: Path) -> None:
    tree = folder / "tree"
    stage(clone, tree, "--port", "8080", "--processes", "3")
    stage(clone, tree, "--domain", "www.example.org")
    site = (tree / "etc/nginx/sites-available/kernkoa").read_text()
    assert "listen 8080;" in site
    assert "server_name www.example.org;" in site
    assert "\nprocesses = 3\n" in (tree / "etc/uwsgi/vassals/kernkoa_uwsgi.ini").read_text()


def test_a_file_of_someone_else_stops_the_installation_and_nothing_changes(clone: Path, folder: Path) -> None:
    foreign = folder / "tree/etc/systemd/system/emperor.uwsgi.service"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("[Unit]\n")
    before = look(folder / "tree")
    done = setup(clone, "install", "--root", folder / "tree")
    assert done.returncode == 1
    assert "emperor.uwsgi.service exists and was not created by this script" in done.stderr
    assert {name: state[2] for name, state in look(folder / "tree").items()} == {
        name: state[2] for name, state in before.items()
    }


@pytest.mark.parametrize(
    ("file", "broken", "message"),
    [
        ("config.py", "port = 'eighty'\n", "port = 'eighty'"),
        ("config.py", "name = = 1\n", "line 1"),
        ("system/core/runtime.py", "import nothing_of_this_name\n", "nothing_of_this_name"),
        ("catalog/controller/broken.py", "class broken:\n    def index(self:\n", "broken.py"),
        ("kernkoa_uwsgi.ini", "[uwsgi]\nstrict = true\nprocesess = 4\n", "procesess"),
    ],
)
def test_a_broken_clone_is_refused_and_the_release_stays(
    checked: Path, folder: Path, file: str, broken: str, message: str
) -> None:
    tree = folder / "tree"
    stage(checked, tree)
    before = look(tree)
    (checked / file).write_text(broken)
    done = setup(checked, "install", "--root", tree)
    assert done.returncode == 1
    assert message in done.stderr
    after = look(tree)
    assert set(after) == set(before)
    assert after["var/lib/kernkoa/current"] == before["var/lib/kernkoa/current"]


def test_uninstalling_removes_everything_it_created_and_nothing_else(clone: Path, folder: Path) -> None:
    tree = folder / "tree"
    theirs = tree / "etc/nginx/sites-available/other"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("# theirs\n")
    stage(clone, tree)
    assert setup(clone, "uninstall", "--root", tree).returncode == 0
    assert set(look(tree)) == {"etc", "etc/nginx", "etc/nginx/sites-available", "etc/nginx/sites-available/other"}


def test_uninstalling_keeps_a_file_that_was_changed_by_hand(clone: Path, folder: Path) -> None:
    tree = folder / "tree"
    stage(clone, tree)
    mine = tree / "etc/default/kernkoa"
    mine.write_text("KERNKOA_REDIS_URL=redis://elsewhere/0\n")
    assert "keep /etc/default/kernkoa" in setup(clone, "uninstall", "--root", tree).stdout
    assert mine.exists()


def test_a_second_site_shares_no_file_with_the_first(clone: Path, folder: Path) -> None:
    tree = folder / "tree"
    stage(clone, tree)
    first = {name for name, state in look(tree).items() if not (tree / name).is_dir()}
    other = copy_clone(folder / "other", venv=False)
    stage(other, tree, "--name", "shop", "--port", "8081")
    added = {name for name in look(tree) if not (tree / name).is_dir()} - first
    assert "etc/systemd/system/emperor.uwsgi-shop.service" in added
    files = (tree / name for name in added if "/releases/" not in name)
    texts = "".join(file.read_text() for file in files if not file.is_symlink())
    for path in (
        "/run/kernkoa/",
        "/var/lib/kernkoa/",
        "celery/celery.log",
        "zone=kernkoa:",
        "limit_conn kernkoa_",
        "User=kernkoa\n",
    ):
        assert path not in texts
    setup(other, "uninstall", "--root", tree)
    assert {name for name in look(tree) if not (tree / name).is_dir()} == first


def test_the_snapshot_holds_the_kernel_and_links_to_the_catalogue(clone: Path, folder: Path) -> None:
    (clone / "catalog/startup.py").write_text("def startup(app): ...\n")
    stage(clone, folder / "tree")
    release = folder / "tree/var/lib/kernkoa/current"
    assert not (release / "config.py").is_symlink()
    assert not (release / "catalog/startup.py").resolve().is_relative_to(clone)
    assert (release / "system/core/runtime.py").is_file()
    assert os.readlink(release / "catalog/controller") == str(clone / "catalog/controller")
    assert os.readlink(release / "var") == "/var/lib/kernkoa/var"
    assert not (release / "tests").exists()


def test_a_frozen_snapshot_holds_the_catalogue_too(clone: Path, folder: Path) -> None:
    stage(clone, folder / "tree", "--frozen")
    release = folder / "tree/var/lib/kernkoa/current"
    assert not (release / "catalog").is_symlink()
    assert (release / "catalog/controller/fasthelloworld.py").is_file()
    assert '"KERNKOA_LIVE_SECONDS=off"' in (folder / "tree/etc/systemd/system/emperor.uwsgi.service").read_text()


def test_only_the_wheel_of_uwsgi_gets_the_options_to_restart(clone: Path, folder: Path) -> None:
    stage(clone, folder / "wheel")
    (clone / "venv3").mkdir()
    (clone / "venv3/.uwsgi_compiled").touch()
    stage(clone, folder / "compiled")
    assert "binary-path" in (folder / "wheel/etc/uwsgi/emperor.ini").read_text()
    assert "binary-path" not in (folder / "compiled/etc/uwsgi/emperor.ini").read_text()


def test_the_folder_of_root_contains_no_key(checked: Path, folder: Path) -> None:
    stage(checked, folder / "tree")
    assert not list((folder / "tree").rglob("secret_key"))


def test_the_sub_path_of_config_py_reaches_nginx(checked: Path, folder: Path) -> None:
    config = checked / "config.py"
    config.write_text(config.read_text().replace('base = ""', 'base = "/shop"'))
    stage(checked, folder / "tree")
    assert "location /shop/images/ {" in (folder / "tree/etc/nginx/sites-available/kernkoa").read_text()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--port", "99999"], "--port 99999"),
        (["--domain", "a;b"], "'a;b'"),
        (["--base", "shop"], "'shop'"),
        (["--name", "My Shop"], "'My Shop'"),
        (["--user", "a b"], "'a b'"),
    ],
)
def test_an_option_that_would_break_a_file_is_refused(
    clone: Path, folder: Path, options: list[str], word: str
) -> None:
    done = setup(clone, "install", "--root", folder / "tree", *options)
    assert done.returncode == 1
    assert word in done.stderr


def test_a_folder_with_a_space_is_refused(folder: Path) -> None:
    clone = copy_clone(folder / "my clone", venv=False)
    done = setup(clone, "install", "--root", folder / "tree")
    assert done.returncode == 1
    assert "my clone cannot be used" in done.stderr


@pytest.mark.skipif(SYSTEMD_ANALYZE is None, reason="systemd-analyze is needed")
def test_systemd_accepts_the_units_without_a_message(checked: Path, folder: Path) -> None:
    stage(checked, folder / "tree", "--user", "root")
    units = sorted((folder / "tree/etc/systemd/system").glob("*.service"))
    assert len(units) == 3
    done = subprocess.run([str(SYSTEMD_ANALYZE), "verify", *units], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(SYSTEMD_ANALYZE is None, reason="systemd-analyze is needed")
def test_the_units_expose_little(clone: Path, folder: Path) -> None:
    stage(clone, folder / "tree")
    for unit in sorted((folder / "tree/etc/systemd/system").glob("*.service")):
        command = [str(SYSTEMD_ANALYZE), "security", "--offline=true", "--threshold=40", "--no-pager", unit]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-300:]


@pytest.mark.skipif(NGINX is None, reason="nginx is needed: sh setup.sh test installs it")
@pytest.mark.parametrize(
    "options",
    [[], ["--base", "/a/b", "--port", "8080"], ["--domain", "www.example.org"], ["certificate"]],
    ids=str,
)
def test_nginx_accepts_the_site(clone: Path, folder: Path, options: list[str]) -> None:
    secure = options == ["certificate"]
    if secure:
        make_certificate(folder / "tree" / "etc" / "tls")
        options = ["--domain", "www.example.org", "--certificate", "/etc/tls"]
    stage(clone, folder / "tree", *options)
    site = (folder / "tree/etc/nginx/sites-available/kernkoa").read_text()
    assert ("ssl_certificate_key" in re.sub(r"(?m)^\s*#.*$", "", site)) == secure
    check_nginx(folder, site)


def check_nginx(folder: Path, site: str) -> None:
    """The output of `nginx -t` for a site, without root: ports, logs and folders are replaced."""
    moves: Mapping[str, str] = {
        r"/var/log/nginx": str(folder),
        r"/etc/tls": str(folder / "tree/etc/tls"),
        r"(listen |]:)(80|443|8080)\b": r"\g<1>1\g<2>",
    }
    for old, new in moves.items():
        site = re.sub(old, new, site)
    (folder / "site.conf").write_text(site)
    paths = "".join(f"{kind}_temp_path {folder};" for kind in ("client_body", "uwsgi", "proxy", "fastcgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"{NGINX_MODULES} pid {folder}/pid; error_log {folder}/error.log; events {{}} http {{ {paths} include site.conf; }}"
    )
    done = subprocess.run(
        [str(NGINX), "-t", "-p", folder, "-c", folder / "nginx.conf"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


@pytest.mark.skipif(NGINX is None, reason="nginx is needed: sh setup.sh test installs it")
def test_nginx_accepts_the_shipped_file_unchanged(folder: Path) -> None:
    needs_shipped_site()
    check_nginx(folder, (REPOSITORY / "kernkoa_nginx.conf").read_text())
