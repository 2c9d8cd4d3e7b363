#!/bin/sh
# The machines of the stack that this file is named after, for Ansible: ansible-inventory -i inventories/dev -i inventories/dev.sh
# CALLDATA_OUTPUTS names a file with the stack's outputs; without it Pulumi is asked.
set -eu
stack=$(basename "$0" .sh)
if [ -n "${CALLDATA_OUTPUTS:-}" ]; then
  set -- --outputs "$(realpath "$CALLDATA_OUTPUTS")" "$@"
fi
cd "$(dirname "$0")/../.."
PATH=$PATH:$PWD/bin
exec calldata inventory "$stack" "$@"
