#!/bin/bash
# Tries the Debian packages in a Debian that is booted, as `cargo xtask packages` calls it: systemd starts relay and sandbox
# by their units, with all that the units take away from them. What a guide says is done as it stands there. Every step
# says what it saw; the first one that is not as it should be ends it. Needs root; the system has a network of its own,
# without a way out.
#
#   boot.sh CHROOT_TAR FOLDER_OF_PACKAGES FOLDER_OF_GUIDES
set -euo pipefail

tar=$1
packages=$2
guides=$3
root=$(mktemp -d)
work=$(mktemp -d)
container=
leader=

clean() {
    if [ -n "$container" ]; then
        [ -z "$leader" ] || kill -KILL "$leader" 2>/dev/null || true
        wait "$container" 2>/dev/null || true
    fi
    rm -rf --one-file-system "$root" "$work"
}
trap clean EXIT

say() { printf '%4ds  %s\n' "$SECONDS" "$*"; }
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    tail -n 20 "$work"/*.log >&2
    inside journalctl --no-pager -n 30 -u unpause -u unpause-sandbox -u unpause.socket >&2 || true
    exit 1
}
expect() { # WHAT EXPECTED FOUND
    [ "$2" = "$3" ] || fail "$1: expected $2, found $3"
}
inside() { nsenter --target "$leader" --all --root --wd env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
# What stands on standard input, as the administrator of the system types it.
type_in() { inside sh -ec "$(cat)"; }
# After a start an inbox waits up to a minute for copies of what was sent before.
wait_for() { # WHAT COMMAND...
    local what=$1 until=$((SECONDS + 180))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$until" ] || fail "waited three minutes in vain for $what"
        sleep 0.25
    done
}
# The N-th text of a kind below a heading of a guide.
guide() { # FILE HEADING KIND N
    awk -v heading="## $2" -v kind="\`\`\`$3" -v wanted="$4" '
        /^## / { here = ($0 == heading) }
        here && $0 == kind { n += 1; open = (n == wanted); next }
        /^```$/ { open = 0 }
        open { print; found = 1 }
        END { exit !found }' "$guides/$1" || fail "$1 has no such text below $2"
}
is() { [ "$(inside systemctl is-active "$1")" = active ]; }
of_relay() { # FIELD of what the kernel tells of the relay's process
    local pid
    pid=$(inside systemctl show --property MainPID --value unpause)
    inside sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status"
}
owners() { inside find /var/lib/unpause /var/lib/unpause-keys -printf '%u:%g %m %y %f\n' | sort; }
others() { owners | grep -v -e '^unpause:unpause 700 d ' -e '^unpause:unpause 600 [fs] ' || true; }

tar -xf "$tar" -C "$root"
mkdir "$root/packages"
machine=$(chroot "$root" dpkg --print-architecture)
cp "$packages"/*_"$machine".deb "$root/packages/"
systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe --boot --directory "$root" \
    </dev/null >"$work/boot.log" 2>&1 &
container=$!
found_leader() {
    leader=$(ps -o pid= --ppid "$container" | tr -d ' ' | head -n 1)
    [ -n "$leader" ] && inside systemctl is-system-running --wait | grep -q -e running -e degraded
}
wait_for "the system to boot" found_leader
say "$(. "$root/etc/os-release" && echo "$PRETTY_NAME"), booted by $(inside systemctl --version | head -n 1)"

# --- installed, and started by systemd
inside sh -c 'apt-get install -qy --no-install-recommends /packages/*.deb' >"$work/apt.log" 2>&1 || fail "the packages do not install"
for unit in unpause.socket unpause.service; do
    is "$unit" || fail "$unit is not active after the installation"
done
bare() {
    expect "capabilities of the relay" 0000000000000000 "$(of_relay CapBnd)"
    expect "whether it may gain rights" 1 "$(of_relay NoNewPrivs)"
    expect "filter of its system calls" 2 "$(of_relay Seccomp)"
    expect "its mask" 0077 "$(of_relay Umask)"
}
bare
expect "what is not the relay's user's alone" "" "$(others)"
inside curl -sS -f -o /dev/null http://127.0.0.1:7411/dashboard_bg.wasm || fail "the relay has no dashboard"
say "installed and running: no capability, no new rights, filtered system calls; $(
    inside systemd-analyze security --no-pager unpause | tail -n 1 | sed 's/^[^A-Za-z]*//')"

# --- a campaign, as the sandbox's guide begins
type_in <<'END' >>"$work/sandbox.log" 2>&1 || fail "the sandbox does not start"
systemctl start unpause-sandbox
sed "s/^\[providers.sandbox\]/[providers.imap]/; /^issuer/d; /^client_id/d" \
    /var/lib/unpause-sandbox/relay.toml >> /etc/unpause/unpause.toml
systemctl restart unpause
unpause inbox add jane@acme.example --provider imap
echo sandbox-password | unpause reconnect start jane@acme.example --password
unpause inbox pace jane@acme.example --distance 1s --daily-cap none
END
campaign=$(inside unpause --json campaign create --name Trial --inbox jane@acme.example \
    --steps /usr/share/doc/unpause-sandbox/examples/steps.toml | sed -n 's/.*"id": *"\(cmp_[^"]*\)".*/\1/p' | head -n 1)
