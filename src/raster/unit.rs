//! Units of heights, and how many metres each is.

/// The international foot, metres.
const FOOT: f64 = 0.3048;
/// The US survey foot, metres.
const SURVEY_FOOT: f64 = 1200.0 / 3937.0;

/// Names of units in lower case without spaces, dots, dashes and underscores, and their metres.
const NAMES: [(&[&str], f64); 16] = [
    (
        &[
            "m", "metre", "metres", "meter", "meters", "mtr", "mtrs", "metern", "mètre", "mètres", "metro", "metros",
            "metri",
        ],
        1.0,
    ),
    (&["米", "公尺", "メートル", "метр", "метры", "метров", "м", "gpm", "geopotentialmetre", "geopotentialmeter"], 1.0),
    (
        &[
            "ft",
            "foot",
            "feet",
            "'",
            "internationalfoot",
            "internationalfeet",
            "footinternational",
            "intlfoot",
            "ftint",
        ],
        FOOT,
    ),
    (
        &["ftus", "usft", "ussurveyfoot", "ussurveyfeet", "usfoot", "usfeet", "footus", "feetus", "surveyfoot"],
        SURVEY_FOOT,
    ),
    (
        &["surveyfeet", "sft", "sfoot", "footussurvey", "feetussurvey", "ussurveyft", "unitedstatessurveyfoot"],
        SURVEY_FOOT,
    ),
    (&["km", "kilometre", "kilometres", "kilometer", "kilometers"], 1000.0),
    (&["hm", "hectometre", "hectometres", "hectometer", "hectometers"], 100.0),
    (&["dam", "decametre", "decametres", "decameter", "decameters", "dekameter"], 10.0),
    (&["dm", "decimetre", "decimetres", "decimeter", "decimeters"], 0.1),
    (&["cm", "centimetre", "centimetres", "centimeter", "centimeters"], 0.01),
    (&["mm", "millimetre", "millimetres", "millimeter", "millimeters"], 0.001),
    (&["yd", "yard", "yards"], 0.9144),
    (&["in", "inch", "inches"], 0.0254),
    (&["fathom", "fathoms", "fath"], 1.8288),
    (&["mi", "mile", "miles", "statutemile"], 1609.344),
    (&["nmi", "nauticalmile", "nauticalmiles"], 1852.0),
];

/// Texts that mean that no unit is known.
const UNKNOWN: [&str; 7] = ["", "unknown", "none", "na", "n/a", "undefined", "unspecified"];

/// Metres of one unit; `None` where the text names no length.
#[must_use]
pub fn metres(unit: &str) -> Option<f64> {
    let text = unit.trim().trim_start_matches(['[', '(']).trim_end_matches([']', ')']);
    let (first, rest) = parts(text);
    // `m above EGM96`, `m (NAVD88)`, but not `m/s`, `m s-1` or `m2`.
    let named = |text: &str| {
        let plain: String =
            text.to_lowercase().chars().filter(|c| !matches!(c, ' ' | '.' | '-' | '_' | '(' | ')')).collect();
        NAMES.iter().find(|(names, _)| names.contains(&plain.as_str())).map(|(_, metres)| *metres)
    };
    named(text).or_else(|| if rest.is_empty() { None } else { named(first) })
}

/// Metres of a unit that a user gives: by its name, or as a number of metres; `None` where it is neither.
#[must_use]
pub fn given(text: &str) -> Option<f64> {
    metres(text).or_else(|| text.trim().parse().ok().filter(|v: &f64| v.is_finite() && *v > 0.0))
}

/// A text that [`given`] turns into the same number of metres.
#[must_use]
pub fn text(metres: f64) -> String {
    let known = [("m", 1.0), ("ft", FOOT), ("ftUS", SURVEY_FOOT), ("cm", 0.01)];
    known.iter().find(|(_, m)| *m == metres).map_or_else(|| metres.to_string(), |(name, _)| (*name).to_string())
}

/// A unit and what is said of the level that heights are over, where the text ends with that.
fn parts(text: &str) -> (&str, &str) {
    const LEVEL: [&str; 8] = [" above ", " over ", " asl", " amsl", " msl", " relative to ", " wrt ", " ("];
    let lower = text.to_ascii_lowercase();
    let at = LEVEL.iter().filter_map(|level| lower.find(level)).filter(|&at| text.is_char_boundary(at)).min();
    at.map_or((text, ""), |at| text.split_at(at))
}

/// True where a text says that the unit is not known; heights then are taken as metres.
#[must_use]
pub fn is_unknown(unit: &str) -> bool {
    UNKNOWN.contains(&unit.trim().to_lowercase().as_str())
}

/// The unit of the heights of a CRS in WKT, its name and its metres; `None` where the CRS has no vertical axis.
///
/// Reads both versions of WKT and that of ESRI: compound and vertical CRSs, and three-dimensional ones.
#[must_use]
pub fn vertical(wkt: &str) -> Option<(String, f64)> {
    for name in ["VERT_CS[", "VERTCS[", "VERTCRS[", "VERTICALCRS[", "BASEVERTCRS["] {
        if let Some(node) = node(wkt, name) {
            // The datum may have a unit of its own before; that of the CRS comes last.
            return last_unit(node);
        }
    }
    // The third axis of a three-dimensional CRS.
    let mut rest = wkt;
    while let Some(axis) = node(rest, "AXIS[") {
        let direction = axis.split(',').nth(1).unwrap_or("").trim().trim_end_matches(']').to_ascii_lowercase();
        if direction == "up" {
            return last_unit(axis).or_else(|| Some(("metre".into(), 1.0)));
        }
        rest = &rest[rest.find("AXIS[")? + 5..];
    }
    None
}

