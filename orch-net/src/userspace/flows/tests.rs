use proptest::prelude::*;

use super::*;

const LIMITS: FlowLimits =
    FlowLimits { flows_max: 3, unanswered: Duration::from_secs(30), answered: Duration::from_secs(120) };

fn client(number: u8) -> SocketAddr {
    ([10, 2, 0, number], 4000).into()
}

fn endpoint(number: u8) -> SocketAddr {
    ([10, 1, 0, number], 5353).into()
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// A table with flows of these clients to the endpoint 1, a second apart.
fn table(start: Instant, clients: &[u8]) -> FlowTable<u8> {
    let mut table = FlowTable::new(LIMITS);
    for (second, number) in clients.iter().enumerate() {
        table.begin(client(*number), endpoint(1), *number, start + seconds(second as u64));
    }
    table
}

fn clients(table: &FlowTable<u8>) -> Vec<SocketAddr> {
    table.flows.keys().copied().collect()
}

#[test]
fn a_flow_ends_when_it_was_silent_for_its_time_and_an_answered_one_has_more() {
    let start = Instant::now();
    let mut table = table(start, &[1, 2]);
    assert!(table.answered(client(2), endpoint(1), start + seconds(1)));
    assert_eq!(table.expire(start + seconds(29)), Some(start + seconds(30)));
    assert_eq!(table.lead(client(1), start + seconds(29)), Some((endpoint(1), &1)), "each datagram counts");
    assert_eq!(table.expire(start + seconds(58)), Some(start + seconds(59)));
    assert_eq!(table.expire(start + seconds(59)), Some(start + seconds(121)));
    assert_eq!(clients(&table), [client(2)]);
    assert_eq!(table.expire(start + seconds(121)), None);
    assert_eq!(clients(&table), []);
}

#[test]
fn a_flow_that_is_over_leads_nowhere_even_if_nobody_looked_meanwhile() {
    let start = Instant::now();
    let mut table = table(start, &[1]);
    assert_eq!(table.lead(client(1), start + seconds(30)), None);
    assert_eq!(clients(&table), []);
}

#[test]
fn who_was_silent_longest_gives_way_and_first_who_was_never_answered() {
    let start = Instant::now();
    let mut table = table(start, &[1, 2, 3]);
    table.answered(client(1), endpoint(1), start + seconds(3));
    table.lead(client(2), start + seconds(4));
    table.begin(client(4), endpoint(2), 4, start + seconds(5));
    assert_eq!(clients(&table), [1, 2, 4].map(client), "3 was silent for longer than 2, and 1 was answered");
    for number in [2, 4] {
        table.answered(client(number), table.flows[&client(number)].endpoint, start + seconds(6));
    }
    table.begin(client(5), endpoint(2), 5, start + seconds(7));
    assert_eq!(clients(&table), [2, 4, 5].map(client), "all were answered, 1 first");
}

#[test]
fn an_endpoint_that_refuses_loses_the_flow_and_is_remembered_until_another_one_answers() {
    let start = Instant::now();
    let mut table = table(start, &[1]);
    table.refused(client(1), endpoint(1));
    assert_eq!(table.lead(client(1), start), None);
    assert_eq!(table.refused_by(client(1)), [endpoint(1)]);
    assert!(!table.answered(client(1), endpoint(1), start), "what is on its way from there comes too late");
    table.begin(client(1), endpoint(2), 7, start);
    table.refused(client(1), endpoint(1));
    assert_eq!(
        table.lead(client(1), start),
        Some((endpoint(2), &7)),
        "an old refusal says nothing of the new endpoint"
    );
    assert_eq!(table.refused_by(client(1)), [endpoint(1)]);
    table.answered(client(1), endpoint(2), start);
    assert_eq!(table.refused_by(client(1)), []);
}

#[test]
fn flows_to_endpoints_that_answer_no_more_end_and_the_others_go_on() {
    let start = Instant::now();
    let mut table = table(start, &[1, 2]);
    table.begin(client(3), endpoint(2), 3, start);
    table.refused(client(2), endpoint(1));
    table.keep_to(&BTreeSet::from([endpoint(2), endpoint(3)]));
    assert_eq!(clients(&table), [client(3)]);
    assert_eq!(table.notes[0].len(), 1);
}

#[test]
fn the_longest_time_there_is_is_no_end_at_all() {
    let (start, for_ever) = (Instant::now(), Duration::MAX);
    let mut table = FlowTable::new(FlowLimits { flows_max: 0, unanswered: for_ever, answered: for_ever });
    table.begin(client(1), endpoint(1), 1, start);
    assert_eq!(table.expire(start + seconds(1_000_000)), None);
    assert_eq!(clients(&table), [client(1)], "there is room for one at least");
}

/// The table as anybody would write it: a list that is searched through each time.
#[derive(Debug, Default)]
struct Model(Vec<ModelFlow>);

#[derive(Clone, Debug)]
struct ModelFlow {
    client: SocketAddr,
    endpoint: SocketAddr,
    refused: bool,
    answered: bool,
    used: Instant,
}

impl Model {
    fn expire(&mut self, now: Instant) {
        self.0.retain(|flow| now - flow.used < LIMITS.timeout(flow.answered));
    }

    fn flow(&mut self, client: SocketAddr, endpoint: SocketAddr) -> Option<&mut ModelFlow> {
        self.0.iter_mut().find(|flow| flow.client == client && flow.endpoint == endpoint && !flow.refused)
    }

    fn begin(&mut self, client: SocketAddr, endpoint: SocketAddr, now: Instant) {
        self.0.retain(|flow| flow.client != client);
        if self.0.len() == LIMITS.flows_max {
            let first = self.0.iter().map(|flow| (flow.answered, flow.used, flow.client)).min();
            self.0.retain(|flow| Some(flow.client) != first.map(|(_, _, client)| client));
        }
        self.0.push(ModelFlow { client, endpoint, refused: false, answered: false, used: now });
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A datagram; where its client has no flow, one begins to this endpoint.
    Datagram(u8, u8),
    Answer(u8, u8),
    Refusal(u8, u8),
    Keep(BTreeSet<u8>),
    Wait(u64),
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..6_u8, 0..3_u8).prop_map(|(client, endpoint)| Step::Datagram(client, endpoint)),
        3 => (0..6_u8, 0..3_u8).prop_map(|(client, endpoint)| Step::Answer(client, endpoint)),
        1 => (0..6_u8, 0..3_u8).prop_map(|(client, endpoint)| Step::Refusal(client, endpoint)),
        1 => prop::collection::btree_set(0..3_u8, 0..4).prop_map(Step::Keep),
        3 => (1..50_u64).prop_map(Step::Wait),
        2 => Just(Step::Expire),
    ]
}

