# Ends what runs in the network namespace $0, save the test process $1, one of whose threads may be in it, and removes it.
place=/run/netns/$0
inode=$(stat -Lc %i "$place") || exit
for attempt in $(seq 100); do
    found=$(stat -Lc '%i %n' /proc/[0-9]*/ns/net 2>/dev/null |
        awk -v inode="$inode" -v tester="$1" '{ split($2, part, "/") } $1 == inode && part[3] != tester { print part[3] }')
    [ -n "$found" ] || break
    kill -KILL $found
    sleep 0.05
done
umount -l "$place" && rm -f -- "$place"
