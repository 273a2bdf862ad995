//! Which fields apps and groups have, in new ways and in old ones, and what may be in them.

use super::shape::Kind;
use super::shape::Kind::{
    Absent, Answer, Any, Choice, Either, Flag, List, Map, Number, Object, Only, Text, TextOrNumber, Whole,
};

type Fields = &'static [(&'static str, Kind)];

const TEXTS: Kind = List(&Text);
const PORT: Kind = Whole(u16::MAX as u64);
const SMALL: Kind = Whole(u32::MAX as u64);
/// Thirty years: more cannot be meant, and as nanoseconds it is still a number.
const SECONDS: Kind = Whole(1_000_000_000);
const PROTOCOL: Kind = Choice(&["tcp", "udp", "udp,tcp"]);
const VARIABLES: Kind =
    Map(&Either(&Object(&[("secret", Absent("there are no secrets here: write the value as a text"))], &[]), &Text));

/// Those of an app.
pub(super) const APP: Fields = &[
    ("id", Text),
    ("cmd", Text),
    ("args", TEXTS),
    ("user", Text),
    ("env", VARIABLES),
    ("instances", SMALL),
    ("cpus", Number),
    ("mem", Number),
    ("disk", Number),
    ("gpus", SMALL),
    ("executor", Text),
    ("constraints", List(&CONSTRAINT)),
    ("fetch", List(&Object(FETCH, &["uri"]))),
    ("uris", TEXTS),
    ("backoffSeconds", Number),
    ("backoffFactor", Number),
    ("maxLaunchDelaySeconds", Number),
    ("container", Object(CONTAINER, &[])),
    ("healthChecks", List(&Object(HEALTH_CHECK, &[]))),
    ("readinessChecks", List(&Object(READINESS_CHECK, &[]))),
    ("dependencies", TEXTS),
    ("upgradeStrategy", Object(&[("minimumHealthCapacity", Number), ("maximumOverCapacity", Number)], &[])),
    ("labels", Map(&Text)),
    ("acceptedResourceRoles", TEXTS),
    ("role", Text),
    ("networks", List(&Object(NETWORK, &[]))),
    ("ipAddress", Object(IP_ADDRESS, &[])),
    ("portDefinitions", List(&Object(PORT_DEFINITION, &[]))),
    ("ports", List(&PORT)),
    ("requirePorts", Flag),
    ("taskKillGracePeriodSeconds", SECONDS),
    ("killSelection", Choice(&["YOUNGEST_FIRST", "OLDEST_FIRST"])),
    ("unreachableStrategy", Either(&Choice(&["disabled"]), &Object(UNREACHABLE, &[]))),
    ("residency", Object(RESIDENCY, &[])),
    ("version", Answer),
    ("versionInfo", Answer),
    ("deployments", Answer),
    ("tasks", Answer),
    ("tasksRunning", Answer),
    ("tasksStaged", Answer),
    ("tasksHealthy", Answer),
    ("tasksUnhealthy", Answer),
    ("taskStats", Answer),
    ("lastTaskFailure", Answer),
    ("readinessCheckResults", Answer),
    ("secrets", Absent("there are no secrets here: write values into `env`")),
    ("storeUrls", Absent("artifacts are not stored here: use `fetch`")),
    ("taskRateLimit", Absent("Marathon has no such limit any more: use `backoffSeconds`")),
    ("check", Absent("there are no checks but `healthChecks` and `readinessChecks`")),
    ("executorResources", Absent("the agent's own executor needs none: leave it out")),
    ("resourceLimits", Absent("an instance may use what it was given: raise `cpus` or `mem`")),
    ("tty", Absent("instances have no terminal")),
];

/// Those of a group.
pub(super) const GROUP: Fields = &[
    ("id", Text),
    // Looked at one by one, each at its own path.
    ("apps", List(&Any)),
    ("groups", List(&Any)),
    ("dependencies", TEXTS),
    ("scaleBy", Number),
    ("version", Text),
    ("pods", Absent("there are no pods here: write them as apps")),
    ("enforceRole", Absent("apps say themselves in which role they run")),
];

const CONSTRAINT: Kind = Either(
    &List(&TextOrNumber),
    &Object(&[("field", Text), ("fieldName", Text), ("operator", Text), ("value", TextOrNumber)], &["operator"]),
);

const FETCH: Fields = &[("uri", Text), ("extract", Flag), ("executable", Flag), ("cache", Flag), ("destPath", Text)];

