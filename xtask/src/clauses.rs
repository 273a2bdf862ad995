//! `cargo xtask clauses`: what every implementation is held to, and how often the shipped controllers were.

use std::collections::BTreeMap;
use std::path::Path;

use crate::command::{Failed, cargo, cargo_output};

/// Prints the clauses of every contract, then runs the conformance suite of every controller and prints how many plans
/// of faults each survived.
pub(crate) fn run(root: &Path) -> Result<(), Failed> {
    cargo(root, &["run", "--quiet", "--package", "orch-testkit", "--example", "clauses"])?;
    // Each suite stands in a module of this name, one a controller.
    let suites = ["test", "--quiet", "--package", "orch-controllers", "--tests", "--", "conformance::", "--nocapture"];
    let output = cargo_output(root, &suites)?;
    let plans = FaultPlans::parse(&output);
    if plans.0.is_empty() {
        return Err(Failed("no test printed how many plans of faults it executed".to_owned()));
    }
    print!("\n{plans}");
    for line in output.lines().filter_map(|line| line.split_once("fault plans left out of ")) {
        println!("\nleft out of {}", line.1);
    }
    Ok(())
}

/// For each set of controllers, the plans of faults of all clauses together, and how many scenarios they were tried in.
#[derive(Debug, Default, PartialEq, Eq)]
struct FaultPlans(BTreeMap<String, (u64, u64)>);

impl FaultPlans {
    /// Adds up the lines `fault plans: CONTROLLERS: PLANS over SCENARIOS scenarios`, one a clause.
    fn parse(output: &str) -> Self {
        let mut plans = Self::default();
        for line in output.lines() {
            // What the test harness says of its progress may stand before it in the line.
            let Some((_, found)) = line.split_once("fault plans: ") else { continue };
            let Some((controllers, numbers)) = found.rsplit_once(": ") else { continue };
            let mut numbers = numbers.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
            let (Some(executed), Some(scenarios)) = (numbers.next(), numbers.next()) else { continue };
            let sum = plans.0.entry(controllers.to_owned()).or_default();
            *sum = (sum.0 + executed, sum.1.max(scenarios));
        }
        plans
    }
}

impl std::fmt::Display for FaultPlans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "Plans of faults executed, and survived")?;
        for (controllers, (executed, scenarios)) in &self.0 {
            writeln!(f, "  {controllers:48} {executed:6} over {scenarios} scenarios")?;
        }
        writeln!(f, "\n{} fault plans", self.0.values().map(|(executed, _)| executed).sum::<u64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clauses_of_a_controller_are_added_up_wherever_in_a_line_they_stand() {
        let output = "running 2 tests\nfault plans: a + b: 40 over 2 scenarios\n.fault plans: a + b: 2 over 2 scenarios\n\
                      fault plans: c: 1 over 1 scenarios\nfault plans: many\n";
        let expected = [("a + b".to_owned(), (42, 2)), ("c".to_owned(), (1, 1))];
        assert_eq!(FaultPlans::parse(output), FaultPlans(expected.into()));
    }
}
