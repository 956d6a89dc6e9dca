//! The file name of a Discogs image, whichever of its addresses it is asked by. Owns the forms
//! that Discogs has used since 2013; says `None` to everything else, which is no error.
//!
//! The name is what stays: hosts, buckets, sizes and signatures have all changed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Where the first segment of a path signs the rest.
pub const SIGNED_HOST: &str = "i.discogs.com";

/// The file name in a URL of that host and that path (and query), e.g. `R-22338-1215984619.jpeg`.
pub fn file_name(host: &str, tail: &str) -> Option<String> {
    let path = tail.split('?').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let name = match host {
        // Options such as `rs:fit` and `w:600` end where the encoded address of the file begins;
        // before 2022 the name stood there plainly, signed in the query.
        SIGNED_HOST => match path.rfind(':') {
            Some(option) => decoded(&path[option..])?,
            None => last.to_owned(),
        },
        // The converter's own extension stands behind the file's: `.jpeg.jpg`.
        "img.discogs.com" | "api-img.discogs.com" => without_second_extension(last).to_owned(),
        "api.discogs.com" => without_size(path.strip_prefix("/image/")?),
        _ => return None,
    };
    is_file_name(&name).then_some(name)
}

/// The larger of the options `h:600` and `w:595`, which say how large the answer is, pixels.
pub fn side(path: &str) -> Option<u32> {
    let side = |option: &str| option.strip_prefix("h:").or(option.strip_prefix("w:"))?.parse().ok();
    path.split('/').filter_map(side).max()
}

/// `:600/czM6Ly9kaXNjb2dz/LWRhdGFi....jpeg` holds `s3://discogs-database-images/R-....jpeg`.
fn decoded(from_last_option: &str) -> Option<String> {
    let (_, encoded) = from_last_option.split_once('/')?;
    let (encoded, _) = encoded.rsplit_once('.')?;
    let bytes = URL_SAFE_NO_PAD.decode(encoded.replace('/', "")).ok()?;
    let address = String::from_utf8(bytes).ok()?;
    address.rsplit('/').next().map(str::to_owned)
}

fn without_second_extension(name: &str) -> &str {
    let shorter = name.strip_suffix(".jpg").or_else(|| name.strip_suffix(".jpeg"));
    shorter.filter(|shorter| has_extension(shorter)).unwrap_or(name)
}

/// The thumbnails of 2013 carry their size (`R-150-1-1193812031.jpeg` is release 1). It is one
/// only if an id and an upload time follow: `L-1000-1159478385.gif` is label 1000, and
/// `R-150-1193812031-1234.jpeg` would be release 150.
fn without_size(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').next().unwrap_or_default().split('-').collect();
    match parts.as_slice() {
        [kind, "150" | "90", _, time, ..] if (9..=10).contains(&time.len()) => {
            let after = kind.len() + 1 + parts[1].len() + 1;
            format!("{kind}-{}", &name[after..])
        }
        _ => name.to_owned(),
    }
}

/// `^[RALM]-\d+-\d+(-\d+)?\.(jpe?g|png|gif)$`: release, artist, label or master, its id, the
/// time of the upload, sometimes a number.
fn is_file_name(name: &str) -> bool {
    let Some((stem, _)) = name.rsplit_once('.') else { return false };
    let mut parts = stem.split('-');
    let is_kind = matches!(parts.next(), Some("R" | "A" | "L" | "M"));
    let numbers: Vec<&str> = parts.collect();
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_kind && has_extension(name) && matches!(numbers.len(), 2 | 3) && numbers.iter().all(is_number)
}

fn has_extension(name: &str) -> bool {
    matches!(name.rsplit_once('.'), Some((_, "jpeg" | "jpg" | "png" | "gif")))
}
