#!/bin/sh
# Installs what acklab's experiments and tests need and this machine lacks.
#
#   deploy/install.sh lab     the servers and tools of the experiments
#   deploy/install.sh test    those, and what only the tests need
#   deploy/install.sh --missing    only lists what test would look for in vain
#
# Debian and Ubuntu (as root or through sudo) and macOS with Homebrew are
# installed to; elsewhere one line says what to install. When nothing is missing
# it does nothing and prints nothing.
#
# It leaves no service running and none enabled: acklab starts private servers
# of its own and never uses those of the system. Debian's packages do both by
# default, so, around apt-get and undone in a trap that also runs after an
# error or Ctrl-C:
#
#   - /usr/sbin/policy-rc.d, which invoke-rc.d and deb-systemd-invoke ask before
#     they start anything, forbids it (exit 101). One that the machine has is
#     set aside and put back (after a kill -9 by the next run that installs).
#   - what the packages enabled is disabled again: units by removing the links
#     in /etc/systemd that were not there before and that point to a unit of a
#     package that is new here, init scripts with update-rc.d. A preset of
#     systemd would not do: deb-systemd-helper reads presets only where
#     systemctl exists, not at all in Debian 11 and Ubuntu 22.04, and creates
#     the links with or without a running systemd. Removing the links is what
#     "systemctl disable" does, and deb-systemd-helper takes a missing link for
#     the administrator's wish: an upgrade does not enable the unit again.
#     Masking would be more than is wanted, somebody may want the service later.
#   - no PostgreSQL cluster is made: see deny_clusters.
set -eu
export LC_ALL=C

say() { printf '%s\n' "$*"; }
fail() { printf 'install: %s\n' "$*" >&2; exit 1; }

# have NAME... : one of these programs exists, also where an ordinary user's
# PATH does not look.
have() {
	for name; do
		PATH=$PATH:/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/opt/homebrew/bin:/opt/homebrew/sbin \
			command -v "$name" >/dev/null 2>&1 && return 0
	done
	return 1
}

# present TOOL: nothing has to be installed for it.
present() {
	case $1 in
	redis-server)
		if [ -n "${ACKLAB_REDIS_SERVER:-}" ]; then
			[ -x "$ACKLAB_REDIS_SERVER" ] || fail "ACKLAB_REDIS_SERVER=$ACKLAB_REDIS_SERVER is not a program"
			return 0
		fi
		have redis-server ;;
	rabbitmq-server)
		if [ -n "${ACKLAB_RABBITMQ_HOME:-}" ]; then
			[ -x "$ACKLAB_RABBITMQ_HOME/sbin/rabbitmq-server" ] ||
				fail "ACKLAB_RABBITMQ_HOME=$ACKLAB_RABBITMQ_HOME has no sbin/rabbitmq-server"
			return 0
		fi
		have rabbitmq-server ;;
	prometheus)
		if [ -n "${ACKLAB_PROMETHEUS:-}" ]; then
			[ -x "$ACKLAB_PROMETHEUS" ] || fail "ACKLAB_PROMETHEUS=$ACKLAB_PROMETHEUS is not a program"
			return 0
		fi
		have prometheus ;;
	postgresql)
		if [ -n "${ACKLAB_POSTGRES_HOME:-}" ]; then
			[ -x "$ACKLAB_POSTGRES_HOME/bin/postgres" ] || [ -x "$ACKLAB_POSTGRES_HOME/postgres" ] ||
				fail "ACKLAB_POSTGRES_HOME=$ACKLAB_POSTGRES_HOME has no bin/postgres"
			return 0
		fi
		have postgres || has_file /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres /opt/homebrew/opt/postgresql*/bin/postgres ;;
	strace) [ "$(uname -s)" != Linux ] || have strace ;; # elsewhere there is none
	browser)
		have chromium chromium-browser google-chrome google-chrome-stable headless_shell headless-shell ||
			[ -d "/Applications/Google Chrome.app" ] || [ -d "/Applications/Chromium.app" ] ;;
	celery)
		if [ -n "${ACKLAB_PYTHON:-}" ]; then
			imports "$ACKLAB_PYTHON" || fail "ACKLAB_PYTHON=$ACKLAB_PYTHON cannot import celery, redis and kombu; run: $ACKLAB_PYTHON -m pip install celery redis"
			return 0
		fi
		imports /usr/bin/python3 ;; # the one that packages install for, whatever PATH says
	c-compiler) have gcc clang cc ;;
	*) have "$1" ;;
	esac
}

# has_file PATH... : one of them can be executed.
has_file() {
	for path; do
		if [ -x "$path" ]; then return 0; fi
	done
	return 1
}

