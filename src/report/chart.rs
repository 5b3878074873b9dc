//! Charts in SVG: bars that are as wide as the page lets them, and lines.

use std::fmt::Write;

use super::compare::Unit;

/// A text as HTML has it.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in crate::text::one_line(text, 200).chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

/// The part of `most` that a value is, in percent.
fn percent(value: f64, most: f64) -> f64 {
    let share = value / most * 100.0;
    if share.is_finite() { share.clamp(0.0, 100.0) } else { 0.0 }
}

/// One line of a bar chart: its name, and a bar and its value for each report.
pub(super) fn bars(name: &str, values: &[Option<f64>], unit: Unit, most: f64) -> String {
    let mut bars = String::new();
    let mut shown = String::new();
    for (n, value) in values.iter().enumerate() {
        let y = n * 11;
        let width = percent(value.unwrap_or(0.0), most);
        let _ = write!(bars, "<rect class=\"s{n}\" y=\"{y}\" width=\"{width:.3}%\" height=\"9\" rx=\"1.5\"/>");
        let text = value.map_or_else(|| "–".to_owned(), |value| escaped(&unit.shown(value)));
        let _ = write!(shown, "<span class=\"v{n}\">{text}</span>");
    }
    let height = values.len() * 11 - 2;
    format!(
        "<div class=\"bar\"><span class=\"name\" title=\"{0}\">{0}</span><svg height=\"{height}\" aria-hidden=\"true\">{bars}</svg>\
         <span class=\"values\">{shown}</span></div>\n",
        escaped(name)
    )
}

/// A series of a line chart: the time between two values, seconds, and the values.
pub(super) struct Series<'a> {
    pub(super) every: f64,
    pub(super) values: &'a [u64],
}

impl Series<'_> {
    /// How long it lasts, seconds.
    fn lasts(&self) -> f64 {
        let lasts = self.every * self.values.len() as f64;
        if lasts.is_finite() { lasts.max(0.0) } else { 0.0 }
    }
}

/// Points that a line has at most; more are left out.
const POINTS: usize = 2048;

/// Lines of bytes over time, as steps.
pub(super) fn lines(all: &[Series<'_>]) -> String {
    let most = all.iter().flat_map(|s| s.values).copied().max().unwrap_or(0);
    let lasts = all.iter().map(Series::lasts).fold(0.0, f64::max);
    let mut paths = String::new();
    for (n, series) in all.iter().enumerate() {
        let mut path = String::new();
        for (slot, &value) in series.values.iter().take(POINTS).enumerate() {
            let x = |slot: usize| percent(series.every * slot as f64, lasts) * 10.0;
            let y = 200.0 - percent(value as f64, most as f64) * 2.0;
            let to = if slot == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{to}{:.1} {y:.1}H{:.1}", x(slot), x(slot + 1));
        }
        if !path.is_empty() {
            let _ = write!(paths, "<path class=\"l{n}\" d=\"{path}\"/>");
        }
    }
    format!(
        "<div class=\"lines\"><span class=\"top\">{}</span><svg viewBox=\"0 -4 1000 208\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <path class=\"grid\" d=\"M0 0H1000M0 50H1000M0 100H1000M0 150H1000M0 200H1000\"/>{paths}</svg>\
         <span class=\"axis\"><span>0</span><span>{}</span></span></div>\n",
        escaped(&Unit::Bytes.shown(most as f64)),
        escaped(&Unit::Seconds.shown(lasts))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_makes_a_chart_that_is_none() {
        for value in [0.0, -5.0, f64::MAX, f64::INFINITY, f64::NAN] {
            for most in [0.0, 1.0, f64::MAX, f64::NAN] {
                let text = bars("a", &[Some(value), None], Unit::Seconds, most);
                assert!(!text.contains("NaN%") && !text.contains("inf%") && !text.contains("width=\"-"), "{text}");
            }
        }
        for every in [0.0, -1.0, f64::MAX, f64::NAN] {
            let text = lines(&[Series { every, values: &[1, u64::MAX, 0] }, Series { every: 1.0, values: &[] }]);
            assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        }
        let long = vec![5; 1 << 20];
        assert!(lines(&[Series { every: 1.0, values: &long }]).len() < 100_000);
    }

    #[test]
    fn a_bar_is_its_share_of_the_longest() {
        let text = bars("zoom 5", &[Some(50.0), Some(200.0)], Unit::Count, 200.0);
        assert!(
            text.contains("class=\"s0\" y=\"0\" width=\"25.000%\"") && text.contains("width=\"100.000%\""),
            "{text}"
        );
    }
}
