# Daemons come back without the center; what was interrupted is on record.
. "$(dirname "$0")/lib.sh"
same 'the center' "$(systemctl is-active cronfleet-center)" inactive
check 'three daemons are back' within 120 eval '[ "$(pgrep -u app -c -f "sleep 86402")" = 3 ]'
check 'the agent says so' within 30 eval 'cronfleet agent status | grep -q "3 of 3 running"'
check 'orders for more than it holds are due' within 60 eval '[ "$(date +%s)" -gt "$(cat /opt/test/unplanned-from)" ]'
check 'the center starts' systemctl enable --now cronfleet-center
check 'the agent is online' within 60 is_online
same 'the interrupted run' "$(ends "$(cat /opt/test/interrupted)" 60)" 'lost host_rebooted'
lapsed() { [ "$(cronfleet job lapses pulse --json | jq '.items | length')" -ge 1 ]; }
check 'seconds without a center are on record' within 60 lapsed
cronfleet job lapses pulse
cronfleet run ls --job pulse --json | jq -c '[.items[] | "\(.outcome) \(.reason)"] | group_by(.) | map({(.[0]): length}) | add'
cronfleet job pause pulse
cronfleet run ls --job pulse --json --limit 500 >/opt/test/pulse-runs
cronfleet job lapses pulse --json >/opt/test/pulse-lapses
same 'seconds that are neither a run nor on record' "$(jq -s '
    def seconds: sub("\\..*"; "Z") | fromdate;
    [(.[0].items[].due | seconds), (.[1].items[] | range(.due_from | seconds; (.due_to | seconds) + 1))]
    | unique | [., .[1:]] | transpose | map(select(.[1] != null and .[1] - .[0] != 1)) | length' /opt/test/pulse-runs /opt/test/pulse-lapses)" 0
cronfleet job delete pulse --yes
cronfleet job delete keeper --yes
check 'nobody is left' within 60 has_no_members
