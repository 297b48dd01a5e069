#!/bin/sh
# The preset parallel-dev: several workers, each with a worktree of its own; one of them dies.
. "$(dirname "$0")/prepare.sh"

say 'Three features; 003 waits for the others.'
expect 0 git state init --preset parallel-dev
expect 0 git state session start shop
expect 0 git state add 001 --name login
expect 0 git state add 002 --name cart
expect 0 git state add 003 --name checkout --needs 001,002

say 'Two workers claim at the same moment, and each gets a feature of its own.'
GITSTATE_FORCE_TTY='' git state claim --worktree --worker W1 > "$folder/W1" 2> "$folder/W1.err" &
first=$!
GITSTATE_FORCE_TTY='' git state claim --worktree --worker W2 > "$folder/W2" 2> "$folder/W2.err" &
wait "$!" || fail "W2 got nothing: $(cat "$folder/W2.err")"
wait "$first" || fail "W1 got nothing: $(cat "$folder/W1.err")"
mine=$(cut -f1 "$folder/W1")
other=$(cut -f1 "$folder/W2")
echo "W1 works on $mine, W2 on $other"
same 'what was claimed' "$(printf '%s\n' "$mine" "$other" | sort | tr '\n' ' ')" '001 002 '
expect 5 git state claim --worker W3

say 'W1 finishes inside its worktree, where no id and no token is needed.'
(cd ".worktrees/$mine" && expect 0 git state complete --summary 'all tests pass')

say 'W2 dies. Its claim is taken over, and what it still writes is refused.'
stale=$(cut -f2 "$folder/W2")
expect 0 git state claim "$other" --worker W3 --force
expect 4 git state complete "$other" --token "$stale"
expect 0 git state complete "$other" --worker W3

say 'Now the last feature is free.'
expect 0 git state claim --worker W3
expect 5 git state status --check
expect 0 git state complete 003 --worker W3
expect 0 git state status --check

say 'Programs that read the old document go on working.'
expect 0 git state export --format parallel-dev --output state.json
grep -q '"003"' state.json || fail 'the document lacks a feature'
expect 0 git state session complete

echo
echo 'ok: parallel-dev'
