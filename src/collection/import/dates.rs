//! Days and times as they stand in exports, brought to one spelling. Pure; reads no clock.

/// What a time without an offset means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    Utc,
    /// Discogs writes the time of Oregon.
    Pacific,
}

/// `YYYY-MM-DD` for a day, `YYYY-MM-DDTHH:MM:SSZ` for a moment. `None` for what is no date, and
/// for `3/4/2020`, which nobody can read.
pub(super) fn normalise(text: &str, zone: Zone) -> Option<String> {
    let (day, time) = match text.split_once(['T', ' ']) {
        Some((day, time)) => (day, Some(time.trim())),
        None => (text, None),
    };
    let (year, month, day) = read_day(day)?;
    let Some(time) = time.filter(|time| !time.is_empty()) else {
        return Some(format!("{year:04}-{month:02}-{day:02}"));
    };
    let (clock, offset) = split_offset(time)?;
    let seconds = read_clock(clock)?;
    let local = days(year, month, day) * 86_400 + seconds;
    let offset = match (offset, zone) {
        (Some(offset), _) => offset,
        (None, Zone::Utc) => 0,
        (None, Zone::Pacific) if is_summer(year, local) => -7 * 3_600,
        (None, Zone::Pacific) => -8 * 3_600,
    };
    Some(write(local - offset))
}

/// Days since 1970-01-01 of a day that is spelled exactly `YYYY-MM-DD`.
pub(in crate::collection) fn day_number(text: &str) -> Option<i64> {
    let digits = |range| number(text.get(range)?);
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let is_spelled_so = text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    let is_a_day = (1..=12).contains(&month) && day >= 1 && day <= month_days(year, month);
    (is_spelled_so && is_a_day).then(|| days(year, month, day))
}

/// `2016-01-31`, `31.1.2016`, and with slashes where one number can only be the day.
fn read_day(text: &str) -> Option<(i64, i64, i64)> {
    let separator = text.chars().find(|character| !character.is_ascii_digit())?;
    let numbers: Vec<i64> = text.split(separator).map(number).collect::<Option<_>>()?;
    let &[first, second, third] = numbers.as_slice() else { return None };
    let (year, month, day) = match separator {
        '-' | '/' if first > 31 => (first, second, third),
        '.' => (third, second, first),
        '/' if first > 12 => (third, second, first),
        '/' if second > 12 => (third, first, second),
        _ => return None,
    };
    let valid = (1900..=2200).contains(&year)
        && (1..=12).contains(&month)
        && day >= 1
        && day <= month_days(year, month);
    valid.then_some((year, month, day))
}

/// Seconds since midnight of `HH:MM[:SS[.fff]]`.
fn read_clock(text: &str) -> Option<i64> {
    let whole = text.split('.').next()?;
    let numbers: Vec<i64> = whole.split(':').map(number).collect::<Option<_>>()?;
    let (hours, minutes, seconds) = match *numbers.as_slice() {
        [hours, minutes] => (hours, minutes, 0),
        [hours, minutes, seconds] => (hours, minutes, seconds.min(59)),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(hours * 3_600 + minutes * 60 + seconds)
}

/// The clock and the seconds east of Greenwich where it says so: `Z`, `+02:00`, `-0800`.
fn split_offset(time: &str) -> Option<(&str, Option<i64>)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, Some(0)));
    }
    let Some(at) = time.find(['+', '-']) else { return Some((time, None)) };
    let digits: String = time[at + 1..].chars().filter(|character| *character != ':').collect();
    let hours = number(digits.get(..2)?)?;
    let minutes = if digits.len() == 2 { 0 } else { number(digits.get(2..4)?)? };
    let east = hours * 3_600 + minutes * 60;
    let valid = matches!(digits.len(), 2 | 4) && hours <= 14 && minutes < 60;
    valid.then_some((time[..at].trim(), Some(if time[at..].starts_with('-') { -east } else { east })))
}

