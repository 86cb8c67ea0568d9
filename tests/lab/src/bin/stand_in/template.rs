//! `--format`: as much of Go's templates as the scripts use.

use anyhow::{Context, Result};
use serde_json::Value;

/// Fills in `{{.A.B}}`, `{{index .A "key"}}`, and `{{range .A.B}}…{{end}}`, over the values of an object.
pub(crate) fn render(format: &str, data: &Value) -> Result<String> {
    let Some((before, rest)) = format.split_once("{{") else { return Ok(format.to_owned()) };
    let (action, rest) = rest.split_once("}}").context("a template without its end")?;
    let at = |path: &str| {
        let found = match path.strip_prefix("index ").and_then(|words| words.split_once(' ')) {
            Some((path, key)) => data.pointer(&path.replace('.', "/")).and_then(|map| map.get(key.trim_matches('"'))),
            None => data.pointer(&path.replace('.', "/")),
        };
        found.with_context(|| format!("the stand-in does not know the template {format}"))
    };
    let (text, rest) = match action.strip_prefix("range ") {
        Some(path) => {
            let (each, rest) = rest.split_once("{{end}}").context("a range without its end")?;
            let all = at(path)?.as_object().into_iter().flatten();
            (all.map(|(_, value)| render(each, value)).collect::<Result<String>>()?, rest)
        }
        None => {
            (at(action)?.as_str().map_or_else(|| at(action).map(Value::to_string), |text| Ok(text.to_owned()))?, rest)
        }
    };
    Ok(format!("{before}{text}{}", render(rest, data)?))
}

#[cfg(test)]
mod tests {
    use super::render;
    use serde_json::json;

    #[test]
    fn fields_and_ranges_are_filled_in() -> anyhow::Result<()> {
        let data = json!({ "State": { "Pid": 7 }, "Networks": { "a": { "IP": "x" }, "b": { "IP": "y" } } });
        assert_eq!(render("{{.State.Pid}} is{{range .Networks}} {{.IP}}{{end}}.", &data)?, "7 is x y.");
        assert_eq!(render("{{index .Networks.a \"IP\"}}", &data)?, "x");
        assert!(render("{{.Nothing}}", &data).is_err());
        Ok(())
    }
}
