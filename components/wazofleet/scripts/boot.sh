#!/bin/bash
# Make a new machine of a fleet ready for calls, and tell Auto Scaling how that ended: CONTINUE, or ABANDON and have another
# one launched. It may be run again by hand. Settings: /etc/calldata/boot.env. Log: /var/log/calldata/boot.log, and the
# machine's console, which outlives it.
# CALLDATA_ROOT goes before the paths of the system; for tests.
# shellcheck disable=SC2317,SC2153 # functions are called by way of retry and trap; boot.env sets the settings
set -uo pipefail
root=${CALLDATA_ROOT:-}
# shellcheck source=/dev/null
. "$root/etc/calldata/boot.env"

export DEBIAN_FRONTEND=noninteractive HOME=${HOME:-/root} LC_ALL=C.UTF-8 TZ=UTC
# The command line keeps a list of authorities of its own beside the system's.
export AWS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt AWS_PAGER='' AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=5

instance='' region='' public_ip='' beat='' service=''
deadline=$((SECONDS + CALLDATA_BOOT_SECONDS))

say() { printf '%(%FT%TZ)T calldata-boot: %s\n' -1 "$*"; }

fail() {
  say "failed: $*"
  exit 1
}

# retry TIMES COMMAND: until it succeeds, with longer and longer waits.
retry() {
  local tries=$1 wait=2
  shift
  until "$@"; do
    tries=$((tries - 1))
    ((tries > 0 && SECONDS < deadline)) || return 1
    say "$1 did not succeed, trying again"
    sleep "$wait"
    wait=$((wait < 30 ? wait * 2 : 30))
  done
}

