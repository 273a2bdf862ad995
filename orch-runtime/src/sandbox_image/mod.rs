//! The image of sandboxes: a file system with one program that does nothing, made here, so that no registry is needed.
//!
//! A pod's sandbox holds its namespaces for as long as a process lives in them. The program is the least that can be
//! executed: the header of an ELF file, one of a segment, and a few instructions that wait for ever. As the first
//! process of its namespace it is given no signal that it does not ask for, so only SIGKILL ends it.

mod archive;

use self::archive::{file, finish};

/// What it is called. Another content gets another tag.
pub(crate) const NAME: &str = "orch-sandbox:1";

/// Where the program is in the image.
const PROGRAM: &str = "pause";

/// An architecture: what Docker calls it, its number in ELF, its instructions, and the digest of the layer that they
/// make. The digest is checked by whoever imports the image; the tests compare it with what an importer says.
struct Architecture {
    name: &'static str,
    machine: u16,
    code: &'static [u8],
    layer: &'static str,
}

/// The architecture of this program.
#[cfg(target_arch = "x86_64")]
const HERE: Architecture = Architecture {
    name: "amd64",
    machine: 62,
    code: &[
        0xb8, 0x22, 0x00, 0x00, 0x00, // mov eax, 34    the number of pause
        0x0f, 0x05, //                   syscall
        0xeb, 0xf7, //                   jmp -9         to the begin
    ],
    layer: "sha256:d012e76fb0d3a21491246985d25c61c0cea63967a27a1c85f3ce22206fa593da",
};

/// The architecture of this program.
#[cfg(target_arch = "aarch64")]
const HERE: Architecture = Architecture {
    name: "arm64",
    machine: 183,
    // There is no pause: ppoll without descriptors and without a time waits for ever as well.
    code: &[
        0x00, 0x00, 0x80, 0xd2, // mov x0, 0
        0x01, 0x00, 0x80, 0xd2, // mov x1, 0
        0x02, 0x00, 0x80, 0xd2, // mov x2, 0
        0x03, 0x00, 0x80, 0xd2, // mov x3, 0
        0x04, 0x00, 0x80, 0xd2, // mov x4, 0
        0x28, 0x09, 0x80, 0xd2, // mov x8, 73     the number of ppoll
        0x01, 0x00, 0x00, 0xd4, // svc 0
        0xf9, 0xff, 0xff, 0x17, // b -28          to the begin
    ],
    layer: "sha256:9e4cdf812ca82bbb6d455fda016d9a662aa48ae3cc93f8b162ccad8c034f9ed0",
};

/// Where the program is loaded to.
const ADDRESS: u64 = 0x40_0000;
/// The lengths of the two headers.
const ELF_HEADER: u16 = 64;
const SEGMENT_HEADER: u16 = 56;

impl Architecture {
    /// An ELF file with one segment, which is the whole file.
    fn program(&self) -> Vec<u8> {
        let headers = u64::from(ELF_HEADER + SEGMENT_HEADER);
        let length = headers + self.code.len() as u64;
        let mut file = Vec::new();
        // 64 bits, little endian, version 1 of the format, no particular system.
        file.extend(*b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        file.extend(2_u16.to_le_bytes()); // an executable
        file.extend(self.machine.to_le_bytes());
        file.extend(1_u32.to_le_bytes()); // version
        file.extend((ADDRESS + headers).to_le_bytes()); // where it begins
        file.extend(u64::from(ELF_HEADER).to_le_bytes()); // where the header of the segment is
        file.extend(0_u64.to_le_bytes()); // no sections
        file.extend(0_u32.to_le_bytes()); // no flags
        for number in [ELF_HEADER, SEGMENT_HEADER, 1, 0, 0, 0] {
            file.extend(number.to_le_bytes()); // lengths and numbers of headers
        }
        file.extend(1_u32.to_le_bytes()); // to be loaded
        file.extend(5_u32.to_le_bytes()); // to be read and executed
        for number in [0, ADDRESS, ADDRESS, length, length, 0x1000] {
            file.extend(u64::to_le_bytes(number)); // where in the file and in memory, how long, how aligned
        }
        file.extend(self.code);
        file
    }

    fn layer(&self) -> Vec<u8> {
        finish(file(PROGRAM, 0o755, &self.program()))
    }

    fn config(&self) -> String {
        format!(
            r#"{{"architecture":"{}","os":"linux","config":{{"Entrypoint":["/{PROGRAM}"]}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            self.name, self.layer
        )
    }

    fn archive(&self) -> Vec<u8> {
        let manifest = format!(r#"[{{"Config":"config.json","RepoTags":["{NAME}"],"Layers":["layer.tar"]}}]"#);
        let files = [
            ("config.json", self.config().into_bytes()),
            ("layer.tar", self.layer()),
            ("manifest.json", manifest.into()),
        ];
        finish(files.iter().flat_map(|(name, bytes)| file(name, 0o644, bytes)).collect())
    }
}

/// The image as `docker save` would write it.
pub(crate) fn archive() -> Vec<u8> {
    HERE.archive()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_runs_until_it_is_killed() {
        use std::os::unix::fs::PermissionsExt;
        use std::os::unix::process::ExitStatusExt as _;

        let path = std::env::temp_dir().join(format!("orch-pause-{}", std::process::id()));
        std::fs::write(&path, HERE.program()).expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).expect("its own file");
        let mut child = std::process::Command::new(&path).spawn().expect("it is a program");
        let stat = || std::fs::read_to_string(format!("/proc/{}/syscall", child.id())).unwrap_or_default();
        // It waits in the call that it makes, on a machine that lets one see that.
        while stat().starts_with("running") {
            std::thread::yield_now();
        }
        assert_eq!(child.try_wait().expect("a child"), None, "it does not end by itself");
        child.kill().expect("killed");
        assert_eq!(child.wait().expect("a child").signal(), Some(9));
        std::fs::remove_file(&path).expect("removed");
    }

    #[test]
    fn the_archive_is_the_same_each_time_and_small() {
        assert_eq!(archive(), archive());
        assert!(archive().len() <= 10 << 10 && archive().len().is_multiple_of(512));
    }
}
