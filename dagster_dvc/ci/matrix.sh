#!/usr/bin/env bash
# Runs the package's tests against versions of DVC and Dagster, each pair in an environment of its
# own below the folder given.
#
#   ci/matrix.sh                          what the package declares, in .matrix
#   ci/matrix.sh DIR 3.50.0 1.12.0        another pair (dvc, dagster), in DIR
#   PYTEST_ARGS="-k status" ci/matrix.sh  some tests
set -euo pipefail
package=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-"$package/.matrix"}; mkdir -p "$folder"; folder=$(cd "$folder" && pwd)
pairs=("3.50.0 1.12.0" "3.67.1 1.13.27")
[ $# -lt 3 ] || pairs=("$2 $3")
export DVC_NO_ANALYTICS=1 DAGSTER_DISABLE_TELEMETRY=1
failed=()
for pair in "${pairs[@]}"; do
  read -r dvc dagster <<<"$pair"
  env="$folder/dvc-$dvc-dagster-$dagster"
  echo "== dvc $dvc, dagster $dagster"
  if [ ! -e "$env/.complete" ]; then
    "${PYTHON:-python3}" -m venv "$env"
    sources=$(mktemp -d) # building leaves files beside what is built
    cp -r "$package"/{*.py,private,running,py.typed,pyproject.toml,README.md} "$sources"
    "$env/bin/python" -m pip install --quiet --disable-pip-version-check \
      "dvc==$dvc" "dagster==$dagster" -c "$package/ci/constraints.txt" "$sources[parquet,test]"
    "$env/bin/python" -m pip uninstall --quiet --yes dagster-dvc
    rm -r "$sources"
    touch "$env/.complete"
  fi
  # The sources beside the tests are what is tested, not what was installed.
  (cd "$package" && PATH="$env/bin:$PATH" PYTHONPATH="$package/.." \
    "$env/bin/python" -m pytest -q -p no:cacheprovider ${PYTEST_ARGS:-}) || failed+=("$pair")
done
[ ${#failed[@]} -eq 0 ] || { printf 'failed: dvc %s\n' "${failed[@]}"; exit 1; }
echo "all passed"
