# Sourced by the scripts beside it: finds a Python, and keeps a virtual environment of one's own
# that is made once and renewed when what it was made from has changed.
#
#     ROOT                           the checkout
#     say WORDS...                   tells what is being done
#     fail WORDS...                  tells why it cannot be done, and ends
#     make_environment FOLDER        a virtual environment, empty if it is new
#     once FOLDER FUNCTION SOURCES...   installs into it by FUNCTION, unless that was done already
#                                    and nothing in SOURCES or the build's files has changed
#     pip_install FOLDER WHAT...     for use in FUNCTION; says what pip is at
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
unset PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE # each start would compile all anew

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
  for candidate in python3.11 python3.12 python3.13 python3.14 python3.15 python3; do
    if command -v "$candidate" > /dev/null && is_new_enough "$candidate"; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail "needs Python 3.11 or newer; install it (Debian: apt-get install python3.11-dev" \
    "python3.11-venv), or name one by PYTHON=/path/to/python"
}

have_compiler() {
  local candidate
  for candidate in "${CXX:-}" c++ g++ clang++; do
    if [[ -n $candidate ]] && command -v "${candidate%% *}" > /dev/null; then return; fi
  done
  return 1
}

# All that an interpreter lacks, said at once.
need() {
  local python=$1 lacks=() packages=()
  "$python" -c 'import sys; sys.exit(sys.maxsize < 2**32)' ||
    fail "needs a 64-bit system, and $python is a program of 32 bits; on a Raspberry Pi, install" \
      "the 64-bit Raspberry Pi OS"
  if ! have_compiler; then
    lacks+=("a C++17 compiler") packages+=(g++)
  fi
  if ! "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.isfile(os.path.join(sysconfig.get_path("include"), "Python.h")))'; then
    lacks+=("the C headers of $python") packages+=(python3-dev)
  fi
  if ! "$python" -c 'import ensurepip, venv' 2> /dev/null; then
    lacks+=("the module venv of $python") packages+=(python3-venv)
  fi
  if ((${#lacks[@]})); then
    lacks=("${lacks[@]/%/,}")
    fail "needs ${lacks[*]} which this machine lacks; Debian and Raspberry Pi OS:" \
      "sudo apt install ${packages[*]}"
  fi
}

# What tells one interpreter from another.
describe_python() { "$1" -c 'import sys; print(sys.version, sys.base_prefix)'; }

make_environment() {
  local folder=$1 python
  python=$(find_python) || exit 1
  need "$python"
  if [[ -x $folder/bin/python ]] &&
    [[ $(describe_python "$folder/bin/python" 2>&1) == "$(describe_python "$python")" ]]; then
    return
  fi
  say "making the virtual environment ${folder#"$ROOT"/} with $("$python" --version)"
  rm -rf "$folder"
  if ! "$python" -m venv "$folder"; then
    rm -rf "$folder"
    fail "$python cannot make a virtual environment, see above"
  fi
}

pip_install() {
  local log
  log=$(mktemp "$1/pip.XXXXXX") # two may be at work
  "$1/bin/python" -m pip install --disable-pip-version-check --progress-bar off "${@:2}" 2>&1 |
    tee "$log" | show_pip || {
    cat "$log" >&2
    fail "pip install failed, see above"
  }
  rm "$log"
}

PATIENCE_S=10

# Of pip's lines what a person wants to know, and a sign of life when nothing else comes.
show_pip() {
  local line doing='' since=$SECONDS
  while true; do
    if read -r -t "$PATIENCE_S" line; then
      case $line in
        Collecting\ *) line=${line#* } doing="fetching ${line%% (*}" ;;
        Installing\ build\ *started) doing="fetching what it takes to build" ;;
        Building\ *started) doing="compiling ftdist" ;;
        Installing\ collected*) doing="unpacking" ;;
        *) continue ;;
      esac
      since=$SECONDS
      printf '   %s\n' "$doing"
    elif (($? > 128)); then
      printf '   still %s, %d s\n' "${doing:-at it}" $((SECONDS - since))
    else
      return 0
    fi
  done
}

# A fingerprint of the sources of an installation and of how it is made.
fingerprint() {
  declare -f "$1"
  find pyproject.toml CMakeLists.txt "${@:2}" -type f ! -name '*.pyc' ! -name '*.so' -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum
}

once() {
  local folder=$1 wanted
  wanted=$(cd "$ROOT" && fingerprint "${@:2}")
  local done=$folder/done-$2
  if [[ -f $done && $(< "$done") == "$wanted" ]]; then return; fi
  rm -f "$done"
  "$2"
  printf '%s\n' "$wanted" > "$done"
}
