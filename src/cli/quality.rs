//! What was held against limits, for the user and for operators.

use super::{exit, observed};
use crate::quality::{Finding, Severity, count_fails};

/// Says which limits were passed, and tells operators of all findings. Gives the exit code.
pub fn told(findings: &[Finding]) -> u8 {
    observed::live().quality(findings);
    for found in findings.iter().filter(|found| found.raised) {
        let word = if found.severity == Some(Severity::Fail) { "alert" } else { "warning" };
        super::say(&format!("{word}: {found}"));
    }
    if count_fails(findings) > 0 { exit::ALERT } else { exit::OK }
}
