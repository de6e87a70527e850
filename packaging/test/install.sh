# What docs/operations.md says for a new machine, step by step.
. "$(dirname "$0")/lib.sh"
password='a sentence for test machines only'

useradd --create-home app
install -m 644 "$(dirname "$0")"/../systemd/*.service /etc/systemd/system/
mkdir -p /etc/cronfleet
install -m 644 "$(dirname "$0")"/../agent-policy.toml /etc/cronfleet/
systemctl daemon-reload
check 'systemd finds nothing wrong with the units' systemd-analyze verify /etc/systemd/system/cronfleet-{center,agent}.service

check 'the center starts' systemctl enable --now cronfleet-center
code=$(journalctl -u cronfleet-center -o cat --no-pager | grep -oE '[A-Z0-9]{4}(-[A-Z0-9]{4})+' | tail -1)
echo "$password" | cronfleet setup --code "$code" --login admin --password-stdin
cronfleet group create machine --run-as app
token=$(cronfleet agent token --group machine --preapproved --json | jq -r .token)
cronfleet agent join --data-dir /var/lib/cronfleet/agent --center 127.0.0.1:8781 --token "$token"
check 'the agent starts' systemctl enable --now cronfleet-agent
check 'the agent is online' within 60 is_online
cronfleet agent show "$(hostname)"
check 'the doctor finds nothing that fails' cronfleet agent doctor

in_group=$(sed -n 's/^0:://p' "/proc/$(systemctl show -P MainPID cronfleet-agent)/cgroup")
if [ "$(systemctl --version | awk 'NR == 1 { print $2 }')" -ge 254 ]; then
    same 'the agent is in a subgroup' "$in_group" /system.slice/cronfleet-agent.service/agent
fi
exposure=$(systemd-analyze security --no-pager cronfleet-center | sed -n 's/.*cronfleet-center.service: \([0-9.]*\).*/\1/p')
check "the center's exposure, $exposure of 10, is at most 1.5" awk "BEGIN { exit !($exposure <= 1.5) }"
same 'log lines tell the journal their priority' \
    "$(journalctl -u cronfleet-agent -o json --no-pager | jq -r 'select(.MESSAGE | test("agent is up")).PRIORITY' | tail -1)" 6
