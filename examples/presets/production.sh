#!/bin/sh
# The preset production: phases with budgets, automatic checkpoints, least scores, and session directories.
. "$(dirname "$0")/prepare.sh"

say 'The preset, with a least score that no episode may miss.'
expect 0 git state init --preset production
expect 0 git state session start --quality-min accuracy=8
expect 0 git state add ep_001 --name 'Black holes'
GITSTATE_WORKER=W1
export GITSTATE_WORKER
expect 0 git state claim ep_001

say 'Before an expensive call the budget is asked, after it the cost is recorded.'
expect 0 git state cost check ep_001 1.5 --step research --enforce
expect 0 git state cost add ep_001 1.5 --step research --operation search
expect 4 git state cost check ep_001 6 --step audio --enforce
expect 0 git state step done ep_001 research

say 'Files stay with the phase that made them.'
echo 'It was a dark night.' > script.md
expect 0 git state artifact put script script.md --feature ep_001
expect 0 git state step done ep_001 script
expect 0 git state step done ep_001 audio

say 'Without its least score the episode is not complete.'
expect 4 git state complete ep_001
expect 0 git state quality ep_001 accuracy=9.2
expect 0 git state complete ep_001
expect 0 git state status --check

say 'The session directory, as production knows it.'
expect 0 git state export --format production --dir sessions
cmp script.md sessions/ep_001/script/script.md || fail 'the script is not what it was'
for phase in research script audio; do
  [ -s "sessions/ep_001/$phase/checkpoint.json" ] || fail "no checkpoint of $phase"
done

echo
echo 'ok: production'
