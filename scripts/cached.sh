# What the tests fetch once, and keep below ${XDG_CACHE_HOME:-~/.cache}/outboxd. Sourced.

cached() { # cached NAME WHAT COMMAND...: prints the directory NAME; if it is not there, COMMAND fills it, given a new one
  local name=$1 what=$2 cache=${XDG_CACHE_HOME:-$HOME/.cache}/outboxd
  shift 2
  local directory=$cache/$name
  if [[ ! -d $directory ]]; then
    mkdir -p "$cache"
    exec 9>"$directory.lock"
    flock 9 # one fetcher at a time
  fi
  if [[ ! -d $directory ]]; then
    temporary=$(mktemp -d "$directory.XXXXXX")
    trap 'rm -rf "$temporary"' EXIT
    trap 'exit 130' INT TERM
    echo "Fetching $what into $directory" >&2
    mkdir "$temporary/new"
    "$@" "$temporary/new" >&2
    mv -T "$temporary/new" "$directory"
  fi
  echo "$directory"
}

jars() { # jars DIRECTORY GROUP:ARTIFACT:VERSION...: these and what they need, from Maven Central, with maven
  local directory=$1 work group artifact version
  shift
  work=$(mktemp -d "$temporary/maven.XXXXXX")
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo '<groupId>outboxd</groupId><artifactId>for-tests</artifactId><version>1</version><dependencies>'
    for word in "$@"; do
      IFS=: read -r group artifact version <<<"$word"
      echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
    done
    echo '</dependencies></project>'
  } >"$work/pom.xml"
  (cd "$work" && mvn --quiet --batch-mode dependency:copy-dependencies -DoutputDirectory="$directory")
}
