//! Lengths of time: `500ms`, `60s`, `1m30s`.
use std::time::Duration;

const EXPECTED: &str = "a time with its unit, such as 500ms, 60s, 2m or 1m30s, at most 24h";

/// Reads one or several numbers with a unit (`ms`, `s`, `m`, `h`), largest unit first. The error says what was expected.
pub fn parse(text: &str) -> Result<Duration, String> {
    read(text).filter(|time| *time <= Duration::from_secs(24 * 3600)).ok_or_else(|| EXPECTED.to_owned())
}

fn read(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_lowercase).count();
        let unit = milliseconds(&rest[..letters]).filter(|unit| *unit < smallest)?;
        rest = &rest[letters..];
        smallest = unit;
        total = total.checked_add(Duration::from_millis(number.checked_mul(unit)?))?;
    }
    (smallest < u64::MAX).then_some(total)
}

/// As [`parse`] reads it: `500ms`, `1m30s`.
pub fn show(time: Duration) -> String {
    let mut rest = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for unit in ["h", "m", "s", "ms"] {
        let size = milliseconds(unit).unwrap_or(1);
        if rest >= size {
            text += &format!("{}{unit}", rest / size);
            rest %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn milliseconds(unit: &str) -> Option<u64> {
    match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        for (text, ms) in
            [("500ms", 500), ("60s", 60_000), ("2m", 120_000), ("1m30s", 90_000), ("24h", 86_400_000), ("0s", 0)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
            let shown = show(Duration::from_millis(ms));
            assert_eq!(parse(&shown), Ok(Duration::from_millis(ms)), "{shown}");
        }
        for text in ["", "60", "s", "1.5s", "-1s", "1s1m", "1s1s", "1d", "25h", "99999999999999999999s", "1 s", "1S"] {
            assert_eq!(parse(text), Err(EXPECTED.to_owned()), "{text}");
        }
    }
}
