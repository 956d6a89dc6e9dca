//! The table of settings: flag, variable, default, meaning, what is allowed and the check, each
//! declared once. `vinylvault help`, the README's table and [`Config::load`] read nothing else.

use super::Config;
use super::check::{
    Wrong, address, bytes, folder, host_names, listed, log_format, put, ranges, secret, switch, whole,
};
use super::machine::Memory;
use crate::guard::Guard;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// One setting.
pub struct Setting {
    /// Without the dashes: `cache-size-gb`.
    pub flag: &'static str,
    /// What stands for the value in help: `GB`. Empty for a switch.
    pub placeholder: &'static str,
    pub kind: Kind,
    pub default: Preset,
    pub meaning: &'static str,
    /// Ends the sentence "allowed is ...".
    pub allowed: &'static str,
    pub(super) apply: fn(&mut Draft, &str) -> Result<(), Wrong>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Value,
    /// The flag alone means `1`.
    Switch,
    /// Its value is never repeated.
    Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Read like a given value.
    Value(&'static str),
    /// How the absence of a value is described.
    Words(&'static str),
}

/// A [`Config`] in the making.
pub(super) struct Draft {
    config: Config,
    source_hosts: Option<String>,
    private_sources: Option<String>,
}

pub(super) const VARIABLE_PREFIX: &str = "VINYL_VAULT_";

/// Decimal, as on the box of an SD card, and the smaller of the two readings: the budget holds by both.
const MB: u64 = 1_000_000;
const GB: u64 = 1_000_000_000;

const MEMORY_BYTES_DEFAULT: u64 = 128 * MB;
/// On a board with 512 MB the default must leave room for one large picture being decoded.
const MEMORY_SHARE: u64 = 8;
/// What the program takes beside that cache: the default of the budget for renders, and itself.
const MEMORY_BESIDE: u64 = 128 * MB;
/// Under a limit, half of what that leaves: who reaches the other half is killed.
const MEMORY_LIMIT_SHARE: u64 = 2;

/// In the order in which help prints them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        flag: "listen",
        placeholder: "ADDRESS:PORT",
        kind: Kind::Value,
        default: Preset::Value("0.0.0.0:5000"),
        meaning: "address and port of the server; port 0 takes a free one",
        allowed: "an address and a port, e.g. 0.0.0.0:5000, [::]:5000 or localhost:5000",
        apply: |draft, text| put(&mut draft.config.listen, address(text)),
    },
    Setting {
        flag: "data-dir",
        placeholder: "FOLDER",
        kind: Kind::Value,
        default: Preset::Value("data"),
        meaning: "everything the program keeps: the collection and the cache",
        allowed: "a folder; it is made when it is not there",
        apply: |draft, text| put(&mut draft.config.data_dir, folder(text)),
    },
    Setting {
        flag: "cache-size-gb",
        placeholder: "GB",
        kind: Kind::Value,
        default: Preset::Value("2"),
        meaning: "disk budget of the covers; 1 GB is 1,000,000,000 bytes",
        allowed: "a number above 0 and up to 100000, fractions as in 0.5",
        apply: |draft, text| put(&mut draft.config.cache_bytes, bytes(text, GB, 1..=100_000 * GB)),
    },
    Setting {
        flag: "min-free-mb",
        placeholder: "MB",
        kind: Kind::Value,
        default: Preset::Value("256"),
        meaning: "space left free on the file system whatever the budget says; 1 MB is 1,000,000 bytes",
        allowed: "a number from 0 to 100000000",
        apply: |draft, text| put(&mut draft.config.free_bytes_min, bytes(text, MB, 0..=100_000_000 * MB)),
    },
    Setting {
        flag: "memory-cache-mb",
        placeholder: "MB",
        kind: Kind::Value,
        default: Preset::Words("128, at most an eighth of the machine's memory, less under a memory limit"),
        meaning: "memory for the covers asked for last; 0 keeps none there",
        allowed: "a number from 0 to 16384",
        apply: |draft, text| put(&mut draft.config.memory_bytes, bytes(text, MB, 0..=16_384 * MB)),
    },
    Setting {
        flag: "thumbnail-size",
        placeholder: "PIXELS",
        kind: Kind::Value,
        default: Preset::Value("150"),
        meaning: "side of the square that a thumbnail fits into",
        allowed: "a whole number from 16 to 4096",
        apply: |draft, text| put(&mut draft.config.thumbnail_side, whole(text, 16..=4096)),
    },
    Setting {
        flag: "detail-size",
        placeholder: "PIXELS",
        kind: Kind::Value,
        default: Preset::Value("600"),
        meaning: "side of the square that a cover on a record's own page fits into",
        allowed: "a whole number from 16 to 4096",
        apply: |draft, text| put(&mut draft.config.detail_side, whole(text, 16..=4096)),
    },
    Setting {
        flag: "image-quality",
        placeholder: "QUALITY",
        kind: Kind::Value,
        default: Preset::Value("85"),
        meaning: "quality of the WebP files",
        allowed: "a whole number from 1 to 100",
        apply: |draft, text| put(&mut draft.config.quality, whole(text, 1..=100)),
    },
    Setting {
        flag: "webp-effort",
        placeholder: "EFFORT",
        kind: Kind::Value,
        default: Preset::Value("2"),
        meaning: "time spent on making the WebP files smaller; 0 is the fastest, 4 takes twice as long as 2",
        allowed: "a whole number from 0 to 6",
        apply: |draft, text| put(&mut draft.config.effort, whole(text, 0..=6)),
    },
    Setting {
        flag: "max-concurrent-downloads",
        placeholder: "N",
        kind: Kind::Value,
        default: Preset::Value("3"),
        meaning: "download workers",
        allowed: "a whole number from 1 to 16",
        apply: |draft, text| put(&mut draft.config.downloads, whole(text, 1..=16)),
    },
    Setting {
        flag: "threads",
        placeholder: "N",
        kind: Kind::Value,
        default: Preset::Value("4"),
        meaning: "threads that answer requests",
        allowed: "a whole number from 1 to 32",
        apply: |draft, text| put(&mut draft.config.threads, whole(text, 1..=32)),
    },
    Setting {
        flag: "max-image-mb",
        placeholder: "MB",
        kind: Kind::Value,
        default: Preset::Value("20"),
        meaning: "largest original that is downloaded",
        allowed: "a number above 0 and up to 200",
        apply: |draft, text| put(&mut draft.config.image_bytes_max, bytes(text, MB, 1..=200 * MB)),
    },
    Setting {
        flag: "max-image-megapixels",
        placeholder: "MILLIONS",
        kind: Kind::Value,
        default: Preset::Value("40"),
        meaning: "largest original that is decoded, in millions of pixels; a render budget of 96 MB \
                  stops a PNG at about 30",
        allowed: "a whole number from 1 to 200",
        apply: |draft, text| put(&mut draft.config.megapixels_max, whole(text, 1..=200)),
    },
    Setting {
        flag: "render-budget-mb",
        placeholder: "MB",
        kind: Kind::Value,
        default: Preset::Value("96"),
        meaning: "memory that all covers being made hold together; one that needs more is refused",
        allowed: "a number from 24 to 16384",
        apply: |draft, text| put(&mut draft.config.render_bytes_max, bytes(text, MB, 24 * MB..=16_384 * MB)),
    },
    Setting {
        flag: "source-hosts",
        placeholder: "LIST",
        kind: Kind::Value,
        default: Preset::Words("any public host"),
        meaning: "the only hosts that covers may come from, e.g. i.discogs.com,*.archive.org",
        allowed: "host names separated by commas; *.example.com is every name below example.com",
        apply: |draft, text| {
            listed(text, |text| Guard::new(Some(text), None).map(drop), &mut draft.source_hosts)
        },
    },
    Setting {
        flag: "private-sources",
        placeholder: "LIST",
        kind: Kind::Value,
        default: Preset::Words("none"),
        meaning: "origins on the own network that may be contacted, e.g. 192.168.1.5:4533",
        allowed: "host:port, addresses or ranges such as 192.168.1.0/24, separated by commas",
        apply: |draft, text| {
            listed(text, |text| Guard::new(None, Some(text)).map(drop), &mut draft.private_sources)
        },
    },
    Setting {
        flag: "allowed-hosts",
        placeholder: "LIST",
        kind: Kind::Value,
        default: Preset::Words("addresses, localhost, one-label names, *.local, the machine's name"),
        meaning: "further names under which the server answers, e.g. vinyl.example.com",
        allowed: "host names without port, separated by commas; *.example.com is every name below",
        apply: |draft, text| put(&mut draft.config.allowed_hosts, host_names(text).map(Some)),
    },
    Setting {
        flag: "admin-token",
        placeholder: "TOKEN",
        kind: Kind::Secret,
        default: Preset::Words("none"),
        meaning: "when set, whatever changes something needs Authorization: Bearer TOKEN; \
                  better given as a variable, for other users of the machine can see flags",
        allowed: "1 to 256 visible ASCII characters without spaces",
        apply: |draft, text| put(&mut draft.config.admin_token, secret(text).map(Some)),
    },
    Setting {
        flag: "trusted-proxies",
        placeholder: "LIST",
        kind: Kind::Value,
        default: Preset::Words("none"),
        meaning: "proxies whose X-Forwarded-For is believed",
        allowed: "addresses or ranges such as 10.0.0.0/8, separated by commas",
        apply: |draft, text| put(&mut draft.config.trusted_proxies, ranges(text)),
    },
    Setting {
        flag: "debug",
        placeholder: "",
        kind: Kind::Switch,
        default: Preset::Value("0"),
        meaning: "log every request and every step of a download",
        allowed: "1 or 0",
        apply: |draft, text| put(&mut draft.config.debug, switch(text)),
    },
    Setting {
        flag: "log",
        placeholder: "FORMAT",
        kind: Kind::Value,
        default: Preset::Value("text"),
        meaning: "form of the log on standard error",
        allowed: "text or json",
        apply: |draft, text| put(&mut draft.config.log_json, log_format(text)),
    },
];

