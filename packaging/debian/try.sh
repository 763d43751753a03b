#!/bin/bash
# Tries the Debian packages in one fresh Debian, as `cargo xtask packages` calls it: installed, started as the units say,
# a campaign through the loss of its inbox and back, upgraded over its data while another one is paused, removed. Every
# step says what it saw; the first one that is not as it should be ends it. Needs root; the relay runs in a network of its
# own. Where older packages are named, they are what is upgraded.
#
#   try.sh CHROOT_TAR FOLDER_OF_PACKAGES FOLDER_OF_GUIDES [FOLDER_OF_OLDER_PACKAGES]
set -euo pipefail

tar=$1
packages=$2
older=${4:-$packages}
root=$(mktemp -d)
work=$(mktemp -d)
namespace=unpause-$$
relay_pid=
sandbox_pid=

clean() {
    for pid in $relay_pid $sandbox_pid; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
    done
    ip netns delete "$namespace" 2>/dev/null || true
    for place in proc dev/pts dev; do
        umount -l "$root/$place" 2>/dev/null || true
    done
    rm -rf --one-file-system "$root" "$work"
}
trap clean EXIT

say() { printf '%4ds  %s\n' "$SECONDS" "$*"; }
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    tail -n 30 "$work"/*.log >&2 2>/dev/null || true
    exit 1
}
expect() { # WHAT EXPECTED FOUND
    [ "$2" = "$3" ] || fail "$1: expected $2, found $3"
}
within() { chroot "$root" "$@"; }
# In the chroot and in the network of its own, as root.
inside() { ip netns exec "$namespace" chroot "$root" "$@"; }
# Another kind of machine is slow in qemu.
wait_for() { # WHAT COMMAND...
    local what=$1 until=$((SECONDS + 180))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$until" ] || fail "waited three minutes in vain for $what"
        sleep 0.25
    done
}
# What stands behind a key of a unit.
unit() { sed -n "s/^$2=//p" "$root/usr/lib/systemd/system/$1" | head -n 1; }

tar -xf "$tar" -C "$root"
cp --remove-destination /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev" && mount --make-rslave "$root/dev"
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
suite=$(. "$root/etc/os-release" && echo "$PRETTY_NAME")
say "$suite, fresh"

# --- installed
machine=$(within dpkg --print-architecture)
mkdir "$root/packages"
cp "$older"/*_"$machine".deb "$root/packages/"
within apt-get update -q >"$work/apt.log" 2>&1
within apt-get install -qy --no-install-recommends adduser >>"$work/apt.log" 2>&1
list() { within find / -xdev \( -path /proc -o -path /dev -o -path /run -o -path /packages -o -path /tmp \
    -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log -o -path /var/lib/apt \) -prune -o -print | sort; }
list >"$work/before"
within sh -c 'apt-get install -qy --no-install-recommends /packages/*.deb' >>"$work/apt.log" 2>&1 ||
    fail "the packages do not install"
expect "owner and mode of the configuration" "unpause:unpause 600" \
    "$(within stat -c '%U:%G %a' /etc/unpause/unpause.toml)"
for folder in /var/lib/unpause /var/lib/unpause-keys; do
    expect "owner and mode of $folder" "unpause:unpause 700" "$(within stat -c '%U:%G %a' $folder)"
done
for unit in unpause.service unpause.socket; do
    within find /etc/systemd/system -name "$unit" | grep -q . || fail "$unit is not enabled"
done
say "installed: $(within unpause --version); nothing but two static binaries and their units"

# --- started as the units say
ip netns add "$namespace"
ip -n "$namespace" link set lo up
start_sandbox() {
    local line
    line=$(unit unpause-sandbox.service ExecStart)
    # shellcheck disable=SC2086
    ip netns exec "$namespace" chroot --userspec=unpause-sandbox:unpause-sandbox "$root" $line \
        >"$work/sandbox.log" 2>&1 &
    sandbox_pid=$!
    wait_for "the sandbox" test -s "$root/var/lib/unpause-sandbox/relay.toml"
}
start_relay() { # held|alone
    local line hold=
    line=$(unit unpause.service ExecStart)
    if [ "$1" = held ]; then
        hold="systemd-socket-activate -l $(unit unpause.socket ListenStream)"
    fi
    # shellcheck disable=SC2086
    (umask 077; exec ip netns exec "$namespace" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin $hold \
        chroot --userspec=unpause:unpause "$root" $line) >>"$work/relay.log" 2>&1 &
    relay_pid=$!
    # The first call starts what is held.
    wait_for "the relay" ip netns exec "$namespace" bash -c 'exec 3<>/dev/tcp/127.0.0.1/7411'
    wait_for "the operator's socket" inside unpause status
}
stop_relay() {
    kill "$relay_pid"
    wait "$relay_pid" || fail "the relay did not end in order"
    relay_pid=
}
start_sandbox
within sh -c 'sed "s/^\[providers.sandbox\]/[providers.imap]/; /^issuer/d; /^client_id/d" \
    /var/lib/unpause-sandbox/relay.toml >> /etc/unpause/unpause.toml'
expect "owner and mode of the configuration" "unpause:unpause 600" \
    "$(within stat -c '%U:%G %a' /etc/unpause/unpause.toml)"
start_relay "$(command -v systemd-socket-activate >/dev/null && echo held || echo alone)"
ip netns exec "$namespace" curl -sS -f -o /dev/null http://127.0.0.1:7411/dashboard_bg.wasm || fail "the relay has no dashboard"
say "started by the unit's command line, on the port that systemd's own program held for it"

# --- a campaign, through a loss and back
inside unpause inbox add jane@acme.example --provider imap >/dev/null
echo sandbox-password | inside unpause reconnect start jane@acme.example --password >"$work/connect.log" 2>&1 ||
    fail "the inbox does not connect"
inside unpause inbox pace jane@acme.example --distance 0 --daily-cap none >/dev/null
{
    echo email,first_name,company
    for n in $(seq 1 60); do echo "lead$n@box$n.example,Lead $n,Company $n"; done
} >"$root/tmp/leads.csv"
cp "$root/usr/share/doc/unpause-sandbox/examples/steps.toml" "$root/tmp/steps.toml" 2>/dev/null ||
    fail "the examples are not installed"
campaign=$(inside unpause --json campaign create --name Trial --inbox jane@acme.example \
    --steps /tmp/steps.toml | sed -n 's/.*"id": *"\(cmp_[^"]*\)".*/\1/p' | head -n 1)
