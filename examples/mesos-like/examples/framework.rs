//! A framework in under 60 lines: as many instances of a command as are asked for, each placed by a `Scheduler` of the orch
//! crates on what the master offers.
//!
//! `cargo run -p mesos-like --example framework -- 127.0.0.1:5050 3 'echo hello; sleep 5'`

use mesos_like::framework::{Connection, Instances, acknowledge, command, place};
use mesos_like::wire::scheduler::{Call, CallType, EventType};
use mesos_like::wire::{Filters, FrameworkInfo};
use orch_sched::FilterScoreScheduler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [master, count, line] = &arguments[..] else { return Err("usage: framework MASTER COUNT COMMAND".into()) };
    let task = command("hello", line, &"cpus:0.1;mem:32".parse()?);
    let mut instances = Instances::new(task, count.parse()?, 0);
    let info = FrameworkInfo { name: "hello".to_owned(), ..FrameworkInfo::default() };
    let mut master = Connection::new(vec![master.clone()], info)?;

    while !instances.progress().is_over() {
        let event = master.next().await?;
        match event.r#type() {
            // The first time, or after the master was lost: how is what was launched?
            EventType::Subscribed => master.call(CallType::Reconcile, instances.reconcile()).await?,
            EventType::Offers => {
                let offers = event.offers.unwrap_or_default().offers;
                let mut scheduler = FilterScoreScheduler::default();
                let placement = place(&mut scheduler, &offers, instances.waiting(), &Filters::default());
                for call in placement.calls {
                    master.call(CallType::Accept, call).await?;
                }
                instances.launched(&placement.launched);
            }
            EventType::Update => {
                let Some(status) = event.update.map(|update| update.status) else { continue };
                println!("{}: {}", status.task_id, status.state().text());
                instances.update(&status);
                if let Some(call) = acknowledge(&status) {
                    master.call(CallType::Acknowledge, call).await?;
                }
            }
            _ => {}
        }
    }
    Ok(master.call(CallType::Teardown, Call::default()).await?)
}
