//! How an agent looks whether an instance works.

use super::port::Port;
use crate::marathon::model::{self, HealthProtocol};
use crate::wire::{CheckType, CommandInfo, HealthCheck, HttpCheck, TcpCheck};

/// How an agent looks.
pub(super) fn health_check(check: &model::HealthCheck, ports: &[Port<'_>]) -> HealthCheck {
    // An agent reaches an instance where it listens.
    let of_index = |index: usize| ports.get(index).map(|port| port.inner);
    let port = check.port.or_else(|| of_index(check.port_index.unwrap_or(0))).unwrap_or(0).into();
    let never_killed = check.max_consecutive_failures == 0;
    let mut info = HealthCheck {
        delay_seconds: Some(seconds(check.delay_seconds)),
        interval_seconds: Some(seconds(check.interval_seconds)),
        timeout_seconds: Some(seconds(check.timeout_seconds)),
        consecutive_failures: Some(if never_killed { u32::MAX } else { check.max_consecutive_failures }),
        grace_period_seconds: Some(seconds(check.grace_period_seconds)),
        ..HealthCheck::default()
    };
    let http = |scheme: &str| HttpCheck {
        scheme: Some(scheme.to_owned()),
        port,
        path: Some(check.path.clone().unwrap_or_else(|| "/".to_owned())),
        ..HttpCheck::default()
    };
    match check.protocol {
        HealthProtocol::Http | HealthProtocol::MesosHttp => {
            info.set_type(CheckType::Http);
            info.http = Some(http("http"));
        }
        HealthProtocol::Https | HealthProtocol::MesosHttps => {
            info.set_type(CheckType::Http);
            info.http = Some(http("https"));
        }
        HealthProtocol::Tcp | HealthProtocol::MesosTcp => {
            info.set_type(CheckType::Tcp);
            info.tcp = Some(TcpCheck { port, protocol: None });
        }
        HealthProtocol::Command => {
            info.set_type(CheckType::Command);
            let value = check.command.as_ref().map(|command| command.value.clone());
            info.command = Some(CommandInfo { shell: Some(true), value, ..CommandInfo::default() });
        }
    }
    info
}

#[expect(clippy::cast_precision_loss, reason = "lengths of time are held to thirty years when apps are read")]
fn seconds(seconds: u64) -> f64 {
    seconds as f64
}
