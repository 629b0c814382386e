#!/usr/bin/env bash
# A real SLURM on this one machine, to try profiles/slurm on: partitions cpu and gpu, two made-up GPUs, no accounting.
#
#   sudo tests/slurm/cluster.sh install   # Debian's slurmctld, slurmd and munge
#   sudo tests/slurm/cluster.sh start     # writes /etc/slurm, never over a cluster's own; starts the three of them
#   sudo tests/slurm/cluster.sh stop      # stops what it started and removes what it wrote
#
# It needs root and no systemd. `restart-slurmd` kills the node's daemon and starts it again, for tests.
set -euo pipefail

OURS="# pinch: a cluster on one machine, written by tests/slurm/cluster.sh"
STATE=${PINCH_SLURM_STATE:-/var/tmp/pinch-slurm}
CONF=/etc/slurm
HOST=$(hostname -s)

die() { echo "cluster.sh: $*" >&2; exit 1; }
# Of what this script started, and of nothing else.
alive() { [ -s "$STATE/$1.pid" ] && kill -0 "$(cat "$STATE/$1.pid")" 2>/dev/null; }

wait_for() { # what, then a command that succeeds once it is there
  local what=$1; shift
  for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done
  tail -n 5 "$STATE"/*.log >&2 || true
  ps -eo pid,stat,args | grep -E "[s]lurm|[m]unge" >&2 || true
  die "$what did not come up within a minute"
}

install() {
  command -v slurmctld slurmd munged sbatch srun squeue >/dev/null && return
  apt-get update -qq
  # Debian starts no daemon by itself where there is no systemd, and the tests start their own.
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge
}

configure() {
  mkdir -p "$CONF"
  for file in slurm.conf gres.conf; do
    [ ! -e "$CONF/$file" ] || grep -qxF "$OURS" "$CONF/$file" || die "$CONF/$file is another cluster's; nothing was changed"
  done
  local cpus memory
  cpus=$(nproc)
  memory=$(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
  # More CPUs and memory than there are, so that jobs of the size that the profile asks for find a place on a laptop.
  cat >"$CONF/slurm.conf" <<CONFIG
$OURS
ClusterName=pinch
SlurmctldHost=$HOST(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$STATE/ctld
SlurmdSpoolDir=$STATE/slurmd
SlurmctldPidFile=$STATE/slurmctld.pid
SlurmdPidFile=$STATE/slurmd.pid
SlurmctldLogFile=$STATE/slurmctld.log
SlurmdLogFile=$STATE/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SlurmdTimeout=10
KillWait=10
MinJobAge=600
GresTypes=gpu
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=$((cpus * 4)) RealMemory=$((memory * 8)) Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes=$HOST Default=YES MaxTime=1-00:00:00 State=UP
PartitionName=gpu Nodes=$HOST MaxTime=1-00:00:00 State=UP
CONFIG
  # GPUs that are none: SLURM counts and hands them out as it would real ones.
  printf '%s\nNodeName=%s Name=gpu File=/dev/full\nNodeName=%s Name=gpu File=/dev/zero\n' "$OURS" "$HOST" "$HOST" >"$CONF/gres.conf"
}

start_munge() {
  # A key and a socket of the machine's own, where munge does not run already.
  munge -n </dev/null >/dev/null 2>&1 && return
  [ -s /etc/munge/munge.key ] || mungekey
  mkdir -p /run/munge /var/log/munge /var/lib/munge
  chown munge: /run/munge /var/log/munge /var/lib/munge
  chmod 755 /run/munge
  runuser -u munge -- munged --pid-file "/run/munge/munged.pid"
  wait_for munge munge -n
  cp /run/munge/munged.pid "$STATE/munged.pid"
}

start_slurmd() {
  slurmd
  # Not the state of the node, which is none of the usual while a job of before is being ended.
  wait_for slurmd sh -c "scontrol show slurmd 2>/dev/null | grep -q 'Slurmd PID'"
}

start() {
  command -v slurmctld slurmd munged >/dev/null || die "SLURM is not installed; run: $0 install"
  configure
  mkdir -p "$STATE/ctld" "$STATE/slurmd"
  start_munge
  alive slurmctld || slurmctld
  wait_for slurmctld scontrol ping
  alive slurmd || start_slurmd
  sinfo
}

stop_one() {
  alive "$1" || return 0
  local pid
  pid=$(cat "$STATE/$1.pid")
  kill "$pid" 2>/dev/null || true
  for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.2; done
  kill -9 "$pid" 2>/dev/null || true
}

stop() {
  [ -d "$STATE" ] || return 0
  if alive slurmctld; then
    scancel --user="$(id -un)" 2>/dev/null || true
    for _ in $(seq 60); do [ -z "$(squeue --noheader 2>/dev/null)" ] && break; sleep 0.5; done
  fi
  stop_one slurmd
  stop_one slurmctld
  stop_one munged
  pkill -f "slurmstepd: \[" 2>/dev/null || true
  for file in slurm.conf gres.conf; do
    if grep -qsxF "$OURS" "$CONF/$file"; then rm "$CONF/$file"; fi
  done
  rm -rf "$STATE"
}

restart_slurmd() {
  alive slurmd || die "slurmd does not run"
  kill -9 "$(cat "$STATE/slurmd.pid")"
  sleep "${1:-1}"
  start_slurmd
}

case ${1:-} in
  install) install ;;
  start) start ;;
  stop) stop ;;
  restart-slurmd) restart_slurmd "${2:-1}" ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
