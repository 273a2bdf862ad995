//! Sessions over connections: what comes from one as [`Output`], and what is sent to one as [`Input`].

use bytes::{Bytes, BytesMut};
use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{StreamExt as _, stream};
use orch_core::runtime::{Input, Output, RuntimeError, TerminalSize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinHandle;

use super::error::Failure;
use super::stream::{Channel, Frames};

/// How much is read at once.
const CHUNK: usize = 32 << 10;
/// What ends the input of a terminal.
pub(super) const END_OF_TRANSMISSION: &[u8] = b"\x04";

/// How output comes.
#[derive(Debug)]
pub(super) enum Decoder {
    /// Standard output and error in frames.
    Frames(Frames),
    /// As it is.
    Plain,
}

/// How a session ends: the last item, if there is one.
pub(super) type Epilogue = BoxFuture<'static, Result<Option<Output>, RuntimeError>>;

/// Ends a task when it is dropped.
#[derive(Debug)]
pub(super) struct Bound(pub(super) JoinHandle<()>);

impl Drop for Bound {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What comes from a connection, to its end, and then how that is to be understood. Read only as fast as it is polled.
/// What `epilogue` owns is dropped with the stream, and so is `pump`.
pub(super) fn output<R: AsyncRead + Unpin + Send + 'static>(
    reader: R,
    decoder: Decoder,
    pump: Bound,
    epilogue: Epilogue,
) -> BoxStream<'static, Result<Output, RuntimeError>> {
    let state = Listening { reader, decoder, buffer: BytesMut::new(), epilogue: Some(epilogue), _pump: pump };
    stream::try_unfold(state, |mut state| async move { Ok(state.next().await?.map(|item| (item, state))) }).boxed()
}

struct Listening<R> {
    reader: R,
    decoder: Decoder,
    buffer: BytesMut,
    epilogue: Option<Epilogue>,
    _pump: Bound,
}

impl<R: AsyncRead + Unpin> Listening<R> {
    async fn next(&mut self) -> Result<Option<Output>, RuntimeError> {
        while self.epilogue.is_some() {
            if let Decoder::Frames(frames) = &mut self.decoder
                && let Some(piece) = frames.next().map_err(|why| Failure::of_answer("a session", why))?
            {
                return Ok(Some(match piece.channel {
                    Channel::Stdout => Output::Stdout(piece.bytes),
                    Channel::Stderr => Output::Stderr(piece.bytes),
                }));
            }
            self.buffer.reserve(CHUNK);
            let read = self.reader.read_buf(&mut self.buffer).await;
            if read.map_err(|error| Failure::of_connection("a session", error))? == 0 {
                let Some(epilogue) = self.epilogue.take() else { break };
                return epilogue.await;
            }
            let bytes = self.buffer.split().freeze();
            match &mut self.decoder {
                Decoder::Frames(frames) => frames.push(&bytes),
                Decoder::Plain => return Ok(Some(Output::Stdout(bytes))),
            }
        }
        Ok(None)
    }
}

/// Where input goes.
pub(super) struct Sink<W> {
    /// `None`: it is dropped.
    pub(super) writer: Option<W>,
    pub(super) terminal: bool,
}

impl<W: AsyncWrite + Unpin> Sink<W> {
    /// Passes input on until nobody takes it any more. `resize` is told the sizes of the terminal.
    pub(super) async fn pump(
        mut self,
        mut input: mpsc::Receiver<Input>,
        resize: impl AsyncFn(TerminalSize) -> Result<(), Failure>,
    ) {
        while let Some(input) = input.next().await {
            let taken = match input {
                Input::Bytes(bytes) => self.write(&bytes).await,
                Input::End => self.end().await,
                Input::Resize(size) => {
                    if let Err(failure) = resize(size).await {
                        tracing::debug!(error = failure.message, "a terminal was not resized");
                    }
                    Ok(())
                }
                _ => Ok(()),
            };
            // The program has ended, or has closed its input.
            if taken.is_err() {
                self.writer = None;
            }
        }
    }

    async fn write(&mut self, bytes: &Bytes) -> std::io::Result<()> {
        match &mut self.writer {
            Some(writer) => {
                writer.write_all(bytes).await?;
                writer.flush().await
            }
            None => Ok(()),
        }
    }

    async fn end(&mut self) -> std::io::Result<()> {
        match &mut self.writer {
            Some(_) if self.terminal => self.write(&Bytes::from_static(END_OF_TRANSMISSION)).await,
            Some(writer) => writer.shutdown().await,
            None => Ok(()),
        }
    }
}
