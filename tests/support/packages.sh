# shellcheck shell=sh
# What apps/quickstart, tests/run and .ci/run have in common; they read this file with `.`.

# What the library and the program need. PACKAGE=COMMAND: a COMMAND from anywhere will do as well.
# shellcheck disable=SC2034
program_packages='g++=c++ cmake=cmake ninja-build=ninja libcli11-dev libfmt-dev libtbb-dev
  libxxhash-dev nlohmann-json3-dev zlib1g-dev'
# What tests and benchmarks need besides.
# shellcheck disable=SC2034
test_packages='catch2 libbenchmark-dev pkg-config=pkg-config'

CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
CTEST_PARALLEL_LEVEL=${CTEST_PARALLEL_LEVEL:-$(nproc)}
export CMAKE_BUILD_PARALLEL_LEVEL CTEST_PARALLEL_LEVEL

# quietly COMMAND...: shows what the command prints only if it fails, and then fails, too.
quietly() {
  quiet_log=$(mktemp)
  if "$@" >"$quiet_log" 2>&1 </dev/null; then
    rm -f "$quiet_log"
  else
    cat "$quiet_log" >&2
    rm -f "$quiet_log"
    echo "failed: $*" >&2
    return 1
  fi
}

# require_packages PACKAGE|PACKAGE=COMMAND...: installs what is missing. Where nothing is, it needs no root and no
# network.
require_packages() {
  if ! command -v apt-get >/dev/null; then
    echo 'Not Debian or Ubuntu: going on with what is installed.'
    return
  fi
  missing=
  for wanted in "$@"; do
    case $wanted in *=*) if command -v "${wanted#*=}" >/dev/null; then continue; fi ;; esac
    package=${wanted%%=*}
    if ! dpkg-query -W -f '${db:Status-Abbrev}\n' "$package" 2>/dev/null | grep -q '^.i'; then
      missing="$missing $package"
    fi
  done
  if [ -z "$missing" ]; then return; fi
  as_root="env"
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "These packages are missing:$missing" >&2
      echo 'Run this as root, or install sudo, or have somebody install them.' >&2
      return 1
    fi
    as_root='sudo env'
  fi
  echo "Installing packages:$missing"
  # shellcheck disable=SC2086 # words
  quietly $as_root apt-get update || echo 'Going on with the package lists at hand.'
  # shellcheck disable=SC2086
  quietly $as_root DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}
