//! What documents and examples show is what people copy.

use std::path::{Path, PathBuf};

/// The sources and the documents of the repository, build folders aside.
fn texts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                texts(&path, found);
            }
        } else if path.extension().is_some_and(|end| end == "rs" || end == "md") {
            found.push(path);
        }
    }
}

/// `Client::url` encodes nothing: an argument in it could lead to any path of the service.
#[test]
fn nothing_shows_an_argument_in_a_url() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    texts(&root, &mut found);
    assert!(found.len() > 100, "{} files were found", found.len());
    let pattern = concat!(".url(", "format");
    let shown: Vec<_> = found
        .iter()
        .filter(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains(pattern)))
        .collect();
    assert!(shown.is_empty(), "use `Client::url_of` or `Client::request` in {shown:?}");
}
