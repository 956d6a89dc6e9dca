//! What a cached thing is called: the key of a source, the variants of a cover, the digest of
//! its bytes. Owns the spelling of each; knows no files, no rows and no HTTP.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Read at a time: a whole thumbnail, or a fifth of a large rendition.
const BLOCK_BYTES: usize = 16 * 1024;

/// SHA-1 of a source's canonical string: 40 lower-case hex digits wherever it is text.
///
/// SHA-1 is broken for signatures and good enough here: a collision needs two sources that the
/// owner's collection or a preload already names, and buys their author nothing but one cover
/// shown for the other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey([u8; 20]);

impl CacheKey {
    /// The key of a canonical string (see [`crate::source`]).
    pub fn of(canonical: &str) -> CacheKey {
        CacheKey(sha1_smol::Sha1::from(canonical).digest().bytes())
    }

    /// Accepts exactly 40 lower-case hex digits, so that a key has one spelling.
    ///
    /// ```
    /// use vinylvault::key::CacheKey;
    /// let key = CacheKey::of("discogs:R-22338-1215984619.jpeg");
    /// assert_eq!(CacheKey::parse(&key.to_string()), Some(key));
    /// assert_eq!(CacheKey::parse(&key.to_string().to_uppercase()), None);
    /// assert_eq!(CacheKey::parse("../../etc/passwd"), None);
    /// ```
    pub fn parse(text: &str) -> Option<CacheKey> {
        parse_hex(text).map(CacheKey)
    }

    pub fn from_bytes(bytes: [u8; 20]) -> CacheKey {
        CacheKey(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

/// A named size of a cover. Later ones are added by name, never renumbered: the number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Variant {
    /// `thumbnails`: the grid.
    Thumbnail = 0,
    /// `detail`: the record's own page.
    Detail = 1,
}

impl Variant {
    pub const ALL: [Variant; 2] = [Variant::Thumbnail, Variant::Detail];

    /// The name used in addresses, folders and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Thumbnail => "thumbnails",
            Variant::Detail => "detail",
        }
    }

    /// ```
    /// use vinylvault::key::Variant;
    /// assert_eq!(Variant::parse("detail"), Some(Variant::Detail));
    /// assert_eq!(Variant::parse("Detail"), None);
    /// ```
    pub fn parse(name: &str) -> Option<Variant> {
        Variant::ALL.into_iter().find(|variant| variant.name() == name)
    }

    /// The number stored in `index.db`.
    pub fn number(self) -> i64 {
        self as i64
    }

    pub fn from_number(number: i64) -> Option<Variant> {
        Variant::ALL.into_iter().find(|variant| variant.number() == number)
    }
}

/// SHA-1 of a rendition's bytes: proves a file whole when it is read, and is its `ETag`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 20]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(sha1_smol::Sha1::from(bytes).digest().bytes())
    }

    /// Reads to the end, a block at a time; the digest, and how many bytes there were.
    ///
    /// ```
    /// use vinylvault::key::Digest;
    /// let (digest, bytes) = Digest::of_stream(&b"RIFF"[..])?;
    /// assert_eq!((digest, bytes), (Digest::of(b"RIFF"), 4));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn of_stream(mut stream: impl Read) -> io::Result<(Digest, u64)> {
        let (mut sha1, mut bytes) = (sha1_smol::Sha1::new(), 0);
        let mut block = [0; BLOCK_BYTES];
        loop {
            match stream.read(&mut block) {
                Ok(0) => return Ok((Digest(sha1.digest().bytes()), bytes)),
                Ok(count) => {
                    sha1.update(&block[..count]);
                    bytes += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub fn from_bytes(bytes: [u8; 20]) -> Digest {
        Digest(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

/// One original at one variant: the bytes of a WebP, immutable, shared by everyone who serves it.
#[derive(Clone)]
pub struct Rendition {
    bytes: Arc<[u8]>,
    digest: Digest,
}

impl Rendition {
    pub fn new(bytes: Vec<u8>) -> Rendition {
        let digest = Digest::of(&bytes);
        Rendition { bytes: bytes.into(), digest }
    }

    /// For bytes whose digest was just computed and compared (a verified read).
    pub fn verified(bytes: Vec<u8>, digest: Digest) -> Rendition {
        Rendition { bytes: bytes.into(), digest }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Seconds since 1970 in UTC. Passed in where logic needs it, so that tests own the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub fn now() -> Timestamp {
        // A Pi without a clock boots in 1970 or earlier; 0 is then as good a time as any.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }

    /// Reads exactly what [`Timestamp`] displays: RFC 3339 in UTC, to the second.
    ///
    /// ```
    /// use vinylvault::key::Timestamp;
    /// assert_eq!(Timestamp::parse("2000-02-29T00:00:00Z"), Some(Timestamp(951_782_400)));
    /// assert_eq!(Timestamp::parse("2000-02-30T00:00:00Z"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Timestamp> {
        let number = |range: std::ops::Range<usize>| -> Option<i64> {
            let digits = text.get(range)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        // The inverse of the algorithm below: years and months that begin in March.
        let year = if month <= 2 { year - 1 } else { year };
        let shifted = if month > 2 { month - 3 } else { month + 9 };
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * shifted + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        let seconds = number(11..13)? * 3_600 + number(14..16)? * 60 + number(17..19)?;
        let read = Timestamp(days * 86_400 + seconds);
        // Whatever is no date, or has other punctuation, is displayed otherwise.
        (read.to_string() == text).then_some(read)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, e.g. `2026-11-23T13:05:00Z`.
    ///
    /// ```
    /// use vinylvault::key::Timestamp;
    /// assert_eq!(Timestamp(951_782_400).to_string(), "2000-02-29T00:00:00Z");
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        // Days to a civil date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

fn write_hex(bytes: &[u8; 20], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0u8; 40];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

fn parse_hex(text: &str) -> Option<[u8; 20]> {
    let digits: &[u8; 40] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0u8; 20];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