# imports PYTHON: it has what a Celery worker over Redis and RabbitMQ needs. Each
# is imported, so that one that is there and broken is seen.
imports() { "$1" -c 'import celery, redis, kombu' >/dev/null 2>&1; }

# ---- Debian, Ubuntu -------------------------------------------------------

policy=/usr/sbin/policy-rc.d
kept=/usr/sbin/policy-rc.d.kept-by-acklab

# deny_starts forbids every service start until allow_starts.
deny_starts() {
	allow_starts # what an earlier run left that was killed with -9
	if [ -e "$policy" ] || [ -L "$policy" ]; then mv "$policy" "$kept"; fi
	printf '#!/bin/sh\n# written by acklab deploy/install.sh, removed when it ends\nexit 101\n' >"$policy"
	chmod 755 "$policy"
}

allow_starts() {
	if grep -qs 'written by acklab deploy/install.sh' "$policy"; then rm -f "$policy"; fi
	if [ -e "$kept" ] || [ -L "$kept" ]; then mv "$kept" "$policy"; fi
}

# Debian's postgresql makes a cluster ("main") when it is installed, which would
# be started at every boot, unless postgresql-common is told not to: by a file of
# ours in its folder, while we install. What is configured there stays as it is.
clusters=/etc/postgresql-common/createcluster.d
no_cluster=$clusters/zz-acklab.conf

deny_clusters() {
	made=''
	for folder in "${clusters%/*}" "$clusters"; do
		if ! [ -d "$folder" ]; then mkdir "$folder" && made="$folder $made"; fi
	done
	printf "# written by acklab deploy/install.sh, removed when it ends\ncreate_main_cluster = false\n" >"$no_cluster"
}

allow_clusters() {
	rm -f "$no_cluster"
	for folder in ${made:-}; do rmdir "$folder" 2>/dev/null || true; done # only if nothing else is in it
}

# enabled_links prints every link by which systemd starts a unit.
enabled_links() {
	find /etc/systemd/system /etc/systemd/user -type l 2>/dev/null | sort
}

# installed prints the packages that are installed and configured.
installed() { dpkg-query -W -f='${db:Status-Status} ${binary:Package}\n' | sed -n 's/^installed //p' | sort; }

# unpacked prints those and the ones that a failed installation left half way.
unpacked() { dpkg-query -W -f='${db:Status-Status} ${binary:Package}\n' | sed '/^not-installed /d; /^config-files /d; s/^[^ ]* //' | sort; }

# disable_new disables what the packages that came since "before" have enabled.
disable_new() {
	unpacked >"$work/packages.after"
	enabled_links >"$work/links.after"
	comm -13 "$work/packages.before" "$work/packages.after" >"$work/packages.new"
	while read -r package; do dpkg -L "$package" 2>/dev/null || true; done \
		<"$work/packages.new" >"$work/files.new"

	comm -13 "$work/links.before" "$work/links.after" | while read -r link; do
		unit=$(basename "$(readlink "$link")")
		if grep -q "/systemd/[a-z]*/$unit\$" "$work/files.new"; then
			rm -f "$link"
			rmdir "$(dirname "$link")" 2>/dev/null || true # only if nothing else is in it
		fi
	done

	sed -n 's|^/etc/init\.d/||p' "$work/files.new" | while read -r script; do
		update-rc.d "$script" disable >/dev/null 2>&1 || true
	done

	if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
}

# undo is the trap: whatever happened, no policy of ours and no service stays.
undo() {
	status=$?
	trap '' HUP INT TERM
	if [ -e "$work/links.before" ]; then disable_new; fi
	allow_starts
	allow_clusters
	rm -rf "$work"
	exit "$status"
}

# apt_install PACKAGE... : installs them; needs root.
apt_install() {
	export DEBIAN_FRONTEND=noninteractive
	export NEEDRESTART_SUSPEND=1 # else Ubuntu's needrestart may restart services
	exec 9</var/lib/dpkg
	session=''
	flock 9 # one of these at a time: the policy is put back by who set it aside
	work=$(mktemp -d)
	trap undo EXIT
	trap 'exit 130' HUP INT TERM

	if ! apt_get update >"$work/log" 2>&1; then
		tail -n 3 "$work/log" >&2
		say "install: apt-get update failed; trying with the package lists at hand"
	fi
	if ! packaged chromium; then # Ubuntu has it as a snap only
		# shellcheck disable=SC2046 # a list of names
		set -- $(for package; do [ "$package" = chromium ] || echo "$package"; done)
		if [ $# = 0 ]; then return; fi
	fi
	say "install: $(apt_get --assume-no install "$@" 2>/dev/null | sed -n 's/^Need to get \(.*\) of archives.*/\1 to download;/p') this can take some minutes"
	if ! apt_get --yes --download-only install "$@" >"$work/log" 2>&1; then
		grep '^E:\|Depends' "$work/log" >&2 || tail -n 5 "$work/log" >&2
		fail "apt-get cannot get $*, see above"
	fi

	installed >"$work/packages.before"
	enabled_links >"$work/links.before"
	deny_starts
	case " $* " in *' postgresql '*) deny_clusters ;; esac
	# dpkg stopped half way leaves a broken system, so this half minute cannot be
	# interrupted: apt-get takes the default signals back, hence a session of its own.
	trap '' HUP INT TERM
	session='setsid -w'
	if ! apt_get --yes install "$@" >"$work/log" 2>&1; then
		tail -n 30 "$work/log" >&2
		fail "apt-get install $* failed, see above"
	fi
}

