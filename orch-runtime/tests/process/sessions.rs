//! What sessions need of this program.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

#[test]
#[ignore = "it is the server that containers run"]
fn serves() {
    let variable = |name: &str| std::env::var(name).expect("started as a container");
    let address = std::env::var("SERVED_AT").or_else(|_| std::env::var("POD_IP"));
    let address = address.unwrap_or_else(|_| "127.0.0.1".to_owned());
    let port = variable("SERVED_PORT").parse::<u16>().expect("a number");
    let listener = TcpListener::bind((address, port)).expect("the machine has the address");
    loop {
        let (mut connection, _) = listener.accept().expect("somebody connects");
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = connection.read(&mut buffer) {
            if connection.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
    }
}
