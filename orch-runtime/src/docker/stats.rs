//! What a pod uses, as Docker measures it.

use futures::future::try_join_all;
use orch_core::clock::{Clock as _, SystemClock};
use orch_core::runtime::{ContainerId, ContainerStats, NetworkStats, PodStats, PodUid, RuntimeError};

use super::client::Call;
use super::convert::Role;
use super::{Shared, wire};
use crate::cgroup;

impl Shared {
    pub(super) async fn stats(&self, pod: &PodUid) -> Result<Option<PodStats>, RuntimeError> {
        let Some(status) = self.statuses(Some(pod)).await?.pop() else { return Ok(None) };
        let at = SystemClock.now();
        let running = status.containers.iter().filter(|container| container.state.is_running());
        let containers = running.map(|container| self.container_stats(&container.id));
        let containers = try_join_all(containers).await?.into_iter().flatten().collect();
        let network = if status.spec.host_network { None } else { self.network_stats(pod).await? };
        Ok(Some(PodStats { pod: pod.clone(), at, network, containers }))
    }

    async fn measure(&self, docker_name: &str) -> Result<Option<wire::Stats>, RuntimeError> {
        let call = Call::get(format!("/containers/{docker_name}/stats")).query("stream", "0").query("one-shot", "1");
        match self.client.find(call).await {
            Err(failure) if failure.is_conflict() => Ok(None),
            result => result.map_err(Into::into),
        }
    }

    async fn container_stats(&self, id: &ContainerId) -> Result<Option<ContainerStats>, RuntimeError> {
        let stats = self.measure(&self.config.scope.container(id)).await?;
        // It may have ended meanwhile.
        Ok(stats.filter(|stats| stats.memory_stats.usage.is_some()).map(|stats| container(id.clone(), &stats)))
    }

    async fn network_stats(&self, pod: &PodUid) -> Result<Option<NetworkStats>, RuntimeError> {
        let found = self.find_sandbox(pod).await?.filter(|found| matches!(found.role, Role::Sandbox { .. }));
        let Some(sandbox) = found else { return Ok(None) };
        if let (Some(_), Some(pid)) = (sandbox.own_ip, sandbox.pid) {
            // Docker knows nothing of it. One that ends meanwhile cannot be measured.
            return Ok(cgroup::network_of(pid).ok());
        }
        Ok(self.measure(&sandbox.docker_id).await?.as_ref().and_then(network))
    }
}

fn container(id: ContainerId, stats: &wire::Stats) -> ContainerStats {
    let memory = &stats.memory_stats;
    // The first of these names that is there: those of cgroup v1 for a whole hierarchy, then those of v2.
    let count = |names: &[&str]| names.iter().find_map(|name| memory.stats.as_ref()?.get(*name).copied());
    let inactive = count(&["total_inactive_file", "inactive_file"]).unwrap_or_default();
    ContainerStats {
        cpu_nanos: Some(stats.cpu_stats.cpu_usage.total_usage),
        memory_bytes: memory.usage,
        working_set_bytes: memory.usage.map(|usage| usage.saturating_sub(inactive)),
        rss_bytes: count(&["total_rss", "anon"]),
        processes: stats.pids_stats.current,
        ..ContainerStats::unmeasured(id)
    }
}

fn network(stats: &wire::Stats) -> Option<NetworkStats> {
    let mut sum = NetworkStats::default();
    for network in stats.networks.as_ref()?.values() {
        sum.received_bytes += network.rx_bytes;
        sum.sent_bytes += network.tx_bytes;
        sum.receive_errors += network.rx_errors;
        sum.send_errors += network.tx_errors;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_either_version_of_cgroups() {
        let id = || ContainerId { pod: "a".parse().expect("a uid"), name: "web".parse().expect("a name"), attempt: 0 };
        for numbers in [r#""total_inactive_file":3,"total_rss":5,"inactive_file":9"#, r#""inactive_file":3,"anon":5"#] {
            let text = format!(r#"{{"memory_stats":{{"usage":10,"stats":{{{numbers}}}}}}}"#);
            let stats = container(id(), &serde_json::from_str(&text).expect("statistics"));
            assert_eq!((stats.working_set_bytes, stats.rss_bytes, stats.processes), (Some(7), Some(5), None));
        }
    }
}
