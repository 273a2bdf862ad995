use proptest::prelude::*;

use super::scheduler::{Call, CallType, Event, EventType, Update};
use super::*;

fn call(json: &str) -> Result<Call, String> {
    MediaType::Json.decode(json.as_bytes(), "Call").map_err(|error: WireError| error.to_string())
}

#[test]
fn json_is_read_as_leniently_as_clients_write_it() {
    let call = call(
        r#"{"type":"ACCEPT","framework_id":{"value":"f"},"odd":{"deep":[1]},"subscribe":null,"accept":{
            "offer_ids":{"value":"o"},"filters":{"refuse_seconds":"0.5"},
            "operations":[{"type":"LAUNCH","launch":{"task_infos":[{
                "name":"t","task_id":{"value":"t"},"agent_id":{"value":"a"},"slave_id":{"value":"a"},
                "resources":{"name":"cpus","type":"SCALAR","scalar":{"value":1},"role":null},
                "data":"aGk=","command":{"value":"true","shell":"true","environment":{"variables":[]}},
                "kill_policy":{"grace_period":{"nanoseconds":"5"}}}]}}]}}"#,
    )
    .unwrap();
    assert_eq!(call.r#type(), CallType::Accept);
    let accept = call.accept.unwrap();
    assert_eq!(accept.offer_ids, ["o".into()]);
    assert_eq!(accept.filters.unwrap().refuse_seconds(), 0.5);
    let task = &accept.operations[0].launch.as_ref().unwrap().task_infos[0];
    assert_eq!(task.resources[0].scalar, Some(Scalar { value: 1.0 }));
    assert_eq!(task.data.as_deref(), Some(&b"hi"[..]));
    assert!(task.command.as_ref().unwrap().shell());
    assert_eq!(task.kill_policy.as_ref().unwrap().grace_period, Some(DurationInfo { nanoseconds: 5 }));
}

#[test]
fn a_name_that_is_not_known_is_unset_where_it_may_be() {
    assert_eq!(call(r#"{"type":"DANCE"}"#).unwrap().r#type, None);
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason_and_the_place() {
    let refusals = [
        ("{", "Failed to parse body into JSON: "),
        ("[]", "Failed to convert JSON into Call protobuf: Expecting a JSON object, not a JSON array"),
        (r#"{"type":5.5}"#, "Failed to convert JSON into Call protobuf: Failed to find enum for 'type': 5.5"),
        (r#"{"framework_id":"f"}"#, "Not expecting a JSON string for field 'framework_id'"),
        (r#"{"acknowledge":{"uuid":"%%"}}"#, "Failed to decode base64 of 'acknowledge.uuid'"),
        (
            r#"{"subscribe":{"framework_info":{"name":"n"}},"kill":{}}"#,
            "Missing required fields: subscribe.framework_info.user, kill.task_id",
        ),
    ];
    for (json, expected) in refusals {
        let refusal = call(json).unwrap_err();
        assert!(refusal.contains(expected), "{json}: {refusal}");
    }
}

#[test]
fn json_in_itself_without_end_is_refused() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(call(&deep).unwrap_err().starts_with("Failed to parse body into JSON"));
    let parent = format!("{}null{}", r#"{"value":"c","parent":"#.repeat(100), "}".repeat(100));
    let refused = MediaType::Json.decode::<ContainerId>(parent.as_bytes(), "ContainerID").unwrap_err();
    assert!(refused.to_string().contains("messages in each other"), "{refused}");
}

#[test]
fn a_number_that_is_too_large_for_its_field_is_refused() {
    let port = br#"{"host_port":4294967297,"container_port":1}"#;
    assert!(MediaType::Json.decode::<PortMapping>(port, "PortMapping").is_err());
}

#[test]
fn protobuf_that_lacks_a_field_is_refused_by_its_name() {
    let lacking = [0x1a, 0x02, 0x0a, 0x00];
    let refused = MediaType::Protobuf.decode::<Call>(&lacking, "Call").unwrap_err();
    assert!(refused.to_string().contains("Missing required fields: subscribe.framework_info.user"), "{refused}");
    assert!(MediaType::Protobuf.decode::<Call>(b"\xff\xff", "Call").is_err());
}

#[test]
fn json_is_written_as_mesos_writes_it() {
    let mut status = TaskStatus { task_id: "t".into(), uuid: Some(vec![0; 16]), ..TaskStatus::default() };
    status.set_state(TaskState::Running);
    status.set_source(Source::Executor);
    status.timestamp = Some(1.0);
    status.labels = Some(Labels::default());
    let event = Event { r#type: Some(EventType::Update.into()), update: Some(Update { status }), ..Event::default() };
    assert_eq!(
        MediaType::Json.encode(&event),
        "{\"type\":\"UPDATE\",\"update\":{\"status\":{\"task_id\":{\"value\":\"t\"},\"state\":\"TASK_RUNNING\",\
         \"source\":\"SOURCE_EXECUTOR\",\"timestamp\":1.0,\"uuid\":\"AAAAAAAAAAAAAAAAAAAAAA==\",\"labels\":{}}}}"
    );
    let command = CommandInfo { value: Some("\u{1}\"ä".to_owned()), ..CommandInfo::default() };
    assert_eq!(MediaType::Json.encode(&command), "{\"shell\":true,\"value\":\"\\u0001\\\"ä\"}");
    let limits = TaskInfo { limits: [("mem".to_owned(), Scalar { value: 1.5 })].into(), ..TaskInfo::default() };
    assert!(String::from_utf8_lossy(&MediaType::Json.encode(&limits)).ends_with(r#""limits":{"mem":{"value":1.5}}}"#));
}

fn resource() -> impl Strategy<Value = Resource> {
    (".{0,8}", any::<i32>().prop_map(|thousandths| f64::from(thousandths) / 1000.0), any::<u64>(), 0..4_i32).prop_map(
        |(name, value, end, kind)| Resource {
            name,
            r#type: kind,
            scalar: Some(Scalar { value }),
            ranges: Some(Ranges { range: vec![Range { begin: 0, end }] }),
            set: Some(Set { item: vec!["a".to_owned(), String::new()] }),
            revocable: Some(Nothing {}),
            ..Resource::default()
        },
    )
}

proptest! {
    #[test]
    fn both_forms_carry_the_same(resources in proptest::collection::vec(resource(), 0..4), data: Vec<u8>, port: i32) {
        let task = TaskInfo { name: "ü".to_owned(), resources, data: Some(data), ..TaskInfo::default() };
        let agent = AgentInfo { port: Some(port), ..AgentInfo::default() };
        for media in [MediaType::Json, MediaType::Protobuf] {
            prop_assert_eq!(&media.decode::<TaskInfo>(&media.encode(&task), "TaskInfo").unwrap(), &task);
            prop_assert_eq!(&media.decode::<AgentInfo>(&media.encode(&agent), "AgentInfo").unwrap(), &agent);
        }
    }

    #[test]
    fn no_bytes_bring_it_down(bytes: Vec<u8>) {
        let _ = MediaType::Protobuf.decode::<Call>(&bytes, "Call");
        let _ = MediaType::Json.decode::<Call>(&bytes, "Call");
    }
}
