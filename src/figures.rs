//! Numbers as people read them: counts, sizes, shares and spans of time. Pure; a page, a report and a
//! terminal say the same thing in the same way.

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// ```
/// assert_eq!(vinylvault::figures::thousands(1_204_000), "1,204,000");
/// ```
pub fn thousands(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "-".to_owned() } else { String::new() };
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count, with its thing in the singular for one: `1 file`, `1,204 files`.
///
/// ```
/// assert_eq!(vinylvault::figures::counted(1, "try", "tries"), "1 try");
/// ```
pub fn counted(number: u64, one: &str, many: &str) -> String {
    let thing = if number == 1 { one } else { many };
    format!("{} {thing}", thousands(i64::try_from(number).unwrap_or(i64::MAX)))
}

/// `1.9 GB`; powers of ten, as disks are sold and settings are given.
///
/// ```
/// assert_eq!(vinylvault::figures::bytes(1_900_000_000), "1.9 GB");
/// ```
pub fn bytes(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    // 999.95 would be written as 1000.0.
    while size >= 999.95 && unit + 1 < units.len() {
        size /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{size} B") } else { format!("{size:.1} {}", units[unit]) }
}

/// `97.3 %` of `97.28`.
pub fn percent(percent: f64) -> String {
    format!("{percent:.1} %")
}

/// The two largest units of a span: `42 s`, `5 min`, `3 h 12 min`, `12 days 4 h`.
///
/// ```
/// assert_eq!(vinylvault::figures::span(11_520), "3 h 12 min");
/// ```
pub fn span(seconds: u64) -> String {
    let days = |days: u64| counted(days, "day", "days");
    let (large, small) = match seconds {
        0..MINUTE => return format!("{seconds} s"),
        MINUTE..HOUR => return format!("{} min", seconds / MINUTE),
        HOUR..DAY => (format!("{} h", seconds / HOUR), (seconds % HOUR / MINUTE, "min")),
        _ => (days(seconds / DAY), (seconds % DAY / HOUR, "h")),
    };
    match small {
        (0, _) => large,
        (number, unit) => format!("{large} {number} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_has_its_thousands_apart() {
        let all = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_204_000, "1,204,000"), (-12_345, "-12,345")];
        for (number, text) in all {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(counted(2_000, "file", "files"), "2,000 files");
        assert_eq!(counted(u64::MAX, "x", "x"), "9,223,372,036,854,775,807 x");
    }

    #[test]
    fn a_size_has_one_digit_behind_the_point_and_never_four_before_it() {
        let all =
            [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (999_960, "1.0 MB"), (2_000_000_000, "2.0 GB")];
        for (size, text) in all {
            assert_eq!(bytes(size), text);
        }
        assert_eq!(percent(97.28), "97.3 %");
    }

    #[test]
    fn a_span_has_at_most_two_units() {
        let all = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (3_660, "1 h 1 min"),
            (86_400, "1 day"),
            (180_000, "2 days 2 h"),
        ];
        for (seconds, text) in all {
            assert_eq!(span(seconds), text);
        }
    }
}
