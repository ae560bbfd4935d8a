# What the launchers of this folder share. Each one is the single place that knows how its server is started, for tests,
# demo and bench:
#
#   scripts/servers/NAME DIRECTORY PORT[,PORT,PORT] [MORE...]
#
# It writes what the server needs below DIRECTORY, which is the caller's, and becomes the server: its process id is the
# server's, for whoever kills, freezes or ends it. Started again with the same directory, the server has what it had
# stored. The ports are free ones of 127.0.0.1; clients come to the first. MORE is the server's own configuration, as the
# launcher says; it wins over the launcher's. The first line that it prints is "URL WORDS": the server takes messages once
# WORDS come in what follows.
#
#   scripts/servers/NAME --check
#
# Answers 0 when all that it needs is installed, else 69 and says what is not.
set -euo pipefail

directory=${1:?"a directory, or --check"}
IFS=, read -r port second_port third_port <<<"${2:-}"
shift $(($# < 2 ? $# : 2))
PATH=$PATH:/usr/sbin # where Debian has servers

need() { # need PROGRAM...: before anything else
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null && continue
    echo "$program is not there: scripts/setup installs it" >&2
    exit 69
  done
  [[ $directory != --check ]] || exit 0
  cd "$directory"
}

# Some refuse to run as root. Who changes the user loses the signal that ends it with its parent, so it is set again.
as_server=() # in front of their commands
run_as_postgres() { # run_as_postgres SIGNAL: what root starts here becomes the user postgres
  [[ $(id -u) == 0 ]] || return 0
  chown postgres:postgres "$directory"
  as_server=(setpriv --reuid=postgres --regid=postgres --init-groups "--pdeathsig=$1")
}
