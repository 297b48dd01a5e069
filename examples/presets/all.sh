#!/bin/sh
# Runs the demos of the presets one after the other. Exits non-zero if anything is not as it should be.
set -eu
for preset in parallel-dev orchestrator production; do
  printf '\n== %s ==\n' "$preset"
  sh "$(dirname "$0")/$preset.sh"
done