apt_get() {
	$session apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 --no-install-recommends "$@" </dev/null 9>&-
}

# packaged NAME: the distribution has such a package.
packaged() { apt-cache policy "$1" | grep -q 'Candidate: [^(]'; }

# lists_here: apt-get update has run here, so that packaged is to be believed.
lists_here() { ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; }

# as_root PACKAGE... : runs apt_install with the rights it needs.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		sh "$0" --apt "$@"
	elif ! have sudo; then
		fail "missing: $missing; as root run: apt-get install --no-install-recommends $*"
	elif [ -t 0 ] || sudo -n true 2>/dev/null; then
		sudo -- sh "$0" --apt "$@"
	else
		fail "missing: $missing; sudo wants a password and there is no terminal; as root run: apt-get install --no-install-recommends $*"
	fi
}

# debian_packages prints the packages of the missing tools.
debian_packages() {
	for tool in $missing; do
		case $tool in
		browser) if packaged chromium || ! lists_here; then echo chromium; fi ;;
		celery) echo python3-celery python3-redis ;;
		c-compiler) echo gcc libc6-dev ;;
		*) echo "$tool" ;;
		esac
	done
}

# ---- the rest ---------------------------------------------------------------

# brew_packages prints the formulae of the missing tools. Homebrew starts no
# service unless told to.
brew_packages() {
	for tool in $missing; do
		case $tool in
		redis-server) echo redis ;;
		rabbitmq-server) echo rabbitmq ;;
		prometheus | git | postgresql) echo "$tool" ;;
		esac
	done
}

# list_missing sets missing, and required: those without which we stop.
list_missing() {
	missing=''
	required=''
	for tool in $tools; do
		present "$tool" || {
			missing="$missing $tool"
			case $tool in browser | celery) ;; *) required="$required $tool" ;; esac
		}
	done
	missing=${missing# }
	required=${required# }
}

tools='git redis-server rabbitmq-server postgresql strace prometheus celery'
case ${1:-} in
--apt)
	shift
	apt_install "$@"
	exit
	;;
--missing)
	tools="$tools c-compiler browser"
	list_missing
	say "$missing"
	exit
	;;
lab) ;;
test) tools="$tools c-compiler browser" ;;
*)
	say "usage: deploy/install.sh lab|test|--missing" >&2
	exit 64
	;;
esac

list_missing
if [ -z "$missing" ]; then exit 0; fi

if have apt-get && have dpkg-query; then
	packages=$(debian_packages | tr '\n' ' ')
	packages=${packages% }
	if [ -n "$packages" ]; then
		say "install: missing: $missing; installing with apt-get: $packages"
		# shellcheck disable=SC2086 # a list of names
		as_root $packages
	fi
elif [ "$(uname -s)" = Darwin ] && have brew; then
	packages=$(brew_packages | tr '\n' ' ')
	packages=${packages% }
	if [ -n "$packages" ]; then
		say "install: missing: $missing; installing with brew: $packages"
		# shellcheck disable=SC2086 # a list of names
		brew install $packages
	fi
elif [ -n "$required" ]; then
	fail "missing: $missing; no apt-get and no brew here: install them your way (or point ACKLAB_REDIS_SERVER, ACKLAB_RABBITMQ_HOME, ACKLAB_POSTGRES_HOME and ACKLAB_PROMETHEUS to them) and run make again"
fi

list_missing
if [ -n "$required" ]; then fail "still missing after the installation: $required"; fi
case " $missing " in *' browser '*)
	say "install: no browser found and no package of one here; the test of the web page will be skipped (Google Chrome or Chromium would run it)" ;;
esac
case " $missing " in *' celery '*)
	say "install: no Python with Celery found and no package of it here; what runs Celery's own worker will be skipped (python3 -m pip install celery redis, and ACKLAB_PYTHON for that python3, would run it)" ;;
esac