[ -n "$campaign" ] || fail "no campaign was made"
inside unpause campaign import "$campaign" /tmp/leads.csv >/dev/null
control() { # PATH JSON
    ip netns exec "$namespace" curl -sS -f -X POST -H 'content-type: application/json' -d "$2" \
        "http://127.0.0.1:7880/control/$1"
}
# The recipients of the envelopes, one line a message, as the sandbox's own mailboxes have them.
delivered() {
    ip netns exec "$namespace" curl -sS -f http://127.0.0.1:7880/control/delivered |
        grep -o '"recipient": *"[^"]*"' | sed 's/.*: *"//; s/"$//' | sort
}
# Lost before the first message leaves, so that all of them are held up by it.
control change-password '{"address":"jane@acme.example","password":"another-one"}' >/dev/null
inside unpause campaign start "$campaign" >/dev/null
paused() { inside unpause status | grep -q -i 'paused'; }
wait_for "the campaign to pause" paused
expect "messages that left without a sign-in" 0 "$(delivered | wc -l)"
say "lost: the password was changed, and the campaign is paused"
echo another-one | inside unpause reconnect start jane@acme.example --password >"$work/reconnect.log" 2>&1 ||
    fail "the inbox does not reconnect"
all_there() { [ "$(delivered | uniq | wc -l)" = 60 ]; }
wait_for "all 60 messages" all_there
expect "people who got a message twice" "" "$(delivered | uniq -d)"
say "reconnected and resumed: 60 of 60 people have their first message"

# --- upgraded over its data, while another campaign is paused
control change-password '{"address":"jane@acme.example","password":"a-third-one"}' >/dev/null
{
    echo email,first_name,company
    for n in $(seq 61 80); do echo "lead$n@box$n.example,Lead $n,Company $n"; done
} >"$root/tmp/more.csv"
second=$(inside unpause --json campaign create --name Second --inbox jane@acme.example \
    --steps /tmp/steps.toml | sed -n 's/.*"id": *"\(cmp_[^"]*\)".*/\1/p' | head -n 1)
inside unpause campaign import "$second" /tmp/more.csv >/dev/null
inside unpause campaign start "$second" >/dev/null
wait_for "the second campaign to pause" paused
stop_relay
mkdir "$work/next"
dpkg-deb --raw-extract "$packages"/unpause_*_"$machine".deb "$work/next/unpause"
sed -i 's/^Version: .*/Version: 99.0.0/' "$work/next/unpause/DEBIAN/control"
dpkg-deb --root-owner-group --build "$work/next/unpause" "$root/packages/next.deb" >/dev/null
sum() { within sh -c 'cd /; find etc/unpause var/lib/unpause var/lib/unpause-keys -type f | sort | xargs sha256sum'; }
sum >"$work/sums"
was=$(within unpause --version)
within apt-get install -qy /packages/next.deb >>"$work/apt.log" 2>&1 || fail "the upgrade does not install"
expect "files that an upgrade changed" "" "$(sum | diff "$work/sums" - || true)"
start_relay alone
expect "people with a first message, as the relay has it after the upgrade" 60 \
    "$(inside unpause --json campaign deliveries "$campaign" --limit 500 | grep -o '"accepted"' | wc -l)"
say "upgraded over its data, from $was to $(within unpause --version): the same files, 60 accepted on record"
wait_for "what was paused to be paused still" paused
expect "messages that left without a sign-in" 60 "$(delivered | wc -l)"
echo a-third-one | inside unpause reconnect start jane@acme.example --password >"$work/again.log" 2>&1 ||
    fail "the inbox does not reconnect after the upgrade"
all_there() { [ "$(delivered | uniq | wc -l)" = 80 ]; }
wait_for "all 80 messages" all_there
expect "people who got a message twice" "" "$(delivered | uniq -d)"
say "reconnected after it: 80 of 80 people have their first message, nobody was mailed twice"
stop_relay

# --- removed
within apt-get remove -qy unpause unpause-sandbox >>"$work/apt.log" 2>&1 || fail "the packages do not remove"
kill "$sandbox_pid" 2>/dev/null && wait "$sandbox_pid" 2>/dev/null || true
sandbox_pid=
list >"$work/after"
left=$(comm -13 "$work/before" "$work/after" |
    grep -v -e '^/etc/unpause' -e '^/var/lib/unpause' -e '^/var/lib/systemd' -e '^/etc/systemd/system' \
        -e '^/etc/\(passwd\|group\|shadow\|gshadow\|subuid\|subgid\)' || true)
expect "what a removal leaves beside data" "" "$left"
[ -s "$root/var/lib/unpause/unpause.db" ] || fail "the data is gone"
within apt-get purge -qy unpause >>"$work/apt.log" 2>&1 || fail "the package does not purge"
[ ! -e "$root/etc/unpause" ] || fail "a purge leaves the configuration"
[ -s "$root/var/lib/unpause/unpause.db" ] || fail "a purge takes the data"
say "removed: nothing is left but data and keys; purged: the configuration is gone too"
