//! Quality gates: what a run found, and the limits that operators set for it.
//!
//! A room that knows something gives [`Figure`]s. [`Rules`] judge them, and [`Finding`]s say how it came out: in the report of a run, in
//! `version.json`, in events and in metrics. Here alone stands what a rule is called, its unit, and what its alert says.
//!
//! ```
//! use hypso::quality::{Figure, Rule, Rules, Severity};
//!
//! let mut rules = Rules::default();
//! rules.set(Rule::Voids, Severity::Fail, 10.0);
//! let found = rules.judge(&[Figure::share(Rule::Voids, 25, 100)]);
//! assert!(found[0].fails());
//! assert_eq!(found[0].to_string(), "25 % of the pixels have no height (25 of 100), 10 % are allowed");
//! ```

mod finding;
mod rules;

pub use finding::{Figure, Finding, count_fails};
pub use rules::{Rule, Rules, Severity};
