//! [`FakeMachine`]: a machine that is what a test says.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orch_core::clock::{Clock, SystemClock};
use orch_core::object::NodeSystemInfo;
use orch_core::runtime::{Machine, MachineStats, SandboxDns, Supply};

/// A machine that is what a test says; at first one of 4 cores and 8 GiB that does nothing. Clones are the same machine.
#[derive(Clone, Debug)]
pub struct FakeMachine {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    stats: MachineStats,
    dns: SandboxDns,
    trouble: Option<String>,
}

impl FakeMachine {
    /// A machine that tells the time of this clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let free = |capacity| Supply { capacity, available: capacity };
        let stats = MachineStats {
            at: clock.now(),
            cpu_millis: 4000,
            cpu_used_nanos: 0,
            memory: free(8 << 30),
            disk: Some(free(100 << 30)),
            inodes: Some(free(1 << 20)),
            processes: Some(free(32_768)),
            system: NodeSystemInfo {
                machine_id: "fake-machine".to_owned(),
                boot_id: "fake-boot".to_owned(),
                kernel_version: "6.1.0".to_owned(),
                os_image: "Fake".to_owned(),
                operating_system: "linux".to_owned(),
                architecture: "amd64".to_owned(),
                ..NodeSystemInfo::default()
            },
        };
        Self { clock, state: Arc::new(Mutex::new(State { stats, dns: SandboxDns::default(), trouble: None })) }
    }

    /// Changes what it is and what is used.
    pub fn change(&self, change: impl FnOnce(&mut MachineStats)) {
        change(&mut self.state().stats);
    }

    /// Changes whom it asks for names; at first it asks nobody.
    pub fn ask(&self, dns: SandboxDns) {
        self.state().dns = dns;
    }

    /// From now on it tells nothing, for this reason; or it does again.
    pub fn fail(&self, trouble: Option<&str>) {
        self.state().trouble = trouble.map(str::to_owned);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for FakeMachine {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

#[async_trait]
impl Machine for FakeMachine {
    async fn measure(&self) -> io::Result<MachineStats> {
        let state = self.state();
        match &state.trouble {
            Some(trouble) => Err(io::Error::other(trouble.clone())),
            None => Ok(MachineStats { at: self.clock.now(), ..state.stats.clone() }),
        }
    }

    async fn resolver(&self) -> io::Result<SandboxDns> {
        let state = self.state();
        match &state.trouble {
            Some(trouble) => Err(io::Error::other(trouble.clone())),
            None => Ok(state.dns.clone()),
        }
    }
}
