#!/bin/sh
# Install AWS's Systems Manager agent from the region's own bucket. Usage: calldata-ssm-agent REGION
# Without the agent nobody gets in to see why, but what the machine is for may still work: no failure fails the boot.
# TLS vouches for the package. AWS signs it besides, with a key that it replaces every few years: a copy of the key here
# would one day lock us out of every new machine.
# Source: AWS Systems Manager User Guide, "Manually installing SSM Agent on Debian Server instances".
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
url="https://s3.$1.amazonaws.com/amazon-ssm-$1/latest/debian_amd64/amazon-ssm-agent.deb"
for try in 1 2 3 4 5 6 7 8 9 10; do
  curl -fsSL --retry 3 --connect-timeout 10 --max-time 120 -o "$dir/agent.deb" "$url"
  result=$?
  # 22: the bucket answered, and will not answer otherwise.
  [ "$result" -ne 22 ] || break
  if [ "$result" -eq 0 ] && dpkg --install "$dir/agent.deb" && systemctl enable --now amazon-ssm-agent; then
    exit 0
  fi
  echo "calldata-ssm-agent: try $try failed"
  sleep 10
done
echo "calldata-ssm-agent: the agent is not installed; the machine goes on without it" >&2
exit 0
