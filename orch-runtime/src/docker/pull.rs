//! Images from registries.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use orch_core::runtime::{Credentials, Image, ImageError, ImageName, PullProgress};
use serde_json::json;

use super::client::Call;
use super::convert::image_reference;
use super::error::Failure;
use super::{Shared, wire};

impl Shared {
    pub(super) async fn pull(
        &self,
        name: &ImageName,
        credentials: Option<&Credentials>,
        progress: &(dyn Fn(PullProgress) + Send + Sync),
    ) -> Result<Image, ImageError> {
        let which = name.digest().or(name.tag()).unwrap_or("latest");
        let call = Call::post("/images/create")
            .query("fromImage", format!("{}/{}", name.registry(), name.repository()))
            .query("tag", which)
            .registry_auth(credentials.map(|credentials| registry_auth(name, credentials)));
        let mut said =
            self.client.objects_both_ways::<wire::Progress>(call).await.map_err(|failure| refused(name, failure))?;
        let mut layers = Layers::default();
        while let Some(line) = said.next().await {
            let line = line.map_err(|failure| refused(name, failure))?;
            // The answer has begun as a success when Docker finds out that it is none.
            if !line.error.is_empty() {
                return Err(meaning(name, &line.error));
            }
            layers.note(&line);
            if let Some(sum) = layers.sum() {
                progress(sum);
            }
        }
        let image = self.find_image(&image_reference(name)).await?;
        let image =
            image.ok_or_else(|| Failure::of_own(format!("{name} was removed while it was pulled: pull it again")))?;
        // Layers that were there already are not told by their size.
        let bytes = layers.sum().map_or(image.size_bytes, |sum| sum.total_bytes);
        progress(PullProgress { done_bytes: bytes, total_bytes: bytes });
        Ok(image)
    }
}

/// How far each layer has come.
#[derive(Debug, Default)]
struct Layers(BTreeMap<String, PullProgress>);

impl Layers {
    fn note(&mut self, line: &wire::Progress) {
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        let (current, total) = (number(line.progress_detail.current), number(line.progress_detail.total));
        match line.status.as_str() {
            "Downloading" if total > 0 => {
                self.0.insert(line.id.clone(), PullProgress { done_bytes: current.min(total), total_bytes: total });
            }
            "Download complete" | "Pull complete" => {
                if let Some(layer) = self.0.get_mut(&line.id) {
                    layer.done_bytes = layer.total_bytes;
                }
            }
            _ => {}
        }
    }

    fn sum(&self) -> Option<PullProgress> {
        let add = |a: PullProgress, b: &PullProgress| PullProgress {
            done_bytes: a.done_bytes.saturating_add(b.done_bytes),
            total_bytes: a.total_bytes.saturating_add(b.total_bytes),
        };
        (!self.0.is_empty()).then(|| self.0.values().fold(PullProgress::default(), add))
    }
}

fn refused(name: &ImageName, failure: Failure) -> ImageError {
    match failure.status {
        Some(_) => meaning(name, &failure.message),
        None => failure.into(),
    }
}

/// What the daemon's words mean: it has no others.
fn meaning(name: &ImageName, says: &str) -> ImageError {
    let (image, message) = (name.clone(), says.to_owned());
    let any = |words: &[&str]| words.iter().any(|words| says.contains(words));
    if any(&["no space left", "disk quota exceeded"]) {
        return ImageError::Unavailable { message, transient: true, source: None };
    }
    if any(&[
        "unauthorized",
        "access denied",
        "access to the resource is denied",
        "no basic auth",
        "authentication required",
    ]) {
        return ImageError::Denied { image, message };
    }
    if any(&["no matching manifest", "verification failed", "unsupported media type", "invalid", "does not match"])
        && !any(&["invalid character", "invalid reference"])
    {
        return ImageError::Invalid { message: format!("{name}: {message}") };
    }
    if any(&["manifest unknown", "not found", "name unknown", "No such image"]) && !any(&["lookup ", "no such host"]) {
        return ImageError::NotFound { image, message };
    }
    ImageError::Registry { registry: name.registry().to_owned(), message, transient: true, source: None }
}

/// Who asks, as Docker wants to be told.
fn registry_auth(name: &ImageName, credentials: &Credentials) -> String {
    let server = match name.registry() {
        "docker.io" => "https://index.docker.io/v1/",
        registry => registry,
    };
    let Credentials { username, password } = credentials;
    let auth = json!({ "username": username, "password": password, "serveraddress": server });
    base64_url(auth.to_string().as_bytes())
}

/// Base64 with `-` and `_`, as a header may carry it.
fn base64_url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for digit in 0..4 {
            let index = bits >> (18 - 6 * digit) & 63;
            text.push(if digit <= group.len() { DIGITS[index as usize].into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"), ("~~~???", "fn5-Pz8_")]
        {
            assert_eq!(base64_url(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn what_docker_says_of_a_pull_is_understood() {
        let name: ImageName = "127.0.0.1:5000/web:1".parse().expect("a name");
        let meant = |says: &str| match meaning(&name, says) {
            ImageError::NotFound { .. } => "not found",
            ImageError::Denied { .. } => "denied",
            ImageError::Invalid { .. } => "invalid",
            ImageError::Registry { .. } => "registry",
            _ => "unavailable",
        };
        for (says, expected) in [
            ("manifest for 127.0.0.1:5000/web:1 not found: manifest unknown: manifest unknown", "not found"),
            ("pull access denied for web, repository does not exist or may require 'docker login'", "denied"),
            ("Head \"http://127.0.0.1:5000/v2/web/manifests/1\": no basic auth credentials", "denied"),
            ("unauthorized: authentication required", "denied"),
            ("no matching manifest for linux/amd64 in the manifest list entries", "invalid"),
            ("filesystem layer verification failed for digest sha256:1", "invalid"),
            ("error pulling image configuration: image config verification failed for digest sha256:1", "invalid"),
            ("Get \"http://127.0.0.1:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused", "registry"),
            ("Get \"https://x/v2/\": dial tcp: lookup x on 1.1.1.1:53: no such host", "registry"),
            ("toomanyrequests: You have reached your pull rate limit", "registry"),
            ("write /var/lib/docker/tmp/x: no space left on device", "unavailable"),
        ] {
            assert_eq!(meant(says), expected, "{says}");
        }
    }

    #[test]
    fn progress_is_of_all_layers_and_never_goes_beyond_the_end() {
        let line = |id: &str, status: &str, current, total| wire::Progress {
            id: id.to_owned(),
            status: status.to_owned(),
            progress_detail: wire::ProgressDetail { current, total },
            ..wire::Progress::default()
        };
        let mut layers = Layers::default();
        assert_eq!(layers.sum(), None);
        for line in [
            line("a", "Pulling fs layer", 0, 0),
            line("a", "Downloading", 5, 10),
            line("b", "Downloading", 40, 30),
            line("a", "Extracting", 1, 10),
            line("a", "Pull complete", 0, 0),
        ] {
            layers.note(&line);
        }
        assert_eq!(layers.sum(), Some(PullProgress { done_bytes: 40, total_bytes: 40 }));
    }
}
