# Tries what the unit forbids, and prints "could: WHAT" for whatever works. It runs twice:
# without the unit, where all of it has to work, and as an agent of the service,
# where none may.
mine=$(mktemp)
try() {
	what=$1
	shift
	if "$@" >/dev/null 2>&1; then echo "could: $what"; fi
}
try "write to the system" touch /mnt/open/file
try "see a home" cat /home/ada/secret
try "see the /tmp of others" cat /tmp/outside
try "see other processes" cat /proc/1/cmdline
try "make a user namespace" unshare --user true
try "make a file set-user-id" chmod u+s "$mine"
try "change its personality" setarch -R true
try "change its priority" nice -n 5 sh -c 'test "$(nice)" -ge 5'
try "leave a core" sh -c 'ulimit -c unlimited'
try "open a socket of a strange family" perl -MSocket -e 'socket(my $s, 40, 1, 0) or exit 1'
try "speak for the service" test -n "$NOTIFY_SOCKET"
rm -f "$mine"
if touch /srv/agents/mine; then echo "may: write where the drop-in allows it"; fi
