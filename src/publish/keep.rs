//! Which versions stay: the last of each day, week and month, so many of each.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Utc};

/// How many versions of each kind stay. Days, ISO weeks and months are those of UTC. Only those count in which something was
/// published: seven days may lie further back than a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// The newest ones, whenever they were published: with one, there may be none to go back to.
    pub last: usize,
    /// The last one of a day.
    pub daily: usize,
    /// The last one of a week.
    pub weekly: usize,
    /// The last one of a month.
    pub monthly: usize,
}

impl Default for Keep {
    fn default() -> Self {
        Self { last: 2, daily: 7, weekly: 4, monthly: 12 }
    }
}

/// Why a version stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It is one of the newest.
    Last,
    /// It is the last one of its day.
    Daily,
    /// It is the last one of its week.
    Weekly,
    /// It is the last one of its month.
    Monthly,
}

impl Keep {
    /// Why each version stays; those without a reason go. `times` are seconds since 1970, in any order.
    #[must_use]
    pub fn reasons(&self, times: &[i64]) -> Vec<Vec<Reason>> {
        let mut order: Vec<usize> = (0..times.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse((times[at], at)));
        let mut found = vec![Vec::new(); times.len()];
        for &at in order.iter().take(self.last) {
            found[at].push(Reason::Last);
        }
        let periods = [(Reason::Daily, self.daily), (Reason::Weekly, self.weekly), (Reason::Monthly, self.monthly)];
        for (reason, most) in periods {
            let mut seen = BTreeSet::new();
            for &at in &order {
                if seen.len() < most && seen.insert(period(reason, times[at])) {
                    found[at].push(reason);
                }
            }
        }
        found
    }
}

/// The day, week or month of a time, as its year and its number in it.
fn period(reason: Reason, time: i64) -> (i32, u32) {
    let time = DateTime::<Utc>::from_timestamp(time, 0).unwrap_or_default();
    match reason {
        Reason::Weekly => (time.iso_week().year(), time.iso_week().week()),
        Reason::Monthly => (time.year(), time.month()),
        Reason::Daily | Reason::Last => (time.year(), time.ordinal()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    /// 2026-11-26, a Thursday, noon.
    const NOW: i64 = 1_795_694_400;

    fn kept(keep: Keep, times: &[i64]) -> usize {
        keep.reasons(times).iter().filter(|r| !r.is_empty()).count()
    }

    #[test]
    fn a_year_of_nights_keeps_days_weeks_and_months() {
        let times: Vec<i64> = (0..400).map(|n| NOW - n * DAY).collect();
        let reasons = Keep::default().reasons(&times);
        let of = |reason| (0..400).filter(|&n| reasons[n].contains(&reason)).collect::<Vec<_>>();
        assert_eq!(of(Reason::Daily), [0, 1, 2, 3, 4, 5, 6]);
        // Thursday itself, and the Sundays before.
        assert_eq!(of(Reason::Weekly), [0, 4, 11, 18]);
        // The last days of October, September, ...
        assert_eq!(of(Reason::Monthly)[..3], [0, 26, 57]);
        assert_eq!(of(Reason::Monthly).len(), 12);
        assert_eq!(of(Reason::Last), [0, 1]);
    }

    #[test]
    fn several_on_a_day_count_as_one_and_gaps_do_not_count() {
        let times = [NOW, NOW - 60, NOW - 120, NOW - 30 * DAY, NOW - 31 * DAY];
        assert_eq!(kept(Keep { last: 0, daily: 2, weekly: 0, monthly: 0 }, &times), 2);
        assert_eq!(kept(Keep { last: 3, daily: 0, weekly: 0, monthly: 0 }, &times), 3);
        assert_eq!(kept(Keep { last: 0, daily: 0, weekly: 0, monthly: 0 }, &times), 0);
        assert_eq!(kept(Keep::default(), &[]), 0);
        // The week of a year's first days belongs to the year before.
        let weeks = Keep { last: 0, daily: 0, weekly: 9, monthly: 0 };
        let (thursday, friday) = (1_798_718_400, 1_798_804_800); // 2026-12-31, 2027-01-01
        assert_eq!(kept(weeks, &[thursday, friday]), 1);
    }
}