const CONTAINER: Fields = &[
    ("type", Choice(&["MESOS", "DOCKER"])),
    ("docker", Object(DOCKER, &["image"])),
    ("volumes", List(&Object(VOLUME, &["containerPath"]))),
    ("portMappings", List(&Object(PORT_MAPPING, &[]))),
    ("linuxInfo", Absent("instances have the rights of their user: leave it out")),
];

const DOCKER: Fields = &[
    ("image", Text),
    ("forcePullImage", Flag),
    ("privileged", Flag),
    ("parameters", List(&Object(&[("key", Text), ("value", Text)], &["key", "value"]))),
    ("network", Choice(&["HOST", "BRIDGE", "USER", "NONE"])),
    ("portMappings", List(&Object(PORT_MAPPING, &[]))),
    ("credential", Absent("the agent's runtime has its own passwords for registries")),
    ("pullConfig", Absent("the agent's runtime has its own passwords for registries")),
];

const VOLUME: Fields = &[
    ("containerPath", Text),
    ("hostPath", Text),
    ("mode", Choice(&["RW", "RO"])),
    ("persistent", Object(PERSISTENT, &["size"])),
    ("external", Absent("there are no external volumes here: use `hostPath` or `persistent`")),
    ("secret", Absent("there are no secrets here: use `hostPath`")),
];

const PERSISTENT: Fields = &[
    ("size", Number),
    ("type", Only("root", "agents have one kind of disk here: `root`")),
    ("profileName", Absent("agents have one kind of disk here: leave it out")),
    ("constraints", Absent("agents have one kind of disk here: leave it out")),
    ("maxSize", Absent("a disk of the kind `root` has no most size: leave it out")),
];

const PORT_MAPPING: Fields = &[
    ("containerPort", PORT),
    ("hostPort", PORT),
    ("servicePort", PORT),
    ("protocol", PROTOCOL),
    ("name", Text),
    ("labels", Map(&Text)),
    ("networkNames", Absent("an instance is in one network here: leave it out")),
];

const PORT_DEFINITION: Fields = &[("port", PORT), ("protocol", PROTOCOL), ("name", Text), ("labels", Map(&Text))];

const NETWORK: Fields =
    &[("mode", Choice(&["host", "container", "container/bridge"])), ("name", Text), ("labels", Map(&Text))];

const IP_ADDRESS: Fields = &[
    ("networkName", Text),
    ("labels", Map(&Text)),
    ("groups", Absent("networks have no groups here")),
    ("discovery", Object(&[("ports", List(&Object(DISCOVERED, &["number"])))], &[])),
];

const DISCOVERED: Fields = &[("number", PORT), ("name", Text), ("protocol", PROTOCOL), ("labels", Map(&Text))];

const HEALTH_CHECK: Fields = &[
    ("protocol", Choice(&["HTTP", "HTTPS", "TCP", "COMMAND", "MESOS_HTTP", "MESOS_HTTPS", "MESOS_TCP"])),
    ("path", Text),
    ("portIndex", SMALL),
    ("port", PORT),
    ("command", Either(&Text, &Object(&[("value", Text)], &["value"]))),
    ("gracePeriodSeconds", SECONDS),
    ("intervalSeconds", SECONDS),
    ("timeoutSeconds", SECONDS),
    ("maxConsecutiveFailures", SMALL),
    ("delaySeconds", SECONDS),
    ("ignoreHttp1xx", Flag),
    ("ipProtocol", Only("IPv4", "instances are asked by IPv4 here")),
];

const READINESS_CHECK: Fields = &[
    ("name", Text),
    ("protocol", Only("HTTP", "it is asked in the clear alone here: use HTTP")),
    ("path", Text),
    ("portName", Text),
    ("intervalSeconds", SECONDS),
    ("timeoutSeconds", SECONDS),
    ("httpStatusCodesForReady", List(&PORT)),
    ("preserveLastResponse", Flag),
];

const UNREACHABLE: Fields = &[
    ("inactiveAfterSeconds", SECONDS),
    ("expungeAfterSeconds", SECONDS),
    ("unreachableInactiveAfterSeconds", SECONDS),
    ("unreachableExpungeAfterSeconds", SECONDS),
];

const RESIDENCY: Fields = &[
    ("taskLostBehavior", Choice(&["WAIT_FOREVER", "RELAUNCH_AFTER_TIMEOUT"])),
    ("relaunchEscalationTimeoutSeconds", SECONDS),
];
