//! From a setting's text to its value: numbers, sizes, addresses, lists. Each says only whether the
//! text is allowed; what is allowed in words stands in the table.

use super::Secret;
use crate::guard::Range;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

/// A value outside of what is allowed.
pub(super) enum Wrong {
    Value,
    /// Which part of a list is wrong, and what is allowed in its place.
    Because(String),
}

pub(super) fn put<T>(slot: &mut T, value: Option<T>) -> Result<(), Wrong> {
    *slot = value.ok_or(Wrong::Value)?;
    Ok(())
}

pub(super) fn listed(
    text: &str,
    check: fn(&str) -> Result<(), String>,
    slot: &mut Option<String>,
) -> Result<(), Wrong> {
    if parts(text).next().is_none() {
        return Err(Wrong::Value);
    }
    check(text).map_err(Wrong::Because)?;
    *slot = Some(text.to_owned());
    Ok(())
}

pub(super) fn whole<T: FromStr + PartialOrd>(text: &str, range: RangeInclusive<T>) -> Option<T> {
    // `FromStr` takes a sign, which no range here can mean.
    let value = text.parse().ok().filter(|_| text.bytes().all(|digit| digit.is_ascii_digit()))?;
    range.contains(&value).then_some(value)
}

/// Plain digits with at most one point; neither signs, exponents nor `inf`, which `f64` would take.
pub(super) fn bytes(text: &str, unit: u64, range: RangeInclusive<u64>) -> Option<u64> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let number: f64 = text.parse().ok().filter(|_| is_plain)?;
    // A saturating cast, and exact far beyond the largest range (2^53 bytes are 9,000,000 GB).
    let bytes = (number * unit as f64).round() as u64;
    range.contains(&bytes).then_some(bytes)
}

pub(super) fn address(text: &str) -> Option<SocketAddr> {
    let port_of_localhost = text.strip_prefix("localhost:").and_then(|port| whole(port, 0..=u16::MAX));
    match port_of_localhost {
        Some(port) => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        None => text.parse().ok(),
    }
}

pub(super) fn folder(text: &str) -> Option<PathBuf> {
    (!text.is_empty() && !text.contains('\0')).then(|| PathBuf::from(text))
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// Lower case; `None` for an empty list, which would mean nothing that anybody wants.
pub(super) fn host_names(text: &str) -> Option<Vec<String>> {
    let names = parts(text).map(|part| host_name(&part.to_ascii_lowercase()));
    names.collect::<Option<Vec<_>>>().filter(|list| !list.is_empty())
}

pub(super) fn ranges(text: &str) -> Option<Vec<Range>> {
    let ranges = parts(text).map(Range::parse);
    ranges.collect::<Option<Vec<_>>>().filter(|list| !list.is_empty())
}

fn host_name(name: &str) -> Option<String> {
    /// RFC 1035, section 2.3.4.
    const NAME_MAX: usize = 253;
    let labels = name.strip_prefix("*.").unwrap_or(name).trim_end_matches('.');
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    (labels.len() <= NAME_MAX && labels.split('.').all(is_label))
        .then(|| name.trim_end_matches('.').to_owned())
}

pub(super) fn secret(text: &str) -> Option<Secret> {
    let is_visible = text.bytes().all(|b| b.is_ascii_graphic());
    (is_visible && (1..=256).contains(&text.len())).then(|| Secret::new(text))
}

pub(super) fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Whether the log is JSON.
pub(super) fn log_format(text: &str) -> Option<bool> {
    match text {
        "text" => Some(false),
        "json" => Some(true),
        _ => None,
    }
}