# Source: Amazon EC2 User Guide, "Use the Instance Metadata Service to access instance metadata".
metadata() {
  local token
  token=$(curl -fsS --noproxy '*' --max-time 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' http://169.254.169.254/latest/api/token) &&
    curl -fsS --noproxy '*' --max-time 5 -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/meta-data/$1"
}

identify() {
  instance=$(metadata instance-id) && region=$(metadata placement/region) && zone=$(metadata placement/availability-zone) && private_ip=$(metadata local-ipv4)
}

packages() {
  # An image of one's own may have them already.
  if command -v aws >/dev/null && command -v ansible-playbook >/dev/null; then return; fi
  apt-get -qq -o Acquire::Retries=3 update &&
    apt-get -qq -y -o DPkg::Lock::Timeout=300 --no-install-recommends install awscli ansible
}

lifecycle() {
  aws autoscaling "$@" --lifecycle-hook-name "$CALLDATA_HOOK" --auto-scaling-group-name "$CALLDATA_GROUP" --instance-id "$instance"
}

# heartbeats keep Auto Scaling waiting for as long as this script runs.
heartbeats() {
  while sleep 60 && kill -0 $$; do
    lifecycle record-lifecycle-action-heartbeat
  done
}

finish() {
  local code=$? result=CONTINUE
  [ "$code" -eq 0 ] || result=ABANDON
  [ -z "$beat" ] || kill "$beat"
  say "$result after $SECONDS s"
  # Whoever makes a machine in service take an address waits for the script itself.
  if [ -z "$instance" ] || [ -n "${CALLDATA_CLAIM:-}" ]; then return 0; fi
  for _ in 1 2 3 4 5; do
    if lifecycle complete-lifecycle-action --lifecycle-action-result "$result"; then return 0; fi
    sleep 5
  done
  say 'Auto Scaling did not take that: it will go by its own heartbeat'
}

# standing tells whether calls may come to this machine: "aside" where they may not yet.
standing() {
  service=$(aws ec2 describe-instances --instance-ids "$instance" --output text --query "Reservations[0].Instances[0].Tags[?Key=='Service'].Value | [0]")
}

addresses() { aws ec2 describe-addresses --output text --filters "Name=tag:Pool,Values=$CALLDATA_POOL" "${@:2}" --query "$1"; }

# claim takes a free Elastic IP of the pool. Others may be after the same one: EC2 gives it to the first, and tells the rest.
claim() {
  local address free
  claimed=$(addresses 'Addresses[].AllocationId' "Name=instance-id,Values=$instance") || return
  [ -z "$claimed" ] || return 0
  free=$(addresses 'Addresses[?!AssociationId].AllocationId') || return
  # shellcheck disable=SC2086 # a list
  for address in $(shuf --echo $free); do
    if aws ec2 associate-address --allocation-id "$address" --instance-id "$instance" --no-allow-reassociation >/dev/null; then
      claimed=$address
      return 0
    fi
  done
  say "every address of the pool $CALLDATA_POOL is taken"
  return 1
}

# EC2 takes the machine's first address away for the claimed one: for a moment it has none.
claimed_ip() { public_ip=$(aws ec2 describe-addresses --allocation-ids "$claimed" --query 'Addresses[0].PublicIp' --output text) && [[ $public_ip == *.* ]]; }

fetch() { aws s3api get-object --bucket "$CALLDATA_BUCKET" --key "$CALLDATA_KEY" "$archive" >/dev/null; }

unpack() {
  rm -rf "$content.new" && mkdir -p "$content.new" &&
    tar -xzf "$archive" --no-same-owner -C "$content.new" && rm -rf "$content" && mv "$content.new" "$content"
}

facts() {
  printf '{"calldata_instance_id":"%s","calldata_region":"%s","calldata_zone":"%s","calldata_hostname":"%s","private_ip":"%s","public_ip":"%s"}\n' \
    "$instance" "$region" "$zone" "$name" "$private_ip" "$public_ip" >"$root/etc/calldata/instance.json"
}

configure() {
  local left=$((deadline - SECONDS))
  ((left > 0)) || return 1
  cd "$content" &&
    ANSIBLE_CONFIG="$content/ansible.cfg" timeout --kill-after=30 "$left" ansible-playbook --inventory inventories/fleet \
      --extra-vars "@$root/etc/calldata/node.json" --extra-vars "@$root/etc/calldata/instance.json" "$CALLDATA_PLAYBOOK"
}

boot() {
  trap finish EXIT
  retry 8 identify || fail 'the metadata service does not answer'
  export AWS_DEFAULT_REGION=$region
  name=$CALLDATA_GROUP-${instance#i-}
  say "$name in $zone"
  hostnamectl set-hostname "$name" || fail 'the host name cannot be set'
  retry 8 packages || fail 'the packages cannot be installed'
  # It must not hold the log open: the pipe ends with the script.
  heartbeats >/dev/null 2>&1 &
  beat=$!

  # Phones are sent to the addresses of the pool. A machine that is to stand aside takes none before somebody tells it to:
  # CALLDATA_CLAIM=yes calldata-boot
  if [ -n "$CALLDATA_POOL" ] && [ -z "${CALLDATA_CLAIM:-}" ]; then
    retry 8 standing || fail 'EC2 does not tell whether calls may come to this machine'
  fi
  if [ -n "$CALLDATA_POOL" ] && [ "$service" != aside ]; then
    retry 1000 claim || fail 'there is no address for this machine'
    retry 1000 claimed_ip || fail "the address $claimed did not come"
  else
    public_ip=$(metadata public-ipv4 2>/dev/null) || public_ip=''
  fi

  content=$root/opt/calldata/$CALLDATA_SHA256 archive=$content.tar.gz
  mkdir -p "$root/opt/calldata"
  retry 8 fetch || fail "there is no s3://$CALLDATA_BUCKET/$CALLDATA_KEY for this machine"
  sha256sum --check --status <<<"$CALLDATA_SHA256  $archive" || fail "s3://$CALLDATA_BUCKET/$CALLDATA_KEY has not the hash that it is named after: nothing of it was run"
  unpack || fail 'the bundle cannot be unpacked'
  rm "$archive"
  facts || fail '/etc/calldata cannot be written'
  configure || fail "the playbook $CALLDATA_PLAYBOOK failed or took too long"
}

mkdir -p "$root/var/log/calldata"
boot 2>&1 | tee -a "$root/var/log/calldata/boot.log"
exit "${PIPESTATUS[0]}"
