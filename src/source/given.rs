//! What results call files of paths that somebody typed.

use std::path::{Path, PathBuf};

use crate::escape::escape;

/// Paths that somebody typed. What stands before the last part of one is of this machine only: folders are named after people,
/// customers and projects, and results are handed over.
#[derive(Clone, Debug, Default)]
pub(crate) struct GivenPaths {
    /// Each with what results call it; those that are inside of others come first.
    named: Vec<(PathBuf, String)>,
}

impl GivenPaths {
    /// Of two that end alike, the second has a number behind its name.
    pub(crate) fn new<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Self {
        let mut named: Vec<(PathBuf, String)> = Vec::new();
        for path in paths {
            if named.iter().any(|(known, _)| known == path) {
                continue;
            }
            let last = path.file_name().map_or_else(String::new, |name| escape(name.as_encoded_bytes()).into_owned());
            let is_taken = |name: &String| named.iter().any(|(_, known)| known == name);
            let numbered = (2..).map(|number| format!("{last} ({number})"));
            let name = std::iter::once(last.clone()).chain(numbered).find(|name| !is_taken(name));
            named.push((path.to_owned(), name.unwrap_or_default()));
        }
        named.sort_by_key(|(path, _)| std::cmp::Reverse(path.components().count()));
        Self { named }
    }

    /// What results call a path, harmless to show. One that is below none of these has its last part only.
    pub(crate) fn name(&self, path: &Path) -> String {
        let inside = self.named.iter().find_map(|(given, name)| Some((name, path.strip_prefix(given).ok()?)));
        let shown = |path: &Path| escape(path.as_os_str().as_encoded_bytes()).into_owned();
        match inside {
            Some((name, rest)) if rest.as_os_str().is_empty() => name.clone(),
            Some((name, rest)) if name.is_empty() => shown(rest),
            Some((name, rest)) => format!("{name}/{}", shown(rest)),
            None => shown(Path::new(path.file_name().unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_with_the_last_part_of_what_was_typed() {
        let given = ["/home/me/export", "/home/you/export", "/home/me/export/inner", ".", "export"];
        let names = GivenPaths::new(given.iter().map(Path::new));
        for (path, name) in [
            ("/home/me/export/a/b.json", "export/a/b.json"),
            ("/home/you/export/a/b.json", "export (2)/a/b.json"),
            ("/home/me/export/inner/b.json", "inner/b.json"),
            ("/home/me/export", "export"),
            ("./a/b.json", "a/b.json"),
            ("export/x\u{202e}", "export (3)/x\\xe2\\x80\\xae"),
            ("/elsewhere/of/me", "me"),
        ] {
            assert_eq!(names.name(Path::new(path)), name, "{path}");
        }
    }
}
