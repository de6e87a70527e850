# The center may go and come back.
. "$(dirname "$0")/lib.sh"
job tick --cron '@every 1s' --overlap allow -- /bin/true
enough() { [ "$(cronfleet run ls --job tick --json --outcome succeeded | jq '.items | length')" -ge "$1" ]; }
check 'a run each second' within 60 enough 3
cronfleet agent show "$(hostname)" >/dev/null
begun=$(date +%s%N)
systemctl stop cronfleet-center
took=$((($(date +%s%N) - begun) / 1000000))
check "the center stops within $took ms" test "$took" -le 15000
same 'and ends well' "$(systemctl show -P Result cronfleet-center)" success
systemctl start cronfleet-center
systemctl restart cronfleet-center
check 'the agent comes back' within 60 is_online
check 'runs go on' within 60 enough 20
cronfleet job pause tick
settled() { [ "$(cronfleet run ls --job tick --json | jq '[.items[] | select(.state != "ended")] | length')" = 0 ]; }
check 'all runs are over' within 60 settled
same 'due instants that became no runs' "$(cronfleet job lapses tick --json | jq '.items | length')" 0
same 'outcomes' "$(cronfleet run ls --job tick --json | jq -r '[.items[].outcome] | unique - ["skipped"] | join(" ")')" succeeded
same 'seconds without a run' "$(cronfleet run ls --job tick --json | jq -r '
    [.items[].due | sub("\\..*"; "Z") | fromdate] | sort | [., .[1:]] | transpose | map(select(.[1] != null) | .[1] - .[0]) | map(select(. != 1)) | length')" 0
