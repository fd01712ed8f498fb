#!/bin/bash
# A temporary machine: Debian 12 with a booted systemd, for the tests of setup.sh. Needs root, debootstrap and
# systemd-container. The slow parts are done once and kept in ${XDG_CACHE_HOME:-~/.cache}/kernkoa-box.
#   box.sh prepare        download Debian, the packages that setup.sh installs, and the wheels it installs
#   box.sh ready          whether that is done
#   box.sh up BOX         boot one in the folder BOX, on an overlay, with a private network without a route
#   box.sh mount BOX      only mount its files, at BOX/root, with the wheels
#   box.sh unmount BOX    unmount and delete them
#   box.sh run BOX CMD…   run a command in it
#   box.sh enter BOX CMD… run a command of this machine in the network of the box
#   box.sh reboot BOX     stop it and start it again
#   box.sh down BOX       stop it and delete its files
set -eu
clone=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kernkoa-box
tree=$cache/bookworm-2
limits=$clone/system/addons/limits/requirements.txt
wheels=$cache/wheels-2-$(cat "$clone/requirements.txt" "$limits" | cksum | cut -d' ' -f1)
packages="python3-venv nginx redis-server logrotate libnginx-mod-http-brotli-static"

prepare() {
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock 9
	if [ ! -d "$tree" ]; then
		rm -rf "$tree.new"
		debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,python3,ca-certificates,procps bookworm "$tree.new"
		cp /etc/resolv.conf "$tree.new/etc/resolv.conf"
		cp -L /etc/ssl/certs/ca-certificates.crt "$tree.new/etc/ssl/certs/ca-certificates.crt"
		chroot "$tree.new" apt-get update
		# shellcheck disable=SC2086  # a list of words
		chroot "$tree.new" apt-get install -y --no-install-recommends --download-only $packages
		mv "$tree.new" "$tree"
	fi
	[ -d "$wheels" ] || download_wheels
}

# with the Python of the box, in a copy of it: the wheels depend on its version
download_wheels() {
	rm -rf "$cache"/wheels-*
	mkdir -p "$cache/aside/up" "$cache/aside/work" "$cache/aside/root"
	mount -t overlay overlay -o "lowerdir=$tree,upperdir=$cache/aside/up,workdir=$cache/aside/work" "$cache/aside/root"
	trap 'umount "$cache/aside/root"; rm -rf "$cache/aside"' EXIT
	cp "$clone/requirements.txt" "$cache/aside/root/"
	cp "$limits" "$cache/aside/root/limits.txt"
	cp -L /etc/resolv.conf "$cache/aside/root/etc/resolv.conf"
	chroot "$cache/aside/root" sh -ec '
		apt-get install -y --no-install-recommends python3-venv >/dev/null
		python3 -m venv /venv
		/venv/bin/pip install --quiet wheel </dev/null
		/venv/bin/pip wheel --quiet --wheel-dir /wheels -r /requirements.txt -r /limits.txt "pyuwsgi>=2.0.30" "gunicorn>=23" </dev/null'
	mv "$cache/aside/root/wheels" "$wheels.new"
	mv "$wheels.new" "$wheels"
}

boot() {
	systemd-nspawn --quiet -D "$1/root" -M "box-$$" --private-network --resolv-conf=off --timezone=off --register=no \
		--keep-unit --boot --bind-ro="$wheels:/wheels" </dev/null >"$1/console" 2>&1 9>&- &
	echo $! >"$1/nspawn"
	for _ in $(seq 240); do
		sleep .1
		kill -0 "$(cat "$1/nspawn")" 2>/dev/null || break
		inner=$(pgrep -P "$(cat "$1/nspawn")" | head -1) || continue
		echo "$inner" >"$1/init"
		if inside "$1" systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; then return; fi
	done
	tail -20 "$1/console" >&2
	return 1
}

inside() {
	init=$(cat "$1/init")
	shift
	nsenter -t "$init" -m -u -i -p -n -- env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root TERM=dumb LANG=C.UTF-8 "$@"
}

stop() {
	kill -TERM "$(cat "$1/nspawn")" 2>/dev/null || return 0
	for _ in $(seq 300); do
		kill -0 "$(cat "$1/nspawn")" 2>/dev/null || return 0
		sleep .1
	done
	kill -KILL "$(cat "$1/nspawn")"
}

mount_root() {
	mkdir -p "$1/up" "$1/work" "$1/root"
	mountpoint -q "$1/root" || mount -t overlay overlay -o "lowerdir=$tree,upperdir=$1/up,workdir=$1/work" "$1/root"
	printf '[global]\nno-index = true\nfind-links = /wheels\n' >"$1/root/etc/pip.conf"
}

case ${1:-} in
prepare) prepare ;;
ready) [ -d "$tree" ] && [ -d "$wheels" ] ;;
up)
	mount_root "$2"
	printf '127.0.0.1 localhost\n' >"$2/root/etc/hosts"
	boot "$2"
	;;
mount)
	mount_root "$2"
	mkdir -p "$2/root/wheels"
	mount --bind -o ro "$wheels" "$2/root/wheels"
	mount -t proc proc "$2/root/proc"
	mkdir -p "$2/root/dev/shm"
	mount -t tmpfs tmpfs "$2/root/dev/shm"
	;;
unmount)
	for part in wheels proc dev/shm; do umount "$2/root/$part"; done
	umount "$2/root"
	rm -rf "$2"
	;;
run) shift; inside "$@" ;;
reboot)
	stop "$2"
	boot "$2"
	;;
enter) exec nsenter -t "$(cat "$2/init")" -n -- "${@:3}" ;;
down)
	# its files are deleted, so nothing in it needs a clean shutdown
	kill -KILL "$(cat "$2/init")" 2>/dev/null || true
	stop "$2"
	umount "$2/root"
	rm -rf "$2"
	;;
*) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
