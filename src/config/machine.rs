//! How much memory there is for the program: what is installed, and what a control group (a service's
//! MemoryMax, a container) leaves of it. Reads the kernel's own files and no other.

use std::fs;
use std::path::{Path, PathBuf};

/// Where both versions of control groups are mounted, systemd or not.
const GROUPS: &str = "/sys/fs/cgroup";

/// Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    pub installed: u64,
    /// The lowest limit above us; `None` without one.
    pub allowed: Option<u64>,
}

impl Memory {
    pub fn look() -> Memory {
        let system = rustix::system::sysinfo();
        // In units of `mem_unit` bytes.
        #[allow(clippy::useless_conversion, reason = "`totalram` is a u32 on a 32-bit machine")]
        let installed = u64::from(system.totalram).saturating_mul(u64::from(system.mem_unit));
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let allowed = allowed(&own, |path| fs::read_to_string(path).ok());
        // Version 1 says "no limit" by a number that no machine has.
        Memory { installed, allowed: allowed.filter(|allowed| *allowed < installed) }
    }
}

/// The lowest limit of our group and those above it. `own` is /proc/self/cgroup: lines of
/// `hierarchy:controllers:path` (cgroups(7)). A path that is not to be seen, as in a container of the
/// first version, still ends at the mount, whose limits are then the container's.
fn allowed(own: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let mut lowest = None;
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let (mount, names): (PathBuf, &[&str]) = match controllers {
            "" => (GROUPS.into(), &["memory.max", "memory.high"]),
            _ if controllers.split(',').any(|name| name == "memory") => {
                (Path::new(GROUPS).join("memory"), &["memory.limit_in_bytes"])
            }
            _ => continue,
        };
        let group = Path::new(path.trim_start_matches('/'));
        for folder in group.ancestors().map(|group| mount.join(group)) {
            // "max" is no number.
            let limits = names.iter().filter_map(|name| read(&folder.join(name))?.trim().parse::<u64>().ok());
            lowest = lowest.into_iter().chain(limits).min();
        }
    }
    lowest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(own: &str, files: &[(&str, &str)]) -> Option<u64> {
        allowed(own, |path| {
            files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn the_lowest_limit_above_us_counts() {
        let own = "0::/system.slice/vinylvault.service\n";
        let files = [
            ("/sys/fs/cgroup/system.slice/vinylvault.service/memory.max", "400000000\n"),
            ("/sys/fs/cgroup/system.slice/vinylvault.service/memory.high", "max\n"),
            ("/sys/fs/cgroup/system.slice/memory.max", "max\n"),
            ("/sys/fs/cgroup/system.slice/memory.high", "300000000\n"),
        ];
        assert_eq!(found(own, &files), Some(300_000_000));
        assert_eq!(found(own, &files[..2]), Some(400_000_000));
        assert_eq!(found(own, &files[1..3]), None);
    }

    #[test]
    fn a_container_of_the_first_version_is_seen_at_the_mount() {
        let own = "5:devices:/docker/1\n4:cpu,memory:/docker/1\n0::/\n";
        let files = [("/sys/fs/cgroup/memory/memory.limit_in_bytes", "201326592\n")];
        assert_eq!(found(own, &files), Some(201_326_592));
    }

    #[test]
    fn nothing_is_no_limit() {
        assert_eq!(found("", &[]), None);
        assert_eq!(found("rubbish\n0::\n", &[("/sys/fs/cgroup/memory.max", "a lot")]), None);
        assert!(Memory::look().installed > 1_000_000);
    }
}
