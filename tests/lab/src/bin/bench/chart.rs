//! Bar charts as SVG: medians, with the spread as a line.

use crate::stats::Spread;

const LEFT: f64 = 210.0;
const WIDTH: f64 = 720.0;
const BAR: f64 = 16.0;
const ROW: f64 = 22.0;

/// Bars that belong together.
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) bars: Vec<(String, Spread)>,
}

/// A chart: `unit` is that of every value. Each group has a scale of its own.
pub(crate) fn bars(title: &str, unit: &str, groups: &[Group]) -> String {
    let mut body =
        format!("<text x=\"10\" y=\"24\" class=\"title\">{} ({unit}, median and spread)</text>\n", text(title));
    let mut y = 40.0;
    for group in groups {
        y += ROW;
        body += &format!("<text x=\"10\" y=\"{:.0}\" class=\"group\">{}</text>\n", y - 6.0, text(&group.name));
        let most = group.bars.iter().map(|(_, spread)| spread.most).fold(0.0, f64::max).max(1e-9);
        let x = |value: f64| LEFT + value / most * (WIDTH - LEFT - 150.0);
        for (at, (name, spread)) in group.bars.iter().enumerate() {
            let (middle, class) = (y + BAR / 2.0, if at == 0 { "ours" } else { "other" });
            body += &format!(
                "<text x=\"{:.0}\" y=\"{:.1}\" class=\"name\">{}</text>\n\
                 <rect x=\"{LEFT:.0}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR:.0}\" class=\"{class}\"/>\n\
                 <path d=\"M{:.1} {middle:.1}H{:.1}\" class=\"spread\"/>\n\
                 <text x=\"{:.1}\" y=\"{:.1}\">{spread}</text>\n",
                LEFT - 8.0,
                middle + 4.0,
                text(name),
                (x(spread.median) - LEFT).max(1.0),
                x(spread.least),
                x(spread.most),
                x(spread.most) + 8.0,
                middle + 4.0,
            );
            y += ROW;
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {0:.0}\" width=\"{WIDTH:.0}\" height=\"{0:.0}\">\n\
         <style>text{{font:12px sans-serif;fill:#24292f}}.title{{font-size:15px;font-weight:bold}}.group{{font-weight:bold}}\
         .name{{text-anchor:end}}.ours{{fill:#2f81f7}}.other{{fill:#afb8c1}}.spread{{stroke:#24292f;stroke-width:1.5}}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n",
        y + 10.0
    )
}

fn text(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_time_is_a_longer_bar() {
        let bars_of = |name: &str, value| (name.to_owned(), Spread::of([value]));
        let group = Group { name: "a < b".into(), bars: vec![bars_of("one", 1.0), bars_of("two", 2.0)] };
        let svg = bars("times", "s", &[group]);
        let widths: Vec<f64> =
            svg.split("width=\"").skip(3).filter_map(|rest| rest.split('"').next()?.parse().ok()).collect();
        assert!(svg.contains("a &lt; b") && widths[1] == 2.0 * widths[0], "{widths:?}\n{svg}");
    }
}