proptest! {
    /// A flow keeps its endpoint as long as it lasts, an answer comes through from there alone, and no more is remembered
    /// than the limit.
    #[test]
    fn flows_are_led_as_a_plain_list_would_lead_them(steps in prop::collection::vec(step(), 0..80)) {
        let (mut now, mut table, mut model) = (Instant::now(), FlowTable::new(LIMITS), Model::default());
        for step in steps {
            // Two things never happen at the same time, so that one always was silent for longer.
            now += Duration::from_millis(1);
            match step {
                Step::Datagram(from, to) => {
                    let from = client(from);
                    // What nobody looked at may still take room, in the table; the other is no worse.
                    table.expire(now);
                    model.expire(now);
                    let expected = model.0.iter_mut().find(|flow| flow.client == from);
                    let expected = expected.and_then(|flow| {
                        flow.used = now;
                        (!flow.refused).then_some(flow.endpoint)
                    });
                    prop_assert_eq!(table.lead(from, now).map(|(endpoint, _)| endpoint), expected);
                    if expected.is_none() {
                        table.begin(from, endpoint(to), (), now);
                        model.begin(from, endpoint(to), now);
                    }
                }
                Step::Answer(to, from) => {
                    let expected = model.flow(client(to), endpoint(from)).map(|flow| (flow.answered, flow.used) = (true, now));
                    prop_assert_eq!(table.answered(client(to), endpoint(from), now), expected.is_some());
                }
                Step::Refusal(to, from) => {
                    table.refused(client(to), endpoint(from));
                    if let Some(flow) = model.flow(client(to), endpoint(from)) {
                        flow.refused = true;
                    }
                }
                Step::Keep(endpoints) => {
                    let endpoints = endpoints.into_iter().map(endpoint).collect();
                    table.keep_to(&endpoints);
                    model.0.retain(|flow| !flow.refused && endpoints.contains(&flow.endpoint));
                }
                Step::Wait(time) => now += seconds(time),
                Step::Expire => {
                    let next = table.expire(now);
                    model.expire(now);
                    let end = model.0.iter().map(|flow| flow.used + LIMITS.timeout(flow.answered)).min();
                    prop_assert_eq!(next.is_none(), end.is_none());
                    prop_assert!(next <= end && next.is_none_or(|next| next > now), "{:?} is late for {:?}", next, end);
                }
            }
            prop_assert!(table.flows.len() <= LIMITS.flows_max);
            prop_assert_eq!(table.notes.iter().map(BTreeSet::len).sum::<usize>(), table.flows.len());
        }
        table.expire(now);
        model.expire(now);
        let left = model.0.iter().map(|flow| flow.client).collect::<BTreeSet<_>>();
        prop_assert_eq!(table.flows.into_keys().collect::<BTreeSet<_>>(), left);
    }
}
