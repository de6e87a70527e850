# Limits hold, and running out of memory is told apart. Needs the controllers of version 2.
. "$(dirname "$0")/lib.sh"
controllers=$(cronfleet agent ls --json | jq -r '.items[0].cgroups.controllers | join(" ")')
if [ -z "$controllers" ]; then
    echo 'skip  the kernel gives no controllers to version 2'
    exit 0
fi
same 'controllers' "$controllers" 'memory cpu pids'

job hog --memory-max 32MiB -- /bin/sh -c 'x=$(head -c 100M /dev/zero | tr "\0" x)'
run=$(start hog)
same 'too much memory' "$(ends "$run" 120)" 'failed oom_killed'
job small-hog --memory-max 32MiB -- /bin/sh -c '(x=$(head -c 100M /dev/zero | tr "\0" x)); exit 3'
run=$(start small-hog)
same 'too much memory of a child' "$(ends "$run" 120)" 'failed oom_killed 3'

job forks --pids-max 20 -- /bin/sh -c 'for i in $(seq 100); do sleep 100 & done; wait'
run=$(start forks)
same 'too many processes' "$(ends "$run" 60)" 'failed 2'
same 'processes that were killed, and left' "$(field "$run" '.cleanup | "\(.found) \(.left)"')" '19 0'

job spin --cpu-max 0.2 --timeout 10s --stop-grace 1s -- /bin/sh -c 'while :; do :; done'
run=$(start spin)
same 'a spinning command' "$(ends "$run" 60)" 'timed_out'
used=$(field "$run" '(.user_time_us + .system_time_us) * 100 / .duration_us | floor')
check "it got $used % of a processor, at most 25 %" test "$used" -le 25

job look --memory-max 256MiB --script-file - <<'S'
own=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
echo "$(cat $own/memory.max) $(cat /proc/self/oom_score_adj) $(cat /proc/$PPID/oom_score_adj)"
S
run=$(start look)
same 'it ends' "$(ends "$run" 60)" 'succeeded 0'
same 'a command sees its limit; it goes before its shim when memory is short' "$(cronfleet run output "$run")" '268435456 0 -900'
same 'and before the agent' "$(cat "/proc/$(systemctl show -P MainPID cronfleet-agent)/oom_score_adj")" -900

cronfleet job create --json --group machine --all-agents --run-as app --name daemon-hog --daemon --memory-max 32MiB --restart never \
    -- /bin/sh -c 'x=$(head -c 100M /dev/zero | tr "\0" x)' >/dev/null
is_oom_killed() { [ "$(cronfleet slot processes daemon-hog --json | jq -r '.items[0].reason')" = oom_killed ]; }
check 'a daemon without memory says so' within 120 is_oom_killed
cronfleet job delete daemon-hog --yes
