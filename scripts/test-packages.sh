#!/bin/bash
# Installs some of a distribution's scientific programs, runs them in a job of
# a private Slurm, and compares the versions in the report with those that the programs
# print. As root, on Debian and its kin; some minutes and 700 MB when they must be installed.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

[ "$(id -u)" = 0 ] || { echo "procmon: only root can start a Slurm that runs jobs of other users" >&2; exit 1; }
status=0
scripts/deps.sh gcc slurm python3 gmx samtools bwa octave-cli R mpirun.openmpi java venv || status=$?
[ "$status" != 1 ] || exit 1 # what else is missing, the test skips
"$GO" test -count=1 -timeout 10m -v -run '^TestIntegrationPackages$' ./integration
