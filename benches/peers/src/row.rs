//! A row of the table.

use crate::measure::{Cost, Measured, Side, in_turn, spread};

/// A row of the table: what was done, ours, what it is held against, and what it should be.
pub struct Row {
    what: String,
    ours: Vec<Cost>,
    peer: String,
    theirs: Vec<Cost>,
    remark: String,
    goals: Vec<Goal>,
}

/// What a row should show.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// At least so many operations a second.
    PerSecond(f64),
    /// At most so many nanoseconds an operation.
    Nanoseconds(f64),
    /// At least so many times as fast as what it is held against, on the wall.
    TimesAsFast(f64),
    /// At most so many nanoseconds an operation more than what it is held against, on the wall.
    NanosecondsMore(f64),
}

impl Row {
    /// The head of the table.
    const HEAD: &str = "\
| what | ours, per operation | held against, per operation | our speed ÷ the other’s, wall | the same, processor time | goal |
|---|---|---|---|---|---|";

    /// Of two sides that were measured in turn.
    pub fn of(what: &str, ours: &Measured, peer: &Measured) -> Self {
        Self {
            what: format!("{what}: {}", ours.name),
            ours: ours.costs.clone(),
            peer: peer.name.clone(),
            theirs: peer.costs.clone(),
            remark: String::new(),
            goals: Vec::new(),
        }
    }

    /// Measures ours and the peer in turn.
    pub fn pair(what: impl Into<String>, peer: &str, ours: impl FnMut() -> Cost, theirs: impl FnMut() -> Cost) -> Self {
        let [ours, theirs] = in_turn([Side::new("", ours), Side::new(peer, theirs)]);
        Self { what: what.into(), ..Self::of("", &ours, &theirs) }
    }

    /// Adds a remark about our median of operations a second.
    pub fn remark(mut self, remark: impl FnOnce(f64) -> String) -> Self {
        self.remark = format!("; {}", remark(1e9 / wall(&self.ours)));
        self
    }

    /// Adds a remark about ours that nothing in the row tells.
    pub fn note(mut self, note: &str) -> Self {
        self.remark = format!("; {note}");
        self
    }

    /// Says what the row should show, beside what was said before.
    pub fn goal(self, goal: Goal) -> Self {
        self.goal_if(true, goal)
    }

    /// Says what the row should show, if the goal is about such rows.
    pub fn goal_if(mut self, is_about_it: bool, goal: Goal) -> Self {
        self.goals.extend(is_about_it.then_some(goal));
        self
    }

    /// Prints rows as a table, each group as soon as it is measured.
    pub fn print_table(groups: impl IntoIterator<Item = Vec<Self>>) {
        println!("\n{}", Self::HEAD);
        groups.into_iter().flatten().for_each(|row| println!("{}", row.markdown()));
    }

    /// The row in Markdown.
    fn markdown(&self) -> String {
        let (wall, cpu) = (self.ratio(|cost| cost.wall), self.ratio(|cost| cost.cpu));
        let (ours, theirs) = (shown(&self.ours), shown(&self.theirs));
        let goals: Vec<String> = self.goals.iter().map(|goal| self.held_to(*goal)).collect();
        let (goal, peer, what) = (goals.join("; "), &self.peer, &self.what);
        let ratio =
            |(least, middle, most): (f64, f64, f64)| format!("{} ({}–{})", factor(middle), factor(least), factor(most));
        format!("| {what} | {ours}{} | {peer}: {theirs} | {} | {} | {goal} |", self.remark, ratio(wall), ratio(cpu))
    }

    /// How many times the other's cost is ours, pair by pair.
    fn ratio(&self, part: fn(&Cost) -> f64) -> (f64, f64, f64) {
        let pairs = self.ours.iter().zip(&self.theirs);
        spread(pairs.map(|(ours, theirs)| part(theirs) / part(ours)).collect())
    }

    fn held_to(&self, goal: Goal) -> String {
        let nanoseconds = wall(&self.ours);
        let (asked, achieved) = match goal {
            Goal::PerSecond(rate) => (format!("≥ {}", per_second(rate)), 1e9 / nanoseconds / rate),
            Goal::Nanoseconds(most) => (format!("≤ {}", time(most)), most / nanoseconds),
            Goal::NanosecondsMore(most) => {
                let pairs = self.ours.iter().zip(&self.theirs);
                let (least, more, highest) = spread(pairs.map(|(ours, theirs)| ours.wall - theirs.wall).collect());
                let found = format!("it is {} ({}–{})", signed(more), signed(least), signed(highest));
                (format!("≤ {} more, {found}", time(most)), most / more.max(1.0))
            }
            Goal::TimesAsFast(times) => (format!("≥ {times} ×"), self.ratio(|cost| cost.wall).1 / times),
        };
        verdict(&asked, achieved)
    }
}

/// A goal, and whether it was met. `achieved` is 1 when it was just met, 2 when twice.
pub fn verdict(asked: &str, achieved: f64) -> String {
    // Rounded down: what was missed is never shown as reached.
    let reached = (achieved * 100.0).floor() / 100.0;
    match achieved {
        1.0.. => format!("{asked}: met"),
        0.1.. => format!("{asked}: missed, {reached:.2} of it"),
        _ => format!("{asked}: missed, {} of it", factor(achieved)),
    }
}

/// The median of time on the wall.
fn wall(costs: &[Cost]) -> f64 {
    spread(costs.iter().map(|cost| cost.wall).collect()).1
}

/// Median of time on the wall, and operations a second.
fn shown(costs: &[Cost]) -> String {
    let nanoseconds = wall(costs);
    format!("{} ({})", time(nanoseconds), per_second(1e9 / nanoseconds))
}

/// So many nanoseconds, in the unit that suits.
pub fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.1} µs", n / 1e3),
        n => format!("{:.1} ms", n / 1e6),
    }
}

/// The same of a difference.
fn signed(nanoseconds: f64) -> String {
    if nanoseconds < 0.0 { format!("−{}", time(-nanoseconds)) } else { time(nanoseconds) }
}

/// So many a second, in the unit that suits.
pub fn per_second(rate: f64) -> String {
    match rate {
        r if r >= 1e6 => format!("{:.2}M/s", r / 1e6),
        r if r >= 1e3 => format!("{:.1}K/s", r / 1e3),
        r => format!("{r:.1}/s"),
    }
}

/// A factor, small ones as fractions.
fn factor(factor: f64) -> String {
    if factor < 0.1 { format!("1/{:.0}", 1.0 / factor) } else { format!("{factor:.2}") }
}
