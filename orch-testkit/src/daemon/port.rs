//! Free ports.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::LazyLock;

use orch_core::entropy::{Entropy as _, SeededEntropy};

/// `N` different loopback ports on which nobody listens.
///
/// They lie below those from which Linux chooses the near end of connections, so a daemon that is restarted finds its
/// port as it left it. Somebody else may still be faster: who cannot bind one asks again.
pub(super) fn free<const N: usize>() -> [u16; N] {
    static CHANCE: LazyLock<SeededEntropy> = LazyLock::new(SeededEntropy::from_os);
    let listen = |_| loop {
        let port = 10_000 + (CHANCE.next_u64() % 22_000) as u16;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return (listener, port);
        }
    };
    // All are held until all are found, so that they differ.
    let held: [(TcpListener, u16); N] = std::array::from_fn(listen);
    held.map(|(_, port)| port)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn free_ports_differ() {
        let ports = super::free::<50>();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 50);
    }
}
