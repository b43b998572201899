#!/bin/bash
# Compares what procmon records of jobs with what Slurm accounts for them, on a
# private Slurm with slurmdbd and MariaDB. As root; half a minute.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

[ "$(id -u)" = 0 ] || { echo "procmon: only root can start a Slurm that runs jobs of other users" >&2; exit 1; }
scripts/deps.sh gcc slurm python3 slurmdbd
PROCMON_TEST_SLURMDBD=1 "$GO" test -count=1 -timeout 10m -v -run '^TestIntegrationSlurmAccounting$' ./integration
