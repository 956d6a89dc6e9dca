//! Axes: from which zero to which round number, where the lines are, and how their numbers are
//! written.

use crate::figures;

/// Lines above zero, at most: more is a fence.
const LINES_MAX: f64 = 5.0;

/// What an axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Whole things.
    Count,
    Bytes,
    Seconds,
}

/// From zero to `top`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    pub unit: Unit,
    pub top: f64,
    step: f64,
}

impl Scale {
    /// The smallest round one that holds `most`.
    pub fn holding(most: f64, unit: Unit) -> Scale {
        let least = if unit == Unit::Seconds { 0.1 } else { 1.0 };
        let most = if most.is_finite() { most.max(least) } else { least };
        let rough = most / LINES_MAX;
        let magnitude = 10_f64.powi(rough.log10().floor() as i32);
        let round = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * magnitude);
        // Rounded down by what a division may lose, so that 5 lines of 0.2 hold 1.0.
        let step = round.into_iter().find(|step| *step >= rough * (1.0 - 1e-9)).unwrap_or(10.0 * magnitude);
        let step = if unit == Unit::Seconds { step } else { step.max(1.0) };
        let lines = (most / step - 1e-9).ceil().max(1.0);
        Scale { unit, top: lines * step, step }
    }

    /// Zero first; each with its text.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let lines = (self.top / self.step).round() as u32;
        (0..=lines).map(|line| f64::from(line) * self.step).map(|at| (at, self.label(at))).collect()
    }

    /// `4,000`, `60 MB`, `0.4 s`: as short as the step allows, the unit where it is not plain.
    fn label(&self, at: f64) -> String {
        match self.unit {
            Unit::Count => figures::thousands(at.round() as i64),
            _ if at == 0.0 => "0".to_owned(),
            Unit::Bytes => {
                let (divisor, unit) = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")]
                    .into_iter()
                    .find(|(divisor, _)| self.top >= *divisor)
                    .unwrap_or((1.0, "B"));
                format!("{} {unit}", trimmed(at / divisor))
            }
            Unit::Seconds => format!("{} s", trimmed(at)),
        }
    }

    /// A value of the chart, in full.
    pub fn spelled(unit: Unit, value: f64) -> String {
        match unit {
            Unit::Count => figures::thousands(value.round() as i64),
            Unit::Bytes => figures::bytes(value.round() as u64),
            Unit::Seconds => seconds(value),
        }
    }
}

/// `0.84 s`, `12.3 s`.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds < 10.0 { format!("{seconds:.2} s") } else { format!("{seconds:.1} s") }
}

/// At most two digits behind the point, and no zeros at the end of them.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(most: f64, unit: Unit) -> Vec<String> {
        Scale::holding(most, unit).ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn an_axis_begins_at_zero_and_ends_at_a_round_number_that_holds_all() {
        assert_eq!(labels(3_400.0, Unit::Count), ["0", "1,000", "2,000", "3,000", "4,000"]);
        assert_eq!(labels(0.0, Unit::Count), ["0", "1"]);
        assert_eq!(labels(3.0, Unit::Count), ["0", "1", "2", "3"]);
        assert_eq!(labels(61_200_000.0, Unit::Bytes), ["0", "20 MB", "40 MB", "60 MB", "80 MB"]);
        assert_eq!(labels(1_700_000_000.0, Unit::Bytes), ["0", "0.5 GB", "1 GB", "1.5 GB", "2 GB"]);
        assert_eq!(labels(0.35, Unit::Seconds), ["0", "0.1 s", "0.2 s", "0.3 s", "0.4 s"]);
        assert_eq!(labels(0.8, Unit::Seconds), ["0", "0.2 s", "0.4 s", "0.6 s", "0.8 s"]);
        assert_eq!(labels(7.0, Unit::Seconds), ["0", "2 s", "4 s", "6 s", "8 s"]);
        for most in [1.0, 2.0, 9.0, 10.0, 11.0, 99.0, 1e15, f64::NAN, f64::INFINITY] {
            let scale = Scale::holding(most, Unit::Count);
            let lines = scale.ticks().len();
            assert!(
                (2..=6).contains(&lines) && (!most.is_finite() || scale.top >= most),
                "{most}: {scale:?}"
            );
        }
    }
}
