//! Median and spread of a few measurements.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// What a part of the bench found out.
pub(crate) struct Figures {
    pub(crate) data: Value,
    /// Name and SVG.
    pub(crate) charts: Vec<(String, String)>,
}

/// Measurements in seconds, summed up.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    pub(crate) all: Vec<f64>,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Spread {
        let all: Vec<f64> = values.into_iter().map(|value| (value * 1000.0).round() / 1000.0).collect();
        let mut sorted = all.clone();
        sorted.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else { return Spread::default() };
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Spread { median, least: *least, most: *most, all }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.all.is_empty() {
            return f.pad("—");
        }
        f.pad(&format!("{:.2} ({:.2}–{:.2})", self.median, self.least, self.most))
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]).to_string(), "2.00 (1.00–3.00)");
        assert_eq!(Spread::of([4.0, 1.0]).median, 2.5);
        assert_eq!(format!("{:>3}", Spread::of([])), "  —");
    }
}
