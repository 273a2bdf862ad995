//! What a running cluster answers: on a socket in its state folder, in the kubelet's words and Kubernetes' JSON.
//!
//! | request | answer |
//! |---|---|
//! | `GET /api/KIND[?namespace=N]` | the objects of a kind: `pods`, `svc` |
//! | `GET /containerLogs/NAMESPACE/POD/CONTAINER` | output; `follow`, `tailLines`, `sinceSeconds`, `previous`, `timestamps` |
//! | `POST /exec/NAMESPACE/POD/CONTAINER?command=…` | a session; `input`, `tty=COLUMNSxROWS` |
//! | `POST /attach/NAMESPACE/POD/CONTAINER` | a session |
//! | `POST /portForward/NAMESPACE/POD?port=N` | a session |
//! | `GET /stats/summary` | what nodes, pods and containers use |
//! | `GET /images` | the images of every node |
//!
//! A container may be `-`, for the first of the pod or the one that its annotation
//! `kubectl.kubernetes.io/default-container` names. What goes wrong is a `Status` object, as in Kubernetes.

mod client;
mod frame;
mod kinds;
mod objects;
mod problem;
mod server;
mod session;
mod summary;
mod target;

pub(crate) use client::{ApiClient, ApiError, escaped};
pub(crate) use frame::{
    CHANNEL_ERROR, CHANNEL_EXIT, CHANNEL_RESIZE, CHANNEL_STDERR, CHANNEL_STDIN, CHANNEL_STDOUT, Frame,
};
pub(crate) use objects::list_objects;
pub(crate) use server::{Api, ServeError};
pub(crate) use summary::Summary;
