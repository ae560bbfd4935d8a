#!/bin/bash
# What is shipped cannot be told to die. crash_points_test.sh ON|OFF PROGRAM OBJECT;OBJECT...
set -uo pipefail
labels='settle\.before|submit\.after|OUTBOXD_CRASH_AT'

holds() { # holds FILE: whether its text names a crash point; ends the test when the file cannot be read
  grep -aqE "$labels" "$1"
  case $? in 0) return 0 ;; 1) return 1 ;; *) exit 2 ;; esac
}

fail() {
  echo "$1"
  exit 1
}

IFS=';' read -ra objects <<<"$3"
[[ ${#objects[@]} -gt 1 ]] || fail "no objects to look into"
for object in "${objects[@]}"; do
  holds "$object" && fail "$object holds crash points although it was compiled without them"
done
if [[ $1 == ON ]]; then
  holds "$2" || fail "$2 should have crash points: this test looks for the wrong words"
else
  holds "$2" && fail "$2 has crash points"
fi
echo "no crash points where there should be none"
