#!/bin/sh
# KernKoa's setup script. It works on the folder that contains it.
#
#   sh setup.sh dev [option...]      the development server (python kernkoa.py), in its own virtual environment
#   sh setup.sh test [argument...]   installs what the tests need, then runs ruff, mypy and pytest [argument...]
#   sh setup.sh test --box           also the tests that install on a whole machine, booted for them (as root)
#
#   sudo sh setup.sh                 production: installs this folder as a site behind nginx and uWSGI, with Celery
#   sudo sh setup.sh reload          checks a new kernel or config.py, then deploys it without losing a request
#   sudo sh setup.sh rollback        returns to the previous release
#   sudo sh setup.sh status          services, load, last errors, log files
#   sudo sh setup.sh run COMMAND     runs a command with the site's user, settings and code
#   sudo sh setup.sh uninstall       removes what the installation created
#
# sh setup.sh install --help lists the options: --domain, --port, --base, --name, --dry-run and more.
# test --no-packages installs no system packages: tests that need a missing program are skipped.
# PYTHON=/path/to/python3 chooses the interpreter, 3.11 or later.
set -eu

clone=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
venv=$clone/venv3

say() { printf '%s\n' "$*"; }
fail() { printf 'setup.sh: %s\n' "$*" >&2; exit 1; }

# --- the virtual environment ---------------------------------------------------------------------------------------

find_python() {
	for python in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
		if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then return; fi
	done
	fail "KernKoa needs Python 3.11 or later, but ${PYTHON:-python3} is older or missing. Install it, or run: PYTHON=/path/to/python3 sh setup.sh"
}

# Debian and Ubuntu ship Python without the modules for virtual environments: the package that contains them
missing_venv() {
	"$python" -c 'import ensurepip, venv' 2>/dev/null || "$python" -c 'import sys
print("python3-venv" if sys.executable == "/usr/bin/python3" else "python%d.%d-venv" % sys.version_info[:2])'
}

make_venv() {
	# the programs of a moved environment contain the old path; an environment made by hand or a link is kept
	if [ -L "$venv" ]; then return; fi
	if [ -x "$venv/bin/python" ] && [ "$(cat "$venv/.made_in" 2>/dev/null || say "$venv")" = "$venv" ]; then return; fi
	find_python
	package=$(missing_venv)
	if [ -n "$package" ]; then install_packages "$package"; fi
	say "Creating the virtual environment $venv"
	"$python" -m venv --clear "$venv" || fail "$python could not create $venv; its message is above."
	say "$venv" >"$venv/.made_in"
}

# installs a requirements file, unless it is unchanged since the last time
install_requirements() {
	stamp=$venv/.installed_$(say "$1" | tr / _)
	sum=$(cksum <"$clone/$1")
	if [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ]; then return; fi
	say "Installing $1"
	"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$clone/$1" ||
		fail "pip could not install $1; its message is above. Is the package index reachable?"
	say "$sum" >"$stamp"
}

# --- packages of the system ----------------------------------------------------------------------------------------

apt() { DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -qq "$@" </dev/null; }

# only root can install packages; everyone else gets the command to run
can_install() {
	command -v apt-get >/dev/null || fail "these packages are missing, and there is no apt-get to install them: $*"
	[ "$(id -u)" = 0 ] || fail "packages are missing. Run this, then try again: sudo apt-get install -y $*"
	if [ -n "${updated:-}" ]; then return; fi
	apt update || say "apt-get update failed; trying with the existing package lists" >&2
	updated=yes
}

install_packages() {
	can_install "$@"
	say "Installing packages: $*"
	apt install -y --no-install-recommends "$@" >/dev/null ||
		fail "apt-get could not install: $*. Its message is above."
}

# "program=package ..." -> the packages whose program is not installed
missing_packages() {
	for pair in "$@"; do
		command -v "${pair%%=*}" >/dev/null || printf '%s ' "${pair#*=}"
	done
}

# --- dev -----------------------------------------------------------------------------------------------------------

dev() {
	make_venv
	install_requirements requirements.txt
	cd "$clone"
	exec "$venv/bin/python" kernkoa.py "$@"
}

# --- test ----------------------------------------------------------------------------------------------------------

# the programs that the tests use. No service is started: the tests start their own
install_test_packages() {
	PATH=$PATH:/usr/sbin:/sbin
	missing=$(missing_packages redis-server=redis-server nginx=nginx wrk=wrk git=git shellcheck=shellcheck \
		chromium=chromium chromedriver=chromium-driver pdftotext=poppler-utils \
		curl=curl node=nodejs npm=npm 'php=php-cli php-curl' \
		mariadbd=mariadb-server pg_createcluster=postgresql rabbitmq-server=rabbitmq-server \
		faketime=faketime systemd-analyze=systemd debootstrap=debootstrap systemd-nspawn=systemd-container)
	[ -n "$missing" ] || return 0
	can_install "$missing (or skip the tests that use them: sh setup.sh test --no-packages)"
	packages=
	for package in $missing; do
		if apt-cache show "$package" >/dev/null 2>&1; then
			packages="$packages $package"
		else
			say "This system has no package $package: tests that use it are skipped" >&2
		fi
	done
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
		chmod +x /usr/sbin/policy-rc.d
	fi
	# shellcheck disable=SC2086  # a list of words
	[ -z "$packages" ] || install_packages $packages
}

