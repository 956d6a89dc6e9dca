//! A strict reader of Prometheus' text format 0.0.4: what it accepts, every reader does. It also holds
//! the conventions: help and type for each family, `_total` for counters, no series twice.

use std::collections::{BTreeMap, BTreeSet};

/// By name and labels.
pub type Series = BTreeMap<(String, Labels), f64>;
type Labels = BTreeMap<String, String>;

/// The key of a series in [`Series`].
pub fn key(name: &str, labels: &[(&str, &str)]) -> (String, Labels) {
    (name.to_owned(), labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
}

#[derive(Default)]
struct Reader {
    series: Series,
    /// Types of families that have begun; none may begin again.
    types: BTreeMap<String, String>,
    helped: BTreeSet<String>,
    family: String,
}

/// Every series of a page, or what is wrong with it.
pub fn read(text: &str) -> Result<Series, String> {
    let mut reader = Reader::default();
    let text = text.strip_suffix('\n').ok_or("the last line does not end")?;
    for line in text.split('\n') {
        reader.line(line).map_err(|error| format!("{error}: {line:?}"))?;
    }
    reader.check_histograms()?;
    Ok(reader.series)
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or("no help")?;
            check(is_name(name) && help.len() > 5, "a bad name or no help")?;
            return check(self.helped.insert(name.to_owned()), "help given twice");
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or("no type")?;
            check(matches!(kind, "counter" | "gauge" | "histogram"), "an unknown type")?;
            check(self.helped.contains(name), "a type before its help")?;
            check(name.starts_with("vinylvault_"), "another program's name")?;
            check(
                (kind == "counter") == name.ends_with("_total"),
                "_total is for counters and only for them",
            )?;
            self.family = name.to_owned();
            return check(
                self.types.insert(name.to_owned(), kind.to_owned()).is_none(),
                "a type given twice",
            );
        }
        check(!line.starts_with('#'), "a comment that is neither help nor type")?;
        self.sample(line)
    }

    fn sample(&mut self, line: &str) -> Result<(), String> {
        let end = line.find(['{', ' ']).ok_or("no value")?;
        let (name, rest) = line.split_at(end);
        let kind = self.types.get(&self.family).ok_or("a sample before any type")?;
        let suffix = name.strip_prefix(&*self.family).ok_or("a sample of another family")?;
        let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        check(suffixes.contains(&suffix), "a suffix that the type does not have")?;
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (BTreeMap::new(), rest),
        };
        let number = value.strip_prefix(' ').ok_or("no space before the value")?;
        check(
            number.bytes().all(|byte| byte.is_ascii_digit() || b".+-e".contains(&byte)),
            "no plain number",
        )?;
        let value: f64 = number.parse().map_err(|_| "no number")?;
        check(value >= 0.0, "nothing here can be negative")?;
        check(self.series.insert((name.to_owned(), labels), value).is_none(), "a series twice")
    }

    /// Buckets rise to the count, which is the bucket without a bound.
    fn check_histograms(&self) -> Result<(), String> {
        for family in self.types.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name) {
            let mut buckets: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
            let bucket = format!("{family}_bucket");
            for ((_, labels), value) in self.series.iter().filter(|((name, _), _)| *name == bucket) {
                let mut labels = labels.clone();
                let bound = labels.remove("le").ok_or("a bucket without a bound")?;
                let bound = if bound == "+Inf" { "inf" } else { &bound };
                let bound = bound.parse().map_err(|_| "a bound that is no number")?;
                buckets.entry(labels).or_default().push((bound, *value));
            }
            check(!buckets.is_empty(), "a histogram without buckets")?;
            for (labels, mut buckets) in buckets {
                buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
                check(buckets.is_sorted_by(|one, other| one.1 <= other.1), "buckets that fall")?;
                let part = |suffix| self.series.get(&(format!("{family}{suffix}"), labels.clone()));
                let count = part("_count").ok_or("no count")?;
                let is_whole = buckets.last() == Some(&(f64::INFINITY, *count));
                check(is_whole, "the last bucket is not the count")?;
                check(part("_sum").is_some(), "no sum")?;
            }
        }
        Ok(())
    }
}

/// Labels after the opening brace, and what comes after the closing one.
fn labels(mut rest: &str) -> Result<(Labels, &str), String> {
    let mut labels = BTreeMap::new();
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("a label without a value")?;
        check(is_name(name) && !name.contains(':') && !name.starts_with("__"), "a bad label")?;
        let mut value = String::new();
        let mut signs = after.char_indices();
        let end = loop {
            match signs.next().ok_or("a value without an end")? {
                (at, '"') => break at,
                (_, '\\') => value.push(match signs.next() {
                    Some((_, '\\')) => '\\',
                    Some((_, '"')) => '"',
                    Some((_, 'n')) => '\n',
                    _ => return Err("an unknown escape".into()),
                }),
                (_, sign) => value.push(sign),
            }
        };
        check(labels.insert(name.to_owned(), value).is_none(), "a label twice")?;
        rest = &after[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Ok((labels, rest.strip_prefix('}').ok_or("no closing brace")?)),
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    name.bytes().all(is_sign) && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

fn check(is_fine: bool, what: &str) -> Result<(), String> {
    if is_fine { Ok(()) } else { Err(what.to_owned()) }
}

#[test]
fn the_reader_refuses_what_a_scraper_would() {
    let head = "# HELP vinylvault_a Some help.\n# TYPE vinylvault_a gauge\n";
    let good = format!("{head}vinylvault_a{{b=\"c\\\"\\n\"}} 1\nvinylvault_a 2.5\n");
    assert_eq!(read(&good).unwrap().len(), 2);
    for (bad, why) in [
        ("vinylvault_a 1", "no line feed"),
        ("vinylvault_a{b=\"c\"} 1\nvinylvault_a{b=\"c\"} 2\n", "a series twice"),
        ("vinylvault_b 1\n", "another family"),
        ("vinylvault_a{b=\"c} 1\n", "an open value"),
        ("vinylvault_a{b=\"c\",b=\"d\"} 1\n", "a label twice"),
        ("vinylvault_a{b=\"\\x\"} 1\n", "an escape"),
        ("vinylvault_a one\n", "no number"),
        ("vinylvault_a -1\n", "negative"),
        ("vinylvault_a NaN\n", "not a number"),
        ("\n", "an empty line"),
        ("# TYPE vinylvault_a gauge\n", "a type twice"),
        ("# HELP vinylvault_c Some help.\n# TYPE vinylvault_c counter\n", "a counter without _total"),
        ("vinylvault_a_total 1\n", "a suffix"),
    ] {
        assert!(read(&format!("{head}{bad}")).is_err(), "{why}");
    }
    let histogram = "# HELP vinylvault_h Some help.\n# TYPE vinylvault_h histogram\n";
    let parts = "vinylvault_h_bucket{le=\"0.5\"} 1\nvinylvault_h_bucket{le=\"+Inf\"} 2\n\
                 vinylvault_h_sum 3\nvinylvault_h_count 2\n";
    let with = |from: &str, to: &str| read(&format!("{histogram}{}", parts.replace(from, to)));
    assert_eq!(with("", "").unwrap()[&key("vinylvault_h_bucket", &[("le", "0.5")])], 1.0);
    for (from, to) in [("} 1", "} 3"), ("count 2", "count 1"), ("+Inf", "9"), ("vinylvault_h_sum 3\n", "")] {
        assert!(with(from, to).is_err(), "{from}");
    }
}
