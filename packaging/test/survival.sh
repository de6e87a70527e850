# Processes outlive their agent, however it goes, and what ended meanwhile is known.
. "$(dirname "$0")/lib.sh"

cronfleet job create --json --group machine --all-agents --run-as app --name steady --daemon --processes 10 \
    -- /bin/sh -c 'n=0; while :; do n=$((n + 1)); echo "$n"; sleep 1; done' >/dev/null
job long -- /bin/sh -c 'sleep 1000'
job brief --script-file - <<'S'
i=0; while [ ! -e /tmp/let-go ]; do i=$((i + 1)); echo "line $i"; sleep 0.2; done
echo bye
exit 7
S
check 'ten daemons run' within 120 has_daemons steady 10
long=$(start long)
check 'a run goes on' within 30 is_running "$long"
pids=$(daemon_pids steady)
long_pid=$(field "$long" .pid)

# survives TEXT COMMAND...: a run ends while the agent is gone; everybody else goes on.
survives() {
    local text=$1 run
    shift
    rm -f /tmp/let-go
    run=$(start brief)
    within 30 is_running "$run" || fail 'the brief run does not start'
    "$@"
    check "$text: the agent is back" within 60 is_online
    check "$text: its daemons run" within 60 has_daemons steady 10
    same "$text: the same daemons" "$(daemon_pids steady)" "$pids"
    check "$text: the same run" test "$(field "$long" '"\(.state) \(.pid)"')" = "running $long_pid"
    touch /tmp/let-go
    same "$text: the brief run" "$(ends "$run" 60)" 'failed 7'
    within 30 eval "cronfleet run output $run | grep -q bye" || fail "$text: the output has no end"
    check "$text: each of its lines is there once" \
        eval "cronfleet run output $run | sed -n 's/^line //p' | awk 'NR != \$1 { exit 1 }'"
}

stop_a_while() {
    systemctl stop cronfleet-agent
    touch /tmp/let-go
    within 30 eval '! pgrep -u app -f let-go >/dev/null' || fail 'the brief run does not end without its agent'
    systemctl start cronfleet-agent
}

upgrade() {
    install -m 755 /usr/local/bin/cronfleet /usr/local/bin/cronfleet-shim /opt/test/
    install -m 755 /opt/test/cronfleet /opt/test/cronfleet-shim /usr/local/bin/
    systemctl restart cronfleet-agent
}

survives 'restart' systemctl restart cronfleet-agent
survives 'SIGKILL' systemctl kill --kill-whom=main --signal=KILL cronfleet-agent
survives 'stop and start' stop_a_while
survives 'upgrade' upgrade
survives 'reload' systemctl reload cronfleet-agent
same 'the agent was started again by systemd' "$(systemctl show -P Result cronfleet-agent)" success

cronfleet run kill "$long" >/dev/null
same 'the long run' "$(ends "$long" 30)" killed
cronfleet job delete steady --yes
check 'nobody is left' within 60 has_no_members
