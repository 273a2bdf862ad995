# Ends what the daemons of the folder $0 started, and removes what they made, at last the folder. $1 is the cgroup of
# their containers, $2 the test process. Everything found is found by the folder's name, which nobody else has.
folder=$0 cgroup=$1 tester=$2
name=$(basename "$folder")
tasks=$folder/state/io.containerd.runtime.v2.task

# The cgroups of the containers, with or without their namespace's, relative to a hierarchy.
cgroups=$(
    echo "$cgroup" | sed 's,^/*,,'
    sed -n 's,.*"cgroupsPath": *"/*\([^"]*\)".*,\1,p' "$tasks"/*/*/config.json 2>/dev/null
)
folders_of_cgroups() {
    for group in $cgroups; do
        for folder_of_group in "/sys/fs/cgroup/$group" /sys/fs/cgroup/*/"$group"; do
            [ -d "$folder_of_group" ] && echo "$folder_of_group"
        done
    done
}

# A command line names the folder, or a container has its root in it, or is in its cgroup. The names are passed by
# standard input, since they would else be on the command line of who looks for them.
processes() {
    {
        echo "$folder/" | grep -lsF -f - /proc/[0-9]*/cmdline | cut -d/ -f3
        printf '%s\n' "^[^ ]+ [^ ]+ [^ ]+ [^ ]*/$name/[^ ]* / " "^[^ ]+ [^ ]+ [^ ]+ [^ ]+ / .*/$name/" |
            grep -lsE -f - /proc/[0-9]*/mountinfo | cut -d/ -f3
        for group in $(folders_of_cgroups); do
            find "$group" -name cgroup.procs -exec cat {} +
        done
    } 2>/dev/null | sort -u | grep -vxF -e "$tester" -e $$ -e 0
}

for attempt in $(seq 100); do
    found=$(processes)
    [ -n "$found" ] || break
    kill -KILL $found
    # Who is frozen by the freezer of cgroup v1 is not killed before it thaws.
    for group in $(folders_of_cgroups); do
        find "$group" -name freezer.state | while read -r state; do echo THAWED >"$state"; done
    done
    sleep 0.05
done

for attempt in $(seq 20); do
    found=$(awk -v below="$folder/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r)
    [ -n "$found" ] || break
    for mount in $found; do umount -l "$mount"; done
done
# Rather leave something than remove what is somebody's and mounted here.
[ -z "$found" ] || exit

# What shims and runc keep outside the folder.
for task in "$tasks"/*/*; do
    [ -e "$task/config.json" ] || continue
    socket=$(sed 's,^unix://,,' "$task/address")
    case $socket in /run/containerd/s/*) rm -f -- "$socket" ;; esac
    state=/run/containerd/runc/${task#"$tasks"/}
    if grep -qsF "$folder/" "$state/state.json"; then rm -rf -- "$state"; fi
done

for attempt in $(seq 50); do
    found=$(folders_of_cgroups)
    [ -n "$found" ] || break
    for group in $found; do
        find "$group" -depth -type d -exec rmdir {} \;
    done
    sleep 0.05
done

# Of the namespaces of containerd, also when their last container was removed before. Who else is in one keeps it.
for namespace in "$tasks"/* "$folder"/root/io.containerd.runtime.v2.task/*; do
    namespace=$(basename "$namespace")
    for empty in "/run/containerd/runc/$namespace" "/sys/fs/cgroup/$namespace" /sys/fs/cgroup/*/"$namespace"; do
        [ -d "$empty" ] && rmdir "$empty"
    done
done

# A daemon that is being killed may write a last file meanwhile, hence more than one attempt.
for attempt in 1 2 3 4 5; do rm -rf -- "$folder" && exit; sleep 0.2; done
