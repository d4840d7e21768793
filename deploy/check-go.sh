#!/bin/sh
# Says whether the go command here can build acklab; silent when it can.
#
# The version that counts is the one that runs in this module: a go command of
# 1.21 or newer fetches the toolchain named in go.mod by itself (GOTOOLCHAIN),
# an older one cannot.
set -eu
cd "$(dirname "$0")/.."

need=$(awk '$1 == "go" { print $2; exit }' go.mod)

if ! command -v go >/dev/null 2>&1; then
	echo "acklab needs Go $need or newer and there is no go command here: get it at https://go.dev/dl, unpack it to /usr/local and put /usr/local/go/bin on your PATH" >&2
	exit 1
fi

if ! have=$(go env GOVERSION); then
	echo "acklab needs Go $need or newer; $(command -v go) is older and could not fetch it: get it at https://go.dev/dl" >&2
	exit 1
fi

# "go1.26.8", "go1.27rc1" and "go1.26.8-X:nodwarf5" are compared number by
# number; "devel ..." is somebody who builds Go and knows what they do.
case $have in
devel*) exit 0 ;;
esac
if ! awk -v have="${have#go}" -v need="$need" 'BEGIN {
	split(have, h, /[^0-9]+/); split(need, n, /[^0-9]+/)
	for (i = 1; i <= 3; i++) {
		if (h[i] + 0 > n[i] + 0) exit 0
		if (h[i] + 0 < n[i] + 0) exit 1
	}
}'; then
	echo "acklab needs Go $need or newer and $(command -v go) is ${have#go}: get a newer one at https://go.dev/dl" >&2
	exit 1
fi