fn number(digits: &str) -> Option<i64> {
    let short = (1..=4).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    short.then(|| digits.parse().ok()).flatten()
}

/// Daylight saving time of the United States at 2:00 local time, since 2007; before, Discogs was
/// young and an hour does no harm.
fn is_summer(year: i64, local: i64) -> bool {
    let begins = days(year, 3, nth_sunday(year, 3, 2)) * 86_400 + 2 * 3_600;
    let ends = days(year, 11, nth_sunday(year, 11, 1)) * 86_400 + 2 * 3_600;
    (begins..ends).contains(&local)
}

fn nth_sunday(year: i64, month: i64, nth: i64) -> i64 {
    // 1970-01-01 was a Thursday: day number 3 was a Sunday.
    let to_sunday = (3 - days(year, month, 1)).rem_euclid(7);
    1 + to_sunday + (nth - 1) * 7
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        12 => 31,
        _ => days(year, month + 1, 1) - days(year, month, 1),
    }
}

/// Days since 1970-01-01 in the Gregorian calendar (Howard Hinnant's `days_from_civil`: years are
/// counted from March, so that the leap day is the last of one).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days`], with the time of day.
fn write(moment: i64) -> String {
    let since = moment.div_euclid(86_400) + 719_468;
    let era = since.div_euclid(146_097);
    let of_era = since.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let seconds = moment.rem_euclid(86_400);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_discogs_is_pacific_in_winter_and_in_summer() {
        let utc = |text| normalise(text, Zone::Pacific).unwrap();
        assert_eq!(utc("2016-01-31 12:34:56"), "2016-01-31T20:34:56Z");
        assert_eq!(utc("2021-06-13 10:49:02"), "2021-06-13T17:49:02Z");
        // The two nights of 2026 between which clocks are an hour ahead.
        assert_eq!(utc("2026-03-08 01:59:59"), "2026-03-08T09:59:59Z");
        assert_eq!(utc("2026-03-08 03:00:00"), "2026-03-08T10:00:00Z");
        assert_eq!(utc("2026-11-01 02:00:00"), "2026-11-01T10:00:00Z");
    }

    #[test]
    fn an_offset_is_obeyed_also_over_the_turn_of_a_year() {
        assert_eq!(normalise("2025-12-31T22:02:54-08:00", Zone::Utc).unwrap(), "2026-01-01T06:02:54Z");
        assert_eq!(normalise("2024-03-01T00:30:00+0100", Zone::Pacific).unwrap(), "2024-02-29T23:30:00Z");
        assert_eq!(normalise("2024-02-29T23:30:00.123Z", Zone::Pacific).unwrap(), "2024-02-29T23:30:00Z");
    }

    #[test]
    fn the_number_of_a_day_is_the_inverse_of_its_spelling() {
        for day in [-719_468, -1, 0, 11_016, 20_780, 2_932_896] {
            let spelled = &write(day * 86_400)[..10];
            assert_eq!(day_number(spelled), Some(day), "{spelled}");
        }
        for text in ["2026-02-29", "2026-1-01", "2026-01-1", "2026_01_01", "12026-01-01", "", "2026-13-01"] {
            assert_eq!(day_number(text), None, "{text}");
        }
    }

    #[test]
    fn a_day_is_read_where_only_one_reading_is_possible() {
        let day = |text| normalise(text, Zone::Utc);
        assert_eq!(day("2024-02-29").as_deref(), Some("2024-02-29"));
        assert_eq!(day("31.1.2016").as_deref(), Some("2016-01-31"));
        assert_eq!(day("1/31/2016 12:34").as_deref(), Some("2016-01-31T12:34:00Z"));
        for text in [
            "3/4/2020",
            "2023-02-29",
            "2020-13-01",
            "2020-00-10",
            "",
            "soon",
            "2020-1",
            "20200101",
            "1-1-1-1",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
    }
}