/// The text of the first node of a name, to its closing bracket.
fn node<'a>(wkt: &'a str, name: &str) -> Option<&'a str> {
    // `VERT_CS[` also ends nothing else, but `AXIS[` may end another name.
    let mut from = 0;
    let at = loop {
        let at = from + wkt[from..].find(name)?;
        let before = wkt[..at].chars().next_back();
        if before.is_none_or(|c| !c.is_alphanumeric() && c != '_') {
            break at;
        }
        from = at + name.len();
    };
    let (mut depth, mut quoted) = (0, false);
    for (i, c) in wkt[at..].char_indices() {
        match c {
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return Some(&wkt[at..=at + i]);
                }
            }
            _ => {}
        }
    }
    None
}

/// Name and factor of the last unit of length in a node.
fn last_unit(text: &str) -> Option<(String, f64)> {
    let mut found = None;
    for name in ["UNIT[", "LENGTHUNIT["] {
        let mut rest = text;
        while let Some(unit) = node(rest, name) {
            let inner = &unit[name.len()..];
            let mut fields = inner.split('"');
            let (_, label) = (fields.next(), fields.next().unwrap_or(""));
            let factor = fields.next().unwrap_or("").trim_start_matches(',').split([',', ']']).next().unwrap_or("");
            if let Ok(factor) = factor.trim().parse::<f64>()
                && factor.is_finite()
                && factor > 0.0
            {
                found = Some((label.to_string(), factor));
            }
            rest = &rest[rest.find(unit)? + unit.len()..];
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_known_by_many_names_and_nothing_else_is() {
        for unit in ["m", "Metre", "METERS", "[m]", "m above EGM96", "metre (NAVD88)", "m asl", "m.", "gpm", "メートル"]
        {
            assert_eq!(metres(unit), Some(1.0), "{unit}");
        }
        for unit in ["ft", "Feet", "foot", "International Foot", "ft."] {
            assert_eq!(metres(unit), Some(0.3048), "{unit}");
        }
        for unit in
            ["US survey foot", "us-ft", "ftUS", "Foot_US", "US Survey Feet", "sfoot", "ft_us", "foot (US survey)"]
        {
            assert_eq!(metres(unit), Some(1200.0 / 3937.0), "{unit}");
        }
        assert_eq!((metres("cm"), metres("km"), metres("fathoms")), (Some(0.01), Some(1000.0), Some(1.8288)));
        for unit in ["degree", "K", "m/s", "m s-1", "m2", "m^2", "percent", "%", "1", "dB", "", "unknown", "hPa", "ms"]
        {
            assert_eq!(metres(unit), None, "{unit}");
        }
        for metres in [1.0, FOOT, SURVEY_FOOT, 0.3, 0.01] {
            assert_eq!(given(&text(metres)), Some(metres));
        }
        assert_eq!((given("0"), given("-1"), given("degree"), given("inf")), (None, None, None, None));
        assert!(is_unknown("") && is_unknown(" Unknown ") && !is_unknown("degree"));
    }

    #[test]
    fn the_vertical_unit_is_that_of_the_vertical_crs() {
        let first = "COMPD_CS[\"x + y\",PROJCS[\"x\",UNIT[\"metre\",1]],VERT_CS[\"NAVD88 height (ftUS)\",VERT_DATUM[\"d\",2005],\
            UNIT[\"US survey foot\",0.304800609601219,AUTHORITY[\"EPSG\",\"9003\"]],AXIS[\"Up\",UP]]]";
        assert_eq!(vertical(first), Some(("US survey foot".into(), 0.304800609601219)));
        let second = "COMPOUNDCRS[\"x\",GEOGCRS[\"g\",CS[ellipsoidal,2],AXIS[\"lat\",north,ANGLEUNIT[\"degree\",0.0174]]],\
            VERTCRS[\"v\",VDATUM[\"d\"],CS[vertical,1],AXIS[\"up (H)\",up],LENGTHUNIT[\"foot\",0.3048]]]";
        assert_eq!(vertical(second), Some(("foot".into(), 0.3048)));
        let esri = "GEOGCS[\"g\",UNIT[\"Degree\",0.0174]],VERTCS[\"NAVD_1988_Foot\",VDATUM[\"d\"],PARAMETER[\"Vertical_Shift\",0.0],\
            PARAMETER[\"Direction\",1.0],UNIT[\"Foot\",0.3048]]";
        assert_eq!(vertical(esri), Some(("Foot".into(), 0.3048)));
        let three = "GEOGCRS[\"g\",CS[ellipsoidal,3],AXIS[\"lat\",north,ORDER[1],ANGLEUNIT[\"degree\",0.0174]],\
            AXIS[\"h\",up,ORDER[3],LENGTHUNIT[\"foot\",0.3048]]]";
        assert_eq!(vertical(three), Some(("foot".into(), 0.3048)));
        assert_eq!(
            vertical("PROJCS[\"x\",GEOGCS[\"g\",UNIT[\"degree\",0.0174]],UNIT[\"US survey foot\",0.3048006]]"),
            None
        );
    }
}
