//! Which covers a preload is about: what was typed and what stands on standard input, and how many of
//! them one request carries. Those of the collection are listed by the server, which has it.

use crate::cache::jobs::SOURCES_MAX;
use crate::cli::Failure;
use crate::cli::parse::Call;
use std::collections::HashSet;
use std::io::{self, Read};

/// The server takes bodies of 256 KiB; this leaves room for what stands around the list.
const BATCH_BYTES_MAX: usize = 255 * 1024;
/// Twenty times the largest collection that the server is made for.
const URLS_MAX: usize = 200_000;
/// Standard input, bytes: [`URLS_MAX`] signed addresses of Discogs.
const INPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The server takes none of more than 2,048 bytes; what is cut here is refused there, with the
/// reason, and cannot burst a body.
const URL_BYTES_MAX: usize = 2_100;

/// What was typed, checked before anything is contacted.
pub(super) struct Asked {
    urls: Vec<String>,
    pub is_all: bool,
}

/// # Errors
/// Wrong usage when there is neither a URL nor `--all`.
pub(super) fn asked(call: &Call) -> Result<Asked, Failure> {
    let urls: Vec<String> = call.operands.iter().map(|url| url.to_string_lossy().into_owned()).collect();
    let is_all = call.has("all");
    if urls.is_empty() && !is_all {
        return Err(Failure::Usage(
            "vinylvault preload needs URLs, or --all for the covers of the collection; see vinylvault help \
             preload"
                .to_owned(),
        ));
    }
    Ok(Asked { urls, is_all })
}

/// Each once, in the order of asking.
pub(super) fn urls(asked: Asked) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for url in asked.urls {
        match url.as_str() {
            "-" => found.extend(from_input()?),
            _ => found.push(url),
        }
    }
    let mut seen = HashSet::new();
    found.retain(|url| seen.insert(url.clone()));
    match found.len() {
        0..=URLS_MAX => Ok(found.into_iter().map(cut).collect()),
        many => Err(Failure::Failed(format!("{many} URLs are too many: one preload takes {URLS_MAX}"))),
    }
}

/// In order; each fits a request.
pub(super) fn batches(urls: &[String]) -> Vec<&[String]> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, url) in urls.iter().enumerate() {
        // With quotes and comma; six bytes for a character that JSON must escape.
        let size = 3 + url.chars().map(|c| if c.is_control() { 6 } else { c.len_utf8() + 1 }).sum::<usize>();
        if at - start == SOURCES_MAX || bytes + size > BATCH_BYTES_MAX {
            batches.push(&urls[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += size;
    }
    if start < urls.len() {
        batches.push(&urls[start..]);
    }
    batches
}

/// One URL a line; empty lines are none.
fn from_input() -> Result<Vec<String>, Failure> {
    let failed = |cause: String| Failure::Failed(format!("cannot read URLs from standard input: {cause}"));
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|cause| failed(cause.to_string()))?;
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        return Err(failed(format!("it is longer than {} MB", INPUT_BYTES_MAX / 1024 / 1024)));
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn cut(mut url: String) -> String {
    if url.len() > URL_BYTES_MAX {
        let end = (0..=URL_BYTES_MAX).rev().find(|end| url.is_char_boundary(*end)).unwrap_or(0);
        url.truncate(end);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_batch_is_larger_than_the_server_takes() {
        let short: Vec<String> = (0..2_500).map(|n| format!("https://a.example/{n}.jpg")).collect();
        let sizes: Vec<usize> = batches(&short).iter().map(|batch| batch.len()).collect();
        assert_eq!(sizes, [1_000, 1_000, 500]);
        let hostile = ["\u{1}", "\"", "\\", "ö", "x"];
        let long: Vec<String> = hostile.iter().cycle().take(2_000).map(|c| cut(c.repeat(5_000))).collect();
        let batches = batches(&long);
        assert_eq!(batches.iter().map(|batch| batch.len()).sum::<usize>(), 2_000);
        for batch in batches {
            assert!(serde_json::json!({ "urls": batch }).to_string().len() <= 256 * 1024);
        }
        assert!(super::batches(&[]).is_empty());
    }
}
