# Sourced by the scripts beside it: finds a Python, and keeps a virtual environment of one's own
# that is made once and renewed when what it was made from has changed.
#
#     ROOT                           the checkout
#     say WORDS...                   tells what is being done
#     fail WORDS...                  tells why it cannot be done, and ends
#     make_environment FOLDER        a virtual environment, empty if it is new
#     once FOLDER SOURCES FUNCTION   installs into it by FUNCTION, unless that was done already and
#                                    nothing in SOURCES (a folder) or the build's files has changed
#     pip_install FOLDER WHAT...     for use in FUNCTION
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
unset PYTHONPATH PYTHONHOME

say() { printf '== %s\n' "$*"; }

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

is_new_enough() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null
}

# The interpreter to use: $PYTHON if that is set, else the first that is new enough.
find_python() {
  local candidate
  if [[ -n ${PYTHON:-} ]]; then
    is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is no Python 3.11 or newer"
    printf '%s\n' "$PYTHON"
    return
  fi
  for candidate in python3.11 python3.12 python3.13 python3; do
    if command -v "$candidate" > /dev/null && is_new_enough "$candidate"; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail "needs Python 3.11 or newer; install it (Debian: apt-get install python3.11-dev" \
    "python3.11-venv), or name one by PYTHON=/path/to/python"
}

need_compiler() {
  local candidate
  for candidate in "${CXX:-}" c++ g++ clang++; do
    if [[ -n $candidate ]] && command -v "${candidate%% *}" > /dev/null; then return; fi
  done
  fail "needs a C++17 compiler; install one (Debian: apt-get install g++)"
}

need_headers() {
  "$1" -c 'import os, sys, sysconfig
sys.exit(not os.path.isfile(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
    fail "$1 has no C headers; install them (Debian: apt-get install python3-dev)"
}

# What tells one interpreter from another.
describe_python() { "$1" -c 'import sys; print(sys.version, sys.base_prefix)'; }

make_environment() {
  local folder=$1 python
  python=$(find_python) || exit 1
  need_compiler
  need_headers "$python"
  if [[ -x $folder/bin/python ]] &&
    [[ $(describe_python "$folder/bin/python" 2>&1) == "$(describe_python "$python")" ]]; then
    return
  fi
  say "making the virtual environment ${folder#"$ROOT"/} with $("$python" --version)"
  rm -rf "$folder"
  if ! "$python" -m venv "$folder"; then
    rm -rf "$folder"
    fail "$python cannot make a virtual environment; install what it lacks" \
      "(Debian: apt-get install python3-venv)"
  fi
}

pip_install() {
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check "${@:2}" ||
    fail "pip install failed, see above"
}

# A fingerprint of the sources of an installation and of how it is made.
fingerprint() {
  declare -f "$2"
  find pyproject.toml CMakeLists.txt "$1" -type f ! -name '*.pyc' ! -name '*.so' -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum
}

once() {
  local folder=$1 wanted
  wanted=$(cd "$ROOT" && fingerprint "$2" "$3")
  if [[ -f $folder/installed && $(< "$folder/installed") == "$wanted" ]]; then return; fi
  rm -f "$folder/installed"
  "$3"
  printf '%s\n' "$wanted" > "$folder/installed"
}
