//! What can be asked of quality, and which limits were set.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::finding::{Figure, Finding};

/// Something that a run, a build or a publication measures, and that may have a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Percent of the files of a build that can't be used and were skipped.
    SkippedFiles,
    /// Percent of the tiles that have no height at all.
    EmptyTiles,
    /// Percent of the records that gave no pixel.
    UnusedRecords,
    /// Percent of the pixels of tiles that have no height.
    Voids,
    /// Percent of the pixels that a source was asked for and has no height for; for each source.
    SourceVoids,
    /// Pixels with heights that the Earth does not have, or that are a usual mark of voids.
    ImplausiblePixels,
    /// The lowest height, metres; the limit is the lowest that is allowed.
    LowestHeight,
    /// The highest height, metres.
    HighestHeight,
    /// The mean step between neighbouring pixels of two sources, metres; for each pair of sources that meet.
    Seams,
    /// Percent of the pixels that differ from the version before.
    ChangedPixels,
    /// The greatest difference of a height from the version before, metres.
    GreatestChange,
    /// Percent of the tiles looked at that are not the means of their finer tiles.
    DifferingParents,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::SkippedFiles,
        Self::EmptyTiles,
        Self::UnusedRecords,
        Self::Voids,
        Self::SourceVoids,
        Self::ImplausiblePixels,
        Self::LowestHeight,
        Self::HighestHeight,
        Self::Seams,
        Self::ChangedPixels,
        Self::GreatestChange,
        Self::DifferingParents,
    ];

    /// Its name, as configurations, reports and metrics have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SkippedFiles => "skipped_files",
            Self::EmptyTiles => "empty_tiles",
            Self::UnusedRecords => "unused_records",
            Self::Voids => "voids",
            Self::SourceVoids => "source_voids",
            Self::ImplausiblePixels => "implausible_pixels",
            Self::LowestHeight => "lowest_height",
            Self::HighestHeight => "highest_height",
            Self::Seams => "seams",
            Self::ChangedPixels => "changed_pixels",
            Self::GreatestChange => "greatest_change",
            Self::DifferingParents => "differing_parents",
        }
    }

    /// The rule of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// The unit of its values.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::LowestHeight | Self::HighestHeight | Self::Seams | Self::GreatestChange => "m",
            Self::ImplausiblePixels => "pixels",
            _ => "%",
        }
    }

    /// What a value says; it stands behind the value and its unit.
    pub(super) fn says(self) -> &'static str {
        match self {
            Self::SkippedFiles => "of the files were skipped",
            Self::EmptyTiles => "of the tiles have no data",
            Self::UnusedRecords => "of the records gave no pixel",
            Self::Voids => "of the pixels have no height",
            Self::SourceVoids => "of the pixels that it was asked for have no height",
            Self::ImplausiblePixels => "have heights that the Earth does not have",
            Self::LowestHeight => "is the lowest height",
            Self::HighestHeight => "is the highest height",
            Self::Seams => "is the mean step where they meet",
            Self::ChangedPixels => "of the pixels differ from the version before",
            Self::GreatestChange => "is the greatest change since the version before",
            Self::DifferingParents => "of the tiles are not the means of their finer tiles",
        }
    }

    /// True where lower values are worse.
    pub(super) fn is_floor(self) -> bool {
        self == Self::LowestHeight
    }

    /// True where `value` is beyond `limit`.
    pub(super) fn is_beyond(self, value: f64, limit: f64) -> bool {
        if self.is_floor() { value < limit } else { value > limit }
    }

    /// True where each source, or pair of sources, has a value of its own.
    fn is_by_source(self) -> bool {
        matches!(self, Self::SourceVoids | Self::Seams)
    }
}

/// What follows where a limit is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is said and recorded.
    Warn,
    /// The same, and the command ends with an exit code of its own; nothing is published.
    Fail,
}