impl Setting {
    pub fn of_flag(name: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.flag == name)
    }

    /// `VINYL_VAULT_CACHE_SIZE_GB`.
    pub fn variable(&self) -> String {
        let upper = self.flag.to_ascii_uppercase().replace('-', "_");
        format!("{VARIABLE_PREFIX}{upper}")
    }

    /// As help and README print it.
    pub fn default_text(&self) -> &'static str {
        match self.default {
            Preset::Value("0") if self.kind == Kind::Switch => "off",
            Preset::Value(text) | Preset::Words(text) => text,
        }
    }
}

fn memory_bytes_default(machine: Memory) -> u64 {
    let under_limit = |allowed: u64| allowed.saturating_sub(MEMORY_BESIDE) / MEMORY_LIMIT_SHARE;
    MEMORY_BYTES_DEFAULT
        .min(machine.installed / MEMORY_SHARE)
        .min(machine.allowed.map_or(u64::MAX, under_limit))
}

impl Draft {
    /// Every field that the table gives a default text is overwritten before anybody sees it.
    pub(super) fn new(machine: Memory) -> Draft {
        let config = Config {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            data_dir: PathBuf::new(),
            cache_bytes: 0,
            free_bytes_min: 0,
            memory_bytes: memory_bytes_default(machine),
            thumbnail_side: 0,
            detail_side: 0,
            quality: 0,
            effort: 0,
            downloads: 0,
            threads: 0,
            image_bytes_max: 0,
            megapixels_max: 0,
            render_bytes_max: 0,
            guard: Guard::default(),
            allowed_hosts: None,
            admin_token: None,
            trusted_proxies: Vec::new(),
            debug: false,
            log_json: false,
        };
        Draft { config, source_hosts: None, private_sources: None }
    }

    pub(super) fn finish(mut self) -> Config {
        if self.source_hosts.is_some() || self.private_sources.is_some() {
            self.config.guard = Guard::new(self.source_hosts.as_deref(), self.private_sources.as_deref())
                .expect("both lists were accepted one by one");
        }
        self.config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_cache_leaves_room_on_a_small_board_and_under_a_limit() {
        let default = |installed, allowed| memory_bytes_default(Memory { installed, allowed });
        assert_eq!(default(8 << 30, None), 128 * MB);
        assert_eq!(default(512 << 20, None), 64 << 20);
        assert_eq!(default(8 << 30, Some(192 * MB)), 32 * MB);
        assert_eq!(default(8 << 30, Some(384 << 20)), 128 * MB);
        assert_eq!(default(8 << 30, Some(64 * MB)), 0);
    }
}