run_tests() {
	system=install
	while [ $# -gt 0 ]; do
		case $1 in
		--box) export KERNKOA_TEST_BOX=required ;;
		--no-packages) system=leave && export KERNKOA_TEST_NO_PACKAGES=yes ;;
		*) break ;;
		esac
		shift
	done
	# in a subshell, so that its trap does not outlive it
	if [ $system = install ]; then (install_test_packages); fi
	make_venv
	install_requirements requirements.txt
	install_requirements tests/requirements.txt
	cd "$clone"
	# only the kernel's files: the site's files are its author's concern
	"$venv/bin/python" -m ruff check --quiet system tests benchmarks kernkoa.py
	"$venv/bin/python" -m ruff format --quiet --check system tests benchmarks kernkoa.py
	"$venv/bin/python" -m mypy
	# shipped.py runs pytest in a copy with the shipped site if this folder's site was changed
	exec "$venv/bin/python" tests/shipped.py "$venv/bin/python" -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$@"
}

# --- production ----------------------------------------------------------------------------------------------------

# The rest is in system/deploy, in Python: checked releases, files with their checksums, systemd units.
# The steps are in order in its install.py.
deploy() {
	cd "$clone"
	if [ -x "$venv/bin/python" ]; then python=$venv/bin/python; else find_python; fi
	exec "$python" -B -m system.deploy "$@"
}

install() {
	changes=yes redis=redis-server=redis-server
	for argument in "$@"; do
		case $argument in
		--dry-run | --root | --root=* | --help | -h) changes=no ;;
		--no-redis) redis= ;;
		--no-packages) [ $changes = no ] || changes=venv ;;
		esac
	done
	PATH=$PATH:/usr/sbin:/sbin
	# shellcheck disable=SC2086  # empty with --no-redis
	missing=$(missing_packages nginx=nginx logrotate=logrotate $redis)
	if [ $changes = no ]; then
		[ -z "$missing" ] || say "would: install packages: $missing"
		[ -x "$venv/bin/uwsgi" ] || say "would: create $venv with the packages of requirements.txt and uWSGI"
		deploy install "$@"
	fi
	[ "$(id -u)" = 0 ] || fail "installing needs root: sudo sh setup.sh. To see its steps first: sh setup.sh install --dry-run"
	# the site's user must be able to read what root installs, even if root's umask is stricter
	umask 022
	case $missing in *nginx*) export KERNKOA_NGINX_IS_NEW=yes ;; esac
	find_python
	missing="$missing$(missing_venv)"
	# shellcheck disable=SC2086  # a list of words
	if [ -n "$missing" ] && [ $changes = yes ]; then install_packages $missing; fi
	if [ $changes = yes ]; then install_brotli; fi
	make_venv
	install_requirements requirements.txt
	install_requirements system/addons/limits/requirements.txt
	install_uwsgi
	deploy install "$@"
}

# nginx's module for .br files, if the system has it; without it nginx sends the .gz files
install_brotli() {
	if [ -e /etc/nginx/modules-enabled/50-mod-http-brotli-static.conf ]; then return; fi
	apt install -y --no-install-recommends libnginx-mod-http-brotli-static >/dev/null 2>&1 ||
		say "This system has no libnginx-mod-http-brotli-static: nginx sends .gz files, but no .br files"
}

# uses the wheel; if there is none for this machine, compiles it
install_uwsgi() {
	if [ -x "$venv/bin/uwsgi" ]; then return; fi
	say "Installing uWSGI"
	if "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: 'pyuwsgi>=2.0.30'; then return; fi
	say "There is no wheel of uWSGI for this machine: compiling it, which takes about half a minute"
	install_packages build-essential "$("$venv/bin/python" -c 'import sys; print("python%d.%d-dev" % sys.version_info[:2])')"
	"$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'uwsgi>=2.0.30' ||
		fail "uWSGI could not be compiled; the message is above."
	: >"$venv/.uwsgi_compiled"
}

# -------------------------------------------------------------------------------------------------------------------

case ${1:-} in
dev) shift; dev "$@" ;;
test) shift; run_tests "$@" ;;
reload | rollback | status | run | uninstall) deploy "$@" ;;
-h | --help | help) sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0" ;;
install) shift; install "$@" ;;
"" | --*) install "$@" ;;
*) fail "unknown command: $1. sh setup.sh --help lists them." ;;
esac