impl Severity {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// The limits of one rule.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "limits such as { warn = 5, fail = 10 }")]
struct Limits {
    warn: Option<f64>,
    fail: Option<f64>,
    /// Of single sources, in place of those.
    #[serde(default)]
    sources: BTreeMap<String, Limits>,
}

/// The limits that were set.
///
/// ```toml
/// [alerts]
/// voids = { warn = 5, fail = 10 }
/// source_voids = { fail = 20, sources.aw30 = { fail = 90 } }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(try_from = "BTreeMap<Rule, Limits>")]
pub struct Rules(BTreeMap<Rule, Limits>);

impl TryFrom<BTreeMap<Rule, Limits>> for Rules {
    type Error = String;

    fn try_from(rules: BTreeMap<Rule, Limits>) -> Result<Self, String> {
        for (rule, limits) in &rules {
            check(*rule, limits).map_err(|problem| format!("{}: {problem}", rule.name()))?;
            if !rule.is_by_source() && !limits.sources.is_empty() {
                return Err(format!("{}: has one value for all sources; leave sources out", rule.name()));
            }
            for (source, limits) in &limits.sources {
                check(*rule, limits).map_err(|problem| format!("{}: source {source}: {problem}", rule.name()))?;
                if !limits.sources.is_empty() {
                    return Err(format!("{}: source {source}: can't have sources itself", rule.name()));
                }
            }
        }
        Ok(Self(rules))
    }
}

/// What is wrong with the limits of a rule.
fn check(rule: Rule, limits: &Limits) -> Result<(), String> {
    if limits.warn.is_none() && limits.fail.is_none() && limits.sources.is_empty() {
        return Err("has no limit; give warn, fail, or both".into());
    }
    for limit in [limits.warn, limits.fail].into_iter().flatten() {
        if !limit.is_finite() {
            return Err(format!("{limit} is no limit; give a number"));
        }
        if rule.unit() == "%" && !(0.0..=100.0).contains(&limit) {
            return Err(format!("{limit} is no percentage; give a number from 0 to 100"));
        }
    }
    match limits.warn.zip(limits.fail) {
        Some((warn, fail)) if rule.is_beyond(warn, fail) => {
            Err(format!("warns at {warn} and fails at {fail} before; exchange the two"))
        }
        _ => Ok(()),
    }
}

impl Rules {
    /// Sets a limit in place of what the rule had.
    pub fn set(&mut self, rule: Rule, severity: Severity, limit: f64) {
        let mut limits = Limits::default();
        match severity {
            Severity::Warn => limits.warn = Some(limit),
            Severity::Fail => limits.fail = Some(limit),
        }
        self.0.insert(rule, limits);
    }

    /// True where a rule has a limit.
    #[must_use]
    pub fn has(&self, rule: Rule) -> bool {
        self.0.contains_key(&rule)
    }

    /// True where no rule has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Holds figures against the limits; of several figures of one rule and source the worst counts. A figure whose rule has no limit
    /// is a finding as well.
    #[must_use]
    pub fn judge(&self, figures: &[Figure]) -> Vec<Finding> {
        let mut worst: BTreeMap<(Rule, Option<&str>), &Figure> = BTreeMap::new();
        for figure in figures.iter().filter(|figure| figure.value.is_finite()) {
            let held = worst.entry((figure.rule, figure.source.as_deref())).or_insert(figure);
            if figure.rule.is_beyond(figure.value, held.value) {
                *held = figure;
            }
        }
        worst.into_values().map(|figure| self.finding(figure)).collect()
    }

