# Read by the demos beside it: a new repository that is gone at the end, and git-state as it was built.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
for variable in $(env | sed -n 's/^\(GIT[A-Z]*_[A-Z0-9_]*\)=.*/\1/p'); do unset "$variable"; done

mkdir "$folder/bin"
ln -s "$here/../../dist/git-state.cjs" "$folder/bin/git-state"
PATH=$folder/bin:$PATH
GITSTATE_FORCE_TTY=90
export PATH GITSTATE_FORCE_TTY
git init -q -b main "$folder/project"
cd "$folder/project"
git config user.name demo
git config user.email demo@example.com
git -c commit.gpgsign=false commit -q --allow-empty -m start

say() {
  printf '\n%s\n' "$1"
}

# expect STATUS COMMAND...: shows the command, and fails unless it ends with that status.
expect() {
  wanted=$1
  shift
  printf '$ %s\n' "$*"
  status=0
  "$@" 2>&1 || status=$?
  [ "$status" -eq "$wanted" ] || fail "'$*' ended with $status, not $wanted"
}

# same WHAT ACTUAL WANTED
same() {
  [ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"
}

fail() {
  printf 'the demo went wrong: %s\n' "$1" >&2
  exit 1
}
