//! `cutover.yml` → `Config`: the only reader of YAML.
