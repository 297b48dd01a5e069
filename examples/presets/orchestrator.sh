#!/bin/sh
# The preset orchestrator: six steps, and an orchestrator that crashes and resumes at the step where it was.
. "$(dirname "$0")/prepare.sh"

say 'A session with the six steps of the orchestrator; its id has the time in it.'
expect 0 git state init --preset orchestrator
GITSTATE_SESSION=$(GITSTATE_FORCE_TTY='' git state session start)
export GITSTATE_SESSION
echo "session $GITSTATE_SESSION"
case $GITSTATE_SESSION in speckit-orch-*) ;; *) fail "an odd id: '$GITSTATE_SESSION'" ;; esac
expect 0 git state add 001 --name login

say 'It gets as far as the plan, makes a checkpoint, and crashes.'
expect 0 git state claim 001 --worker O1
expect 0 git state step done 001 specify --worker O1
expect 0 git state step done 001 clarify --worker O1
expect 0 git state checkpoint create before-plan --feature 001
expect 0 git state step fail 001 plan --error 'connection lost' --worker O1

say 'Another one goes on at the plan: finished steps stay.'
expect 0 git state claim 001 --worker O2 --force
next=$(git state show 001 --json | sed 's/.*"current_step":"\([a-z]*\)".*/\1/')
same 'the next step' "$next" plan
for step in plan tasks analyze implement; do
  expect 0 git state step done 001 "$step" --worker O2
done
expect 0 git state complete 001 --worker O2
expect 0 git state status --check

say 'What happened since the checkpoint is on record, and so is the document.'
expect 0 git state diff before-plan
expect 0 git state export --format orchestrator --output orchestrator.state.json
grep -q '"implement"' orchestrator.state.json || fail 'the document lacks a step'

echo
echo 'ok: orchestrator'
