#!/usr/bin/env bash
# Measures the paper's tables on this machine's GPU: run.sh [MINUTES] [OUT]
#
# Nothing is fetched and the machine's Python stays as it is: what it lacks lies beside this file.
# OUT holds at most 8 files under 16 MiB, each on disk as soon as it is known.
set -euo pipefail
begin=$(date +%s)
bundle=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
minutes=${1:-10}
out=${2:-$bundle/out}
python=${MPM_PYTHON:-python3}
mkdir -p "$out"
out=$(cd "$out" && pwd)

for part in source system; do
    mkdir -p "$bundle/$part"
    tar -xzf "$bundle/$part.tar.gz" -C "$bundle/$part" --no-same-owner
done

site=$bundle/site
"$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir \
    --disable-pip-version-check --upgrade --target "$site" "$bundle"/packages/*.whl

system=$bundle/system/usr
export PYTHONPATH=$bundle/source:$site PYTHONUNBUFFERED=1
export MPM_COMMIT=$(cat "$bundle/COMMIT")
export CMAKE_PREFIX_PATH=$system
export CPATH=$system/include:$system/include/$(uname -m)-linux-gnu
cd "$bundle/source"
exec "$python" -m benchmarks.gpu.launch --minutes "$minutes" --out "$out" --begin "$begin" "${@:3}"
