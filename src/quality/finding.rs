//! What was measured, and how it stands to its limit.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rules::{Rule, Severity};

/// Something that was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is.
    pub rule: Rule,
    /// The source; of a pair of sources both, as `a, b`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The value, in the rule's unit.
    pub value: f64,
    /// Parts and whole of a share, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<(u64, u64)>,
}

impl Figure {
    /// A value.
    #[must_use]
    pub fn new(rule: Rule, value: f64) -> Self {
        Self { rule, source: None, value, of: None }
    }

    /// A share in percent; 0 of nothing is 0.
    #[must_use]
    pub fn share(rule: Rule, part: u64, whole: u64) -> Self {
        Self { of: Some((part, whole)), ..Self::new(rule, part as f64 * 100.0 / whole.max(1) as f64) }
    }

    /// The same of a source.
    #[must_use]
    pub fn of(self, source: impl Into<String>) -> Self {
        Self { source: Some(source.into()), ..self }
    }
}

/// A figure, held against the limit of its rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What was measured.
    #[serde(flatten)]
    pub figure: Figure,
    /// The limit that was passed, else the one that would be passed first; `None` where none is set.
    pub limit: Option<f64>,
    /// What follows where it is passed.
    pub severity: Option<Severity>,
    /// True where it was passed.
    pub raised: bool,
}

impl Finding {
    /// True where a limit was passed that makes commands fail.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.raised && self.severity == Some(Severity::Fail)
    }
}

/// How many limits were passed that make commands fail.
#[must_use]
pub fn count_fails(findings: &[Finding]) -> usize {
    findings.iter().filter(|finding| finding.fails()).count()
}

/// A number of at most two decimals; more where it would be 0.
fn number(value: f64) -> String {
    let text = if value == 0.0 || value.abs() >= 0.01 { format!("{value:.2}") } else { format!("{value:.1e}") };
    match text.split_once('.') {
        Some((_, decimals)) if !decimals.contains('e') => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        _ => text,
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figure { rule, source, value, of } = &self.figure;
        if let Some(source) = source {
            write!(f, "{source}: ")?;
        }
        write!(f, "{} {} {}", number(*value), rule.unit(), rule.says())?;
        if let Some((part, whole)) = of {
            write!(f, " ({part} of {whole})")?;
        }
        match self.limit {
            Some(limit) => write!(f, ", {} {} are allowed", number(limit), rule.unit()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::Rules;

    #[test]
    fn a_finding_is_written_flat_and_read_back() {
        let mut rules = Rules::default();
        rules.set(Rule::SourceVoids, Severity::Warn, 1.0);
        let found = rules.judge(&[Figure::share(Rule::SourceVoids, 1, 3).of("a")]).remove(0);
        let value = serde_json::to_value(&found).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"rule": "source_voids", "source": "a", "value": 100.0 / 3.0, "of": [1, 3], "limit": 1.0,
                "severity": "warn", "raised": true})
        );
        assert_eq!(serde_json::from_value::<Finding>(value).unwrap(), found);
        assert!(!found.fails() && count_fails(&[found]) == 0);
    }

    #[test]
    fn small_numbers_do_not_become_nothing() {
        for (value, text) in
            [(0.0, "0"), (12.5, "12.5"), (100.0, "100"), (0.0004, "4.0e-4"), (-0.004, "-4.0e-3"), (7.126, "7.13")]
        {
            assert_eq!(number(value), text);
        }
    }
}
