# A kill leaves nobody.
. "$(dirname "$0")/lib.sh"

job tree --stop-grace 2s --script-file - <<'S'
trap '' TERM
for i in $(seq 66); do
    (setsid sleep 1000 &)
    (sleep 1000 &)
    sleep 1000 &
    kill -STOP $!
done
sleep 1000
S
run=$(start tree)
check 'there are 200 processes' within 120 has_members 200
begun=$(date +%s%N)
cronfleet run kill "$run" >/dev/null
check 'none of them is left' within 30 has_no_members
took=$((($(date +%s%N) - begun) / 1000000))
same 'the run' "$(ends "$run" 30)" killed
same 'found, left, means' "$(field "$run" '.cleanup | "\(.found) \(.left) \(.kill_means) \(.stop_signal)"')" '199 0 control_group TERM'
check "all were gone $took ms after the kill, with a grace of 2 s" test "$took" -le "${KILL_MS_MAX:-3000}"

job frozen --stop-grace 1s -- /bin/sh -c 'trap "" TERM; sleep 1000'
run=$(start frozen)
check 'a deaf command runs' within 30 is_running "$run"
for file in "$group"/cronfleet-*/*/cgroup.freeze; do echo 1 >"$file"; done
cronfleet run kill "$run" >/dev/null
same 'a frozen command' "$(ends "$run" 30)" killed
check 'nobody is left' within 10 has_no_members

job leaver --stragglers leave -- /bin/sh -c 'setsid sleep 4711 & exit 0'
run=$(start leaver)
same 'a command that leaves somebody behind' "$(ends "$run" 30)" 'succeeded 0'
check 'who lives on' pgrep -f 'sleep 4711'
pkill -f 'sleep 4711'
job no-leaver -- /bin/sh -c 'setsid sleep 4712 & exit 0'
run=$(start no-leaver)
same 'one that may not' "$(ends "$run" 30)" 'succeeded 0'
check 'whose child is gone' within 5 eval '! pgrep -f "sleep 4712" >/dev/null'
