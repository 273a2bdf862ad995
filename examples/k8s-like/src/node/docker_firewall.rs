//! [`in_the_way`]: whether Docker's firewall keeps pods of a bridge that is not Docker's from other hosts.

use tokio::process::Command;

/// What Docker's firewall drops of what pods of this bridge send to other hosts and get from there, and what to do, in words.
/// Nothing is changed: it is another's firewall.
pub(super) async fn in_the_way(bridge: &str) -> Option<String> {
    // Where there is no such program, Docker has no rules either.
    let output = Command::new("iptables").args(["-w", "-t", "filter", "-S"]).output().await.ok()?;
    is_in_the_way(&String::from_utf8_lossy(&output.stdout), bridge).then(|| {
        format!(
            "Docker's firewall drops what pods of this node send to other hosts: `iptables -I DOCKER-USER -i {bridge} -j \
             ACCEPT` and `iptables -I DOCKER-USER -o {bridge} -j ACCEPT` let it through"
        )
    })
}

/// Whether these rules, as `iptables -S` lists them, drop it.
fn is_in_the_way(rules: &str, bridge: &str) -> bool {
    let lets = |direction: &str| {
        rules.lines().any(|line| {
            line.starts_with("-A DOCKER-USER ")
                && line.ends_with(" -j ACCEPT")
                && line.contains(&format!(" {direction} {bridge} "))
        })
    };
    rules.lines().any(|line| line == "-P FORWARD DROP")
        && rules.lines().any(|line| line == "-N DOCKER-USER")
        && !(lets("-i") && lets("-o"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_firewall_is_in_the_way_until_it_is_told_otherwise() {
        const DOCKERS: &str =
            "-P INPUT ACCEPT\n-P FORWARD DROP\n-N DOCKER\n-N DOCKER-USER\n-A FORWARD -j DOCKER-USER\n";
        assert!(is_in_the_way(DOCKERS, "k1n1"));
        assert!(!is_in_the_way("-P FORWARD ACCEPT\n-N DOCKER-USER\n", "k1n1"));
        assert!(!is_in_the_way("-P FORWARD DROP\n", "k1n1"), "that is not Docker's");
        let told = |bridge: &str| {
            format!("{DOCKERS}-A DOCKER-USER -o {bridge} -j ACCEPT\n-A DOCKER-USER -i {bridge} -j ACCEPT\n")
        };
        assert!(!is_in_the_way(&told("k1n1"), "k1n1"));
        assert!(is_in_the_way(&told("k1n11"), "k1n1"));
    }
}
