# Helpers of the machine tests; each of them sources this. They run as root on a machine that systemd has booted.
set -euo pipefail
export HOME=/root

# Everything that the agent and its commands are in.
group=/sys/fs/cgroup/system.slice/cronfleet-agent.service

fail() {
    echo "FAIL  $1"
    cronfleet run ls 2>&1 | head -20
    journalctl --no-pager -o short-precise -n 200 -u cronfleet-center -u cronfleet-agent | grep -vE "left-over process|unclean termination|remains running" | tail -40
    exit 1
}

# check TEXT COMMAND...: the command succeeds.
check() {
    local text=$1
    shift
    "$@" || fail "$text: $*"
    echo "ok    $text"
}

# same TEXT GOT WANTED
same() {
    [ "$2" = "$3" ] || fail "$1: got \"$2\", wanted \"$3\""
    echo "ok    $1: $2"
}

# within SECONDS COMMAND...: the command succeeds before the time is over.
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.1
    done
}

# job NAME FLAG... -- COMMAND...: a scheduled job for this machine; nothing but `start` starts it, unless there is a --cron.
job() {
    local name=$1
    shift
    [[ " $* " == *" --cron "* ]] || set -- --cron '0 0 1 1 *' "$@"
    cronfleet job create --json --group machine --all-agents --run-as app --name "$name" "$@" >/dev/null
}

# start NAME: runs a job now; prints the id of the run.
start() { cronfleet job run --json "$1" | jq -r '.run_ids[0]'; }

# field RUN FILTER: something of a run.
field() { cronfleet run show --json "$1" | jq -r "$2"; }

is_running() { [ "$(field "$1" .state)" = running ]; }
is_over() { [ "$(field "$1" .state)" = ended ]; }

# ends RUN SECONDS: waits for its end; prints outcome and reason.
ends() {
    within "$2" is_over "$1" || fail "run $1 has not ended within $2 s"
    field "$1" '[.outcome, .reason, .exit_code // empty] | map(select(. != null)) | join(" ")'
}

# members: how many processes commands have.
members() { cat "$group"/cronfleet-*/*/cgroup.procs 2>/dev/null | wc -l; }
has_members() { [ "$(members)" -ge "$1" ]; }
has_no_members() { [ "$(members)" = 0 ]; }

is_online() { [ "$(cronfleet agent ls --json | jq -r '.items[0].is_online')" = true ]; }

# daemon_pids JOB: of all its slots that run, sorted.
daemon_pids() {
    cronfleet slot ls --job "$1" --json | jq -r '.items[] | select(.state == "running") | .pid' | sort -n | tr '\n' ' '
}
has_daemons() { [ "$(daemon_pids "$1" | wc -w)" = "$2" ]; }
