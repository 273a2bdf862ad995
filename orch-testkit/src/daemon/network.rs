//! [`Network`]: the connections between the members of a cluster, which can be cut.

use std::io;
use std::net::Ipv4Addr;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// The connections between the members of a cluster. Each member is reached by the others through a gate, which passes
/// everything on, unless either end is cut off.
#[derive(Debug)]
pub(super) struct Network {
    gates: Vec<AbortHandle>,
    isolated: watch::Sender<Option<Isolated>>,
}

/// Who is cut off.
#[derive(Clone, Debug)]
pub(super) struct Isolated {
    /// Its port behind its gate.
    pub(super) port: u16,
    /// What it calls itself to the others.
    pub(super) id: String,
}

/// A way to one member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    /// Where the others find it.
    pub(super) from: u16,
    /// Where it listens.
    pub(super) to: u16,
}

/// A runtime of a thread of its own: that of a test stands still while the test does something that blocks.
static RUNTIME: LazyLock<Handle> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("the operating system gives a runtime");
    let handle = runtime.handle().clone();
    let run = move || runtime.block_on(std::future::pending::<()>());
    thread::Builder::new().name("network".to_owned()).spawn(run).expect("the operating system gives a thread");
    handle
});

impl Network {
    /// Opens the gates.
    ///
    /// # Errors
    /// When a port was taken meanwhile.
    pub(super) fn open(gates: impl IntoIterator<Item = Gate>) -> io::Result<Self> {
        let mut network = Self { gates: Vec::new(), isolated: watch::Sender::new(None) };
        for gate in gates {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, gate.from))?;
            listener.set_nonblocking(true)?;
            let accept = accept(listener, gate.to, network.isolated.subscribe());
            network.gates.push(RUNTIME.spawn(accept).abort_handle());
        }
        Ok(network)
    }

    /// Lets nothing pass any more between this member and others, as if the network had lost it. Connections stay until
    /// `None` ends the isolation.
    pub(super) fn isolate(&self, member: Option<Isolated>) {
        self.isolated.send_replace(member);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Connections end when they see that there is nobody any more who could cut them.
        self.gates.iter().for_each(AbortHandle::abort);
    }
}

async fn accept(listener: std::net::TcpListener, port: u16, isolated: watch::Receiver<Option<Isolated>>) {
    let listener = TcpListener::from_std(listener).expect("the runtime takes a socket");
    loop {
        match listener.accept().await {
            Ok((incoming, _)) => drop(tokio::spawn(pass(incoming, port, isolated.clone()))),
            // Of one connection, or of all while there are too many open files.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn pass(mut incoming: TcpStream, port: u16, mut isolated: watch::Receiver<Option<Isolated>>) {
    let Ok(caller) = caller_of(&incoming).await else { return };
    let Ok(mut outgoing) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    // Of a caller who does not say who it is nothing is known: it may be the one.
    let is_cut = |isolated: &Option<Isolated>| {
        isolated.as_ref().is_some_and(|who| who.port == port || caller.as_ref().is_none_or(|caller| *caller == who.id))
    };
    tokio::select! { biased;
        _ = isolated.wait_for(is_cut) => {}
        // However it ends: who is at its ends finds out.
        _ = tokio::io::copy_bidirectional(&mut incoming, &mut outgoing) => return,
    }
    // Either it is over, or nobody is left who could say so.
    let _ = isolated.wait_for(|isolated| !is_cut(isolated)).await;
}

/// Who calls, if it says so in its first request, as etcd does in all that matter. Takes nothing off the connection.
async fn caller_of(incoming: &TcpStream) -> io::Result<Option<String>> {
    let mut head = [0; 2048];
    loop {
        let length = incoming.peek(&mut head).await?;
        let text = String::from_utf8_lossy(&head[..length]);
        if let Some((_, after)) = text.split_once("\r\nX-Server-From: ")
            && let Some((id, _)) = after.split_once("\r\n")
        {
            return Ok(Some(id.to_owned()));
        }
        if length == 0 || length == head.len() || text.contains("\r\n\r\n") {
            return Ok(None);
        }
        sleep(Duration::from_millis(1)).await;
    }
}
