//! The library's words as an operator reads them: its fields are flags, and what it does are commands.
//!
//! Below `cli` a message names a field (`` `max_zoom` ``), a field with its value (`` `on_error = skip` ``) or an item of the
//! library (`` `archive::convert` ``) in backticks. Here, and only here, these become `--max-zoom`, `--on-error skip` and
//! `` `hypso convert` ``.

use std::borrow::Cow;

use crate::error::Error;

/// Fields whose flag is their name.
const FIELDS: [&str; 33] = [
    "admin",
    "against",
    "allow_remote",
    "assume_crs",
    "bbox",
    "blend",
    "coverage",
    "encoder",
    "encoding",
    "fill_gaps",
    "finer",
    "finer_lineage",
    "ignore_space",
    "jobs",
    "keep_intermediates",
    "lineage",
    "listen",
    "max_zoom",
    "memory",
    "min_zoom",
    "on_duplicate",
    "on_error",
    "on_overlap",
    "overwrite",
    "packs",
    "public_url",
    "resume_from",
    "scheme",
    "shard",
    "tile_size",
    "tmpdir",
    "update",
    "vertical_datum",
];

/// Fields whose flag has another name.
const OTHERS: [(&str, &str); 7] = [
    ("area", "--bbox or --clip"),
    ("pattern", "--split"),
    ("set", "--set KEY=VALUE"),
    ("source_roots", "--source-root"),
    ("sources", "--source"),
    ("units", "--unit"),
    ("zooms", "--zoom"),
];

/// Items of the library, and the commands that do the same.
const COMMANDS: [(&str, &str); 16] = [
    ("archive::Selection", "hypso extract"),
    ("archive::convert", "hypso convert"),
    ("archive::edit", "hypso edit"),
    ("archive::summary", "hypso inspect"),
    ("archive::write_patch", "hypso diff -o"),
    ("catalog::Known", "hypso build --update"),
    ("export::export", "hypso export"),
    ("plan::Plan", "hypso plan"),
    ("publish::Publication", "hypso publish"),
    ("publish::Publication::versions", "hypso publish --list"),
    ("sample::write", "hypso sample"),
    ("store::Builder", "hypso build"),
    ("store::report", "hypso info"),
    ("store::verify", "hypso verify"),
    ("worker::PlanFile", "hypso plan --export"),
    ("worker::ShardPlan", "hypso plan --shards"),
];

/// The flag of a field; `set.KEY` is a key of `--set`.
fn flag(field: &str) -> Option<Cow<'static, str>> {
    if let Some(key) = field.strip_prefix("set.") {
        return Some(format!("--set {key}").into());
    }
    let other = OTHERS.iter().find(|(name, _)| *name == field).map(|(_, flag)| Cow::Borrowed(*flag));
    other.or_else(|| FIELDS.contains(&field).then(|| format!("--{}", field.replace('_', "-")).into()))
}

/// What stands for a name in backticks, where it is one of ours.
fn shown(name: &str) -> Option<String> {
    if let Some((_, command)) = COMMANDS.iter().find(|(item, _)| *item == name) {
        return Some(format!("`{command}`"));
    }
    match name.split_once(" = ") {
        Some((field, value)) => {
            let between = if field.starts_with("set.") { '=' } else { ' ' };
            flag(field).map(|flag| format!("{flag}{between}{value}"))
        }
        None => flag(name).map(Cow::into_owned),
    }
}

/// A text of the library for the operator.
pub fn of(text: &str) -> Cow<'_, str> {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len() < 3 {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (n, part) in parts.iter().enumerate() {
        // A backtick without its partner is one.
        match (n % 2 == 1 && n + 1 < parts.len()).then(|| shown(part)) {
            Some(Some(shown)) => out += &shown,
            Some(None) => out.extend(["`", part, "`"]),
            None if n % 2 == 1 => out.extend(["`", part]),
            None => out += part,
        }
    }
    Cow::Owned(out)
}

