//! `k8s-like control-plane`: drives a cluster whose nodes are processes of their own, until it is told to stop.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use orch_controllers::engine::{
    Candidacy, ElectionTiming, Engine, EngineHandle, FencedStore, FencingToken, LeaderElection,
};
use orch_controllers::pod_cidr::{NodeRanges, PodCidrConfig};
use orch_core::client::Client;
use orch_core::entropy::SeededEntropy;
use orch_core::key::Prefix;
use orch_core::kind::Object as _;
use orch_core::network::Cidr;
use orch_core::object::{Event, Uid};
use orch_core::store::Transact;
use tokio::time::sleep;

use super::{ControlPlane, ControlPlaneConfig};
use crate::causes::with_causes;
use crate::charter::{Charter, CharterError};
use crate::cli;
use crate::follow::Follower;
use crate::lifetime::{Signals, failed};
use crate::pulse;
use crate::show::{ShowController, Sight, Voice, show};
use crate::start_error::StartError;
use crate::store::client_of;
use crate::tenancy::{NAMESPACE, host_name};

/// The lease by which one of several control planes leads.
const LEASE: &str = "k8s-like-control-plane";
/// Between two attempts to begin a term.
const RETRY: Duration = Duration::from_millis(500);
/// How long it takes at most to lead where nobody else does.
const STANDS_BY_AFTER: Duration = Duration::from_secs(2);
/// How many bits the addresses of a node's pods may begin with.
const NODE_BITS: std::ops::RangeInclusive<u8> = 8..=29;

/// Runs until Ctrl-C or SIGTERM.
pub(crate) async fn control_plane(options: cli::ControlPlane) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("cannot listen for signals: {error}")),
    };
    let mut manifest = None;
    if let Some(file) = &options.file {
        match Follower::open(file.clone(), &options.namespace).await {
            Ok(follower) => manifest = Some(follower),
            Err(error) => return failed(&error.to_string()),
        }
    }
    let (show, voice, shown) = show(Sight::FromAfar);
    let shown = tokio::spawn(shown);
    let seat = match signals.started(Seat::open(&options, show)).await {
        Ok(seat) => seat,
        Err(code) => return code,
    };
    let Charter { services, pods } = seat.charter;
    voice.say(&format!(
        "control plane of the cluster in {}, services in {services}, pods in {pods}; Ctrl-C ends it, and the nodes go on",
        options.store
    ));
    let done = seat.hold(&mut signals, &mut manifest, &voice).await;
    let code = match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            voice.say(&format!("error: {}", with_causes(&error)));
            ExitCode::FAILURE
        }
    };
    voice.say("stopped");
    drop((voice, manifest, seat));
    // What was said last is shown before the program ends.
    let _ = tokio::time::timeout(Duration::from_secs(1), shown).await;
    code
}

/// What a control plane leads with when it leads, and is known by while it does not.
struct Seat {
    store: Arc<dyn Transact>,
    client: Client,
    charter: Charter,
    config: ControlPlaneConfig,
    show: Arc<ShowController>,
}

impl Seat {
    async fn open(options: &cli::ControlPlane, show: ShowController) -> Result<Self, StartError> {
        if !options.store.is_shared() {
            return Err(StartError::NotShared(options.store.clone()));
        }
        let pods = Some(pod_ranges(options.pod_cidr, options.node_cidr_bits)?);
        let mut config = ControlPlaneConfig { scheduler: options.scheduler, pods, ..ControlPlaneConfig::default() };
        config.lost.grace = options.node_monitor_grace_period.unwrap_or(config.lost.grace);
        // It keeps nothing on this machine.
        let store = options.store.open(Path::new("")).await?;
        let client = client_of(&store);
        let services = services(options.service_cidr, Charter::read(&client).await?)?;
        let charter = Charter { services, pods: options.pod_cidr };
        let seat = Self { store, client, charter, config, show: Arc::new(show) };
        // What is wrong with the ranges is told now, and not first when it leads.
        ControlPlane::new(Arc::clone(&seat.store), services, seat.config.clone())?;
        Ok(seat)
    }

    /// Leads whenever no other one does, until a signal comes.
    async fn hold(
        &self,
        signals: &mut Signals,
        manifest: &mut Option<Follower>,
        voice: &Voice,
    ) -> Result<(), StartError> {
        let entropy = Arc::new(SeededEntropy::from_os());
        let election = LeaderElection {
            client: self.client.clone(),
            identity: format!("{}-{}", host_name(), Uid::random(&*entropy)),
            entropy,
            namespace: NAMESPACE.to_owned(),
            name: LEASE.to_owned(),
            timing: ElectionTiming::default(),
        };
        let candidacy = election.stand()?;
        let ask = async || match Charter::read(&self.client).await {
            Err(CharterError::Store(error)) => Err(error),
            _ => Ok(true),
        };
        let result = tokio::select! {
            biased;
            () = signals.any() => Ok(()),
            result = self.terms(&candidacy, manifest, voice) => result,
            () = pulse::follow(ask, voice) => Ok(()),
        };
        // Whatever was under way has ended with its future, and what of it arrives late is refused.
        candidacy.resign().await;
        result
    }

