//! The templates' filters for numbers. What is not there is a dash, never a zero.

use crate::figures;
use minijinja::Value;

const UNKNOWN: &str = "–";

/// `1,204,000`.
pub(super) fn thousands(value: Value) -> String {
    i64::try_from(value).map_or(UNKNOWN.to_owned(), figures::thousands)
}

/// `1.9 GB`.
pub(super) fn bytes(value: Value) -> String {
    u64::try_from(value).map_or(UNKNOWN.to_owned(), figures::bytes)
}

/// `97.3 %` of `97.28`.
pub(super) fn percent(value: Value) -> String {
    f64::try_from(value).map_or(UNKNOWN.to_owned(), figures::percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_a_dash() {
        assert_eq!(thousands(Value::from(1_204_000)), "1,204,000");
        assert_eq!(bytes(Value::from(2_000_000_000_u64)), "2.0 GB");
        assert_eq!(percent(Value::from(97.28)), "97.3 %");
        for filter in [thousands, bytes, percent] {
            assert_eq!(filter(Value::from(())), UNKNOWN);
            assert_eq!(filter(Value::UNDEFINED), UNKNOWN);
        }
    }
}
