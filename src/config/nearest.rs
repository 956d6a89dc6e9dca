//! "Did you mean": the known name that is nearest to a misspelled one.

/// The nearest of `known`, when it is near enough to be what was meant.
///
/// ```
/// use vinylvault::config::nearest;
/// let known = ["--threads", "--listen"].map(String::from);
/// assert_eq!(nearest("--tread", known.clone()).as_deref(), Some("--threads"));
/// assert_eq!(nearest("--colour", known), None);
/// ```
pub fn nearest(given: &str, known: impl IntoIterator<Item = String>) -> Option<String> {
    // A command line may hold megabytes; no misspelled name does, and the distance is quadratic.
    const GIVEN_MAX: usize = 64;
    if given.len() > GIVEN_MAX {
        return None;
    }
    let scored = known.into_iter().map(|name| (distance(given, &name), name));
    let (edits, name) = scored.min()?;
    // A cut-off name (`--cache-size`) is meant, however much is missing.
    (edits <= 2 || edits <= name.len() / 4 || name.starts_with(given)).then_some(name)
}

/// Levenshtein's: insertions, deletions and replacements from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}