[ -n "$campaign" ] || fail "no campaign was made"
{
    echo email,first_name,company
    for n in $(seq 1 30); do echo "lead$n@box$n.example,Lead $n,Company $n"; done
} >"$root/leads.csv"
inside unpause campaign import "$campaign" /leads.csv >/dev/null
delivered() {
    inside curl -sS -f http://127.0.0.1:7880/control/delivered |
        grep -o '"recipient": *"[^"]*"' | sed 's/.*: *"//; s/"$//' | sort
}
inside unpause campaign start "$campaign" >/dev/null
some() { [ "$(delivered | wc -l)" -ge 10 ]; }
wait_for "the first messages" some
expect "whether it is killed in the middle" yes "$([ "$(delivered | wc -l)" -lt 30 ] && echo yes || echo no)"
# Its process is killed in the middle: systemd starts it again, and the port is never anybody else's.
inside systemctl kill --signal KILL --kill-whom main unpause
wait_for "the relay's answer over the port that systemd held" inside curl -sS -f -m 20 http://127.0.0.1:7411/healthz
all_there() { [ "$(delivered | uniq | wc -l)" = 30 ]; }
wait_for "all 30 messages" all_there
expect "people who got a message twice" "" "$(delivered | uniq -d)"
say "killed in the middle of a campaign, and started again by systemd: 30 of 30 people, nobody twice"

# --- looked at and backed up by root
inside unpause doctor >"$work/doctor.log" 2>&1 || [ $? = 1 ] || fail "the doctor finds something broken: $(cat "$work/doctor.log")"
for unit in service timer; do
    n=$([ $unit = service ] && echo 1 || echo 2)
    guide backup.md "Every night" ini "$n" >"$root/etc/systemd/system/unpause-backup.$unit"
done
guide backup.md "Every night" sh 1 | type_in >>"$work/backup.log" 2>&1 || fail "the timer of backups does not start"
inside systemctl start unpause-backup || fail "no backup is made"
backup=$(inside sh -c 'ls /var/backups/unpause/unpause-*.backup')
expect "owner and mode of a backup" "root:root 600" "$(inside stat -c '%U:%G %a' "$backup")"
inside unpause backup --check "$backup" >>"$work/backup.log" || fail "the backup is not whole"
# While no relay runs, root opens the database himself and leaves nothing of his own in it.
inside systemctl stop unpause.service unpause.socket
inside unpause doctor >"$work/doctor.log" 2>&1 || [ $? = 1 ] || fail "the doctor finds something broken: $(cat "$work/doctor.log")"
inside unpause backup --to /var/backups/by-hand.backup >>"$work/backup.log" || fail "no backup is made of a relay that is down"
expect "what is not the relay's user's alone" "" "$(others)"
inside systemctl start unpause || fail "the relay does not start after root has looked"
say "looked at and backed up by root, beside the relay and without it: its files stay its user's"

# --- put back, as the guide says
guide backup.md "A restore" sh 1 | sed "s|/var/backups/unpause/unpause-monday.backup|$backup|" |
    type_in >>"$work/restore.log" 2>&1 || fail "the backup is not put back"
expect "people with a first message, as the backup has it" 30 \
    "$(inside unpause --json campaign deliveries "$campaign" --limit 500 | grep -o '"accepted"' | wc -l)"
expect "people who got a message twice" "" "$(delivered | uniq -d)"
say "put back from the backup: 30 accepted on record, nobody mailed twice"

# --- on a server, with ports below 1024
certify() {
    type_in <<END >>"$work/server.log" 2>&1 || fail "no certificate is made"
cd /run
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" \
    -addext subjectAltName=DNS:relay.acme.example -keyout key.pem -out chain.pem
install -d -m 750 -o root -g unpause /etc/unpause/tls
install -m 644 chain.pem /etc/unpause/tls/fullchain.pem
install -m 600 -o unpause -g unpause key.pem /etc/unpause/tls/privkey.pem
END
}
certify first
{
    guide server.md "TLS of its own" toml 1
    cat "$root/etc/unpause/unpause.toml"
} >"$work/server.toml"
inside sh -c 'cat > /etc/unpause/unpause.toml' <"$work/server.toml"
guide server.md "Ports below 1024" sh 1 | type_in >>"$work/server.log" 2>&1 || fail "the ports of the guide are not held"
is unpause.service || fail "the relay does not run on the ports of the guide"
bare
asked() { # CURL'S ARGUMENTS...
    inside curl -sS -m 20 --cacert /etc/unpause/tls/fullchain.pem --resolve relay.acme.example:443:127.0.0.1 \
        --resolve relay.acme.example:80:127.0.0.1 -o /dev/null "$@"
}
expect "answer at port 443" 200 "$(asked -w '%{http_code}' https://relay.acme.example/healthz)"
expect "answer at port 80" "308 https://relay.acme.example/a" \
    "$(asked -w '%{http_code} %{redirect_url}' http://relay.acme.example/a)"
certify second
shown() { asked https://relay.acme.example/healthz; }
wait_for "the new certificate to be shown" shown
say "on 443 and 80, which systemd holds: no capability, and a new certificate is shown without a restart"

# --- removed
inside apt-get purge -qy unpause unpause-sandbox >>"$work/apt.log" 2>&1 || fail "the packages do not remove"
for unit in unpause.socket unpause.service unpause-sandbox.service; do
    ! is "$unit" || fail "$unit still runs"
done
say "removed: nothing of it runs"