/// An error for the operator, its causes included.
pub fn error(error: &Error) -> String {
    match error {
        Error::Argument { field, problem } => {
            format!("{}: {}", flag(field).unwrap_or(Cow::Borrowed(field)), of(problem))
        }
        other => of(&format!("{other:#}")).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn fields_become_flags_and_items_commands() {
        for (text, shown) in [
            ("say `on_error = skip`, or `overwrite` it", "say --on-error skip, or --overwrite it"),
            ("rewrite it (`archive::convert` with `set.a = b`)", "rewrite it (`hypso convert` with --set a=b)"),
            ("say `band = 1` in `hypso.toml`", "say `band = 1` in `hypso.toml`"),
            ("one ` alone, `update", "one ` alone, `update"),
            ("`", "`"),
            ("an `update` and one ` more", "an --update and one ` more"),
        ] {
            assert_eq!(of(text), shown);
        }
        assert_eq!(error(&Error::argument("set.format", "is `no` format")), "--set format: is `no` format");
        assert_eq!(error(&Error::argument("a.tif", "is none")), "a.tif: is none");
    }

    #[test]
    fn every_flag_and_command_exists() {
        let program = super::super::Cli::command();
        let all: Vec<&clap::Command> = std::iter::once(&program).chain(program.get_subcommands()).collect();
        let has = |c: &clap::Command, flag: &str| c.get_arguments().any(|a| a.get_long() == Some(&flag[2..]));
        let flags = FIELDS.into_iter().chain(OTHERS.map(|(field, _)| field)).filter_map(flag);
        for flag in flags {
            for name in flag.split(' ').filter(|word| word.starts_with("--")) {
                assert!(all.iter().any(|c| has(c, name)), "no command has {name}");
            }
        }
        for (_, command) in COMMANDS {
            let mut words = command.split(' ').skip(1);
            let name = words.next().unwrap();
            let found = all.iter().find(|c| c.get_name() == name).unwrap_or_else(|| panic!("there is no {command}"));
            for flag in words.filter(|word| word.starts_with("--")) {
                assert!(has(found, flag), "{command}");
            }
        }
    }

    /// What messages may name in backticks without being an option or a step: keys of files, other tools.
    const NAMES: [&str; 7] = ["band", "from_bytes", "index::id", "nodata", "offset", "scale", "unit"];

    #[test]
    fn below_cli_messages_name_fields_and_items_only() {
        let mut problems = Vec::new();
        for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
            for literal in literals(&std::fs::read_to_string(&path).unwrap()) {
                let place = |what: &str| format!("{}: {what}: {literal:?}", path.display());
                problems.extend(wrong(&literal).map(|what| place(&what)));
            }
        }
        assert_eq!(problems, Vec::<String>::new());
    }

    #[test]
    fn the_check_of_messages_can_fail() {
        for text in ["say --overwrite", "run `hypso verify`", "next: hypso work", "set `overwritten`", "`x::y`"] {
            assert!(wrong(text).is_some(), "{text}");
        }
        for text in ["a--b", "set `overwrite`", "`on_error = skip`", "`gdal2tiles.py --profile x`", "hypso plan 2"] {
            assert_eq!(wrong(text), None, "{text}");
        }
        let code = "// \"no\"\nlet a = \"a\\\"b\"; let c = '\"'; /* \"no\" */ r#\"raw \"text\"\"#; // x\n#[cfg(test)]\nmod t { \"no\" }";
        assert_eq!(literals(code), ["a\\\"b", "raw \"text\""]);
    }

    /// What a library must not say, where a text says it.
    fn wrong(text: &str) -> Option<String> {
        let commands = ["aggregate", "build", "convert", "export", "extract", "info", "inspect", "verify", "work"];
        if commands.iter().any(|c| text.contains(&format!("hypso {c}"))) || text.contains("`hypso ") {
            return Some("names a command".into());
        }
        for (n, part) in text.split('`').enumerate() {
            let dashes = part.match_indices("--").any(|(at, _)| {
                let before = part[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '-');
                before && part[at + 2..].starts_with(|c: char| c.is_ascii_lowercase())
            });
            if n % 2 == 0 && dashes {
                return Some("names a flag".into());
            }
            let name = part.split(" = ").next().unwrap_or(part);
            let named = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_:.".contains(c));
            let known = shown(part).is_some() || NAMES.contains(&name) || name.ends_with(".toml");
            if n % 2 == 1 && n + 1 < text.split('`').count() && named && !known {
                return Some(format!("{part} is neither a field nor an item of the tables above"));
            }
        }
        None
    }

    /// The files of the library below `cli`.
    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        // A sample carries a README for people, which is no message.
        let below = entries.filter(|path| !path.ends_with("src/cli") && !path.ends_with("src/sample/write.rs"));
        let found = below.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
        found.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
    }

    /// The texts between quotes in code, up to its tests.
    fn literals(code: &str) -> Vec<String> {
        let end = code.find("#[cfg(test)]").unwrap_or(code.len());
        let mut rest = &code[..end];
        let mut found = Vec::new();
        while let Some(c) = rest.chars().next() {
            let skip = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |n| n + 2)
            } else if rest.starts_with("'\"'") || rest.starts_with("'\\") {
                rest[2..].find('\'').map_or(rest.len(), |n| n + 3)
            } else if let Some(text) = rest.strip_prefix("r#\"") {
                let length = text.find("\"#").unwrap_or(text.len());
                found.push(text[..length].to_owned());
                (length + 5).min(rest.len())
            } else if let Some(text) = rest.strip_prefix('"') {
                let mut escaped = false;
                let end = text.find(|c| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                });
                let length = end.unwrap_or(text.len());
                found.push(text[..length].to_owned());
                (length + 2).min(rest.len())
            } else {
                c.len_utf8()
            };
            rest = &rest[skip..];
        }
        found
    }
}