    fn finding(&self, figure: &Figure) -> Finding {
        let limits = self.0.get(&figure.rule);
        let own = limits.zip(figure.source.as_deref()).and_then(|(limits, source)| limits.sources.get(source));
        let limits = own.or(limits);
        let limit_of = |severity| match severity {
            Severity::Warn => limits?.warn,
            Severity::Fail => limits?.fail,
        };
        let passed =
            |severity: &Severity| limit_of(*severity).is_some_and(|limit| figure.rule.is_beyond(figure.value, limit));
        let raised = [Severity::Fail, Severity::Warn].into_iter().find(passed);
        // Where none is passed, the one that would be passed first.
        let next = [Severity::Warn, Severity::Fail].into_iter().find(|severity| limit_of(*severity).is_some());
        let severity = raised.or(next);
        Finding { figure: figure.clone(), limit: severity.and_then(limit_of), severity, raised: raised.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Result<Rules, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_those_of_configurations() {
        for rule in Rule::ALL {
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
            assert_eq!(Rule::of_name(rule.name()), Some(rule));
        }
    }

    #[test]
    fn a_value_is_held_against_the_stricter_limit_that_it_passes() {
        let rules = rules("voids = { warn = 5, fail = 10 }").unwrap();
        let judged = |value| {
            let found = rules.judge(&[Figure::new(Rule::Voids, value)]).remove(0);
            (found.raised, found.severity, found.limit)
        };
        assert_eq!(judged(5.0), (false, Some(Severity::Warn), Some(5.0)));
        assert_eq!(judged(5.1), (true, Some(Severity::Warn), Some(5.0)));
        assert_eq!(judged(10.1), (true, Some(Severity::Fail), Some(10.0)));
        assert!(rules.judge(&[Figure::new(Rule::Voids, f64::NAN)]).is_empty());
        let without = rules.judge(&[Figure::new(Rule::Seams, 1e9)]).remove(0);
        assert_eq!((without.raised, without.severity, without.limit), (false, None, None));
    }

    #[test]
    fn the_lowest_height_has_a_floor_and_the_worst_figure_counts() {
        let rules = rules("lowest_height = { warn = -100, fail = -500 }").unwrap();
        let figures = [-50.0, -200.0, -150.0].map(|value| Figure::new(Rule::LowestHeight, value));
        let found = rules.judge(&figures);
        assert_eq!((found.len(), found[0].figure.value, found[0].limit), (1, -200.0, Some(-100.0)));
        assert_eq!(found[0].to_string(), "-200 m is the lowest height, -100 m are allowed");
    }

    #[test]
    fn a_source_may_have_a_limit_of_its_own() {
        let text = "source_voids = { fail = 20, sources.aw30 = { warn = 90 } }\n[seams]\nsources = { \"a, b\" = { warn = 1 } }";
        let rules = rules(text).unwrap();
        let found = rules.judge(&[
            Figure::new(Rule::SourceVoids, 50.0).of("aw30"),
            Figure::new(Rule::SourceVoids, 50.0).of("dem10"),
            Figure::new(Rule::Seams, 2.0).of("a, b"),
            Figure::new(Rule::Seams, 2.0).of("a, c"),
        ]);
        let raised: Vec<_> = found.iter().map(|f| (f.figure.source.as_deref().unwrap(), f.raised, f.fails())).collect();
        assert_eq!(
            raised,
            [("aw30", false, false), ("dem10", true, true), ("a, b", true, false), ("a, c", false, false)]
        );
    }

    #[test]
    fn what_is_no_rule_or_no_limit_is_refused_by_line_and_name() {
        for (text, words) in [
            ("voids = { fail = 1 }\nviods = { fail = 1 }", ["line 2", "viods"]),
            ("voids = 10", ["line 1", "{ warn = 5, fail = 10 }"]),
            ("voids = { error = 10 }", ["line 1", "error"]),
            ("voids = {}", ["voids", "no limit"]),
            ("voids = { fail = 200 }", ["voids", "0 to 100"]),
            ("greatest_change = { fail = nan }", ["greatest_change", "NaN"]),
            ("voids = { warn = 10, fail = 5 }", ["voids", "exchange"]),
            ("lowest_height = { warn = -500, fail = -100 }", ["lowest_height", "exchange"]),
            ("voids = { fail = 1, sources.a = { fail = 2 } }", ["voids", "leave sources out"]),
            ("seams = { sources.a = { fail = -1, sources.b = { fail = 1 } } }", ["source a", "itself"]),
        ] {
            let problem = rules(text).unwrap_err();
            assert!(words.iter().all(|word| problem.contains(word)), "{text}: {problem}");
        }
    }
}