    /// One term after another, until something is wrong that does not pass.
    async fn terms(
        &self,
        candidacy: &Candidacy,
        manifest: &mut Option<Follower>,
        voice: &Voice,
    ) -> Result<(), StartError> {
        loop {
            let token = self.elected(candidacy, voice).await;
            let fenced = self.fenced(&token)?;
            let control_plane = ControlPlane::new(fenced, self.charter.services, self.config.clone())?;
            let term = async {
                let _engines = self.begin(&control_plane, voice).await?;
                match manifest {
                    Some(manifest) => manifest.follow(&control_plane, voice).await,
                    None => std::future::pending().await,
                }
                Ok::<(), StartError>(())
            };
            tokio::select! {
                biased;
                () = candidacy.lost(&token) => voice.say("this control plane leads no longer: its lease was not renewed"),
                ended = term => ended?,
            }
        }
    }

    /// Waits until no other control plane leads.
    async fn elected(&self, candidacy: &Candidacy, voice: &Voice) -> FencingToken {
        tokio::select! {
            biased;
            token = candidacy.elected() => token,
            () = sleep(STANDS_BY_AFTER) => {
                voice.say("another control plane leads; this one stands by, and takes over when nothing is heard of it");
                candidacy.elected().await
            }
        }
    }

    /// The store, for what only a leader may write. Events tell what was, and do no harm when they are late.
    fn fenced(&self, token: &FencingToken) -> Result<Arc<dyn Transact>, StartError> {
        let store = FencedStore::new(Arc::clone(&self.store), token);
        Ok(Arc::new(store.unfenced(Prefix::collection(&Event::KIND))))
    }

    /// Writes down what the cluster agrees on, and starts the controllers. They run as long as what this returns is kept.
    async fn begin(&self, control_plane: &ControlPlane, voice: &Voice) -> Result<[EngineHandle; 2], StartError> {
        while let Err(error) = self.charter.write(control_plane.client()).await {
            if !error.is_transient() {
                return Err(error.into());
            }
            sleep(RETRY).await;
        }
        let shown = Engine::builder(self.client.clone()).controller(Arc::clone(&self.show) as _).start()?;
        let driven = control_plane.start()?;
        voice.say("this control plane leads");
        Ok([driven, shown])
    }
}

/// The addresses of services of a cluster that has none yet.
fn default_services() -> Cidr {
    Cidr::new(Ipv4Addr::new(10, 96, 0, 0).into(), 16).expect("a range that begins with its first address")
}

fn pod_ranges(range: Cidr, bits: u8) -> Result<PodCidrConfig, StartError> {
    if !range.is_ipv4() || !NODE_BITS.contains(&bits) {
        return Err(StartError::NodeBits { range, bits });
    }
    Ok(PodCidrConfig { ranges: vec![NodeRanges { range, bits }], ..PodCidrConfig::default() })
}

/// The addresses of services: those that the cluster has, if it has any.
fn services(chosen: Option<Cidr>, agreed: Option<Charter>) -> Result<Cidr, StartError> {
    match (chosen, agreed) {
        (Some(chosen), Some(Charter { services: now, .. })) if chosen != now => {
            Err(CharterError::OtherServices { now }.into())
        }
        (_, Some(agreed)) => Ok(agreed.services),
        (chosen, None) => Ok(chosen.unwrap_or_else(default_services)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Cidr {
        text.parse().expect("a range")
    }

    #[test]
    fn a_cluster_keeps_the_addresses_of_its_services() {
        let agreed = Charter { services: range("127.96.0.0/16"), pods: range("10.244.0.0/16") };
        assert_eq!(services(None, None).expect("the default"), range("10.96.0.0/16"));
        assert_eq!(services(Some(range("10.1.0.0/16")), None).expect("chosen"), range("10.1.0.0/16"));
        for chosen in [None, Some(agreed.services)] {
            assert_eq!(services(chosen, Some(agreed)).expect("kept"), agreed.services);
        }
        let error = services(Some(range("10.1.0.0/16")), Some(agreed)).expect_err("another").to_string();
        assert!(error.contains("127.96.0.0/16") && error.contains("leave --service-cidr out"), "{error}");
    }

    #[test]
    fn ranges_that_no_runtime_can_use_are_refused() {
        assert!(pod_ranges(range("10.244.0.0/16"), 24).is_ok());
        for (whole, bits) in [("10.244.0.0/16", 30), ("8.0.0.0/6", 7), ("fd00::/48", 64)] {
            let error = pod_ranges(range(whole), bits).err().map(|error| error.to_string());
            assert!(error.is_some_and(|error| error.contains("IPv4")), "{whole} {bits}");
        }
    }
}
