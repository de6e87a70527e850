# What is alive when the machine goes down; the center does not come back by itself.
. "$(dirname "$0")/lib.sh"
cronfleet job create --json --group machine --all-agents --run-as app --name keeper --daemon --processes 3 -- /bin/sleep 86402 >/dev/null
job interrupted -- /bin/sleep 1000
job pulse --cron '@every 1s' --overlap allow --start-deadline 1s -- /bin/true
check 'three daemons run' within 60 has_daemons keeper 3
start interrupted >/opt/test/interrupted
check 'a run goes on' within 30 is_running "$(cat /opt/test/interrupted)"
systemctl disable cronfleet-center
# Runs are planned 15 s ahead: what is due later finds no center.
echo $(($(date +%s) + 25)) >/opt/test/unplanned-from
sync
