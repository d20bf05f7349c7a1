//! The configurations in the how-tos are those that `interop/57-deploy.sh` and `interop/56-service.sh` run.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;

/// The code blocks of the page in these languages.
fn blocks<'a>(page: &'a str, languages: &[&str]) -> Vec<&'a str> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once("\n```") {
        let (language, after) = after.split_once('\n').unwrap();
        let (block, after) = after.split_once("\n```").unwrap();
        if languages.contains(&language) {
            blocks.push(block);
        }
        rest = after;
    }
    blocks
}

#[test]
fn each_configuration_in_the_how_tos_equals_its_file_in_interop() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = crate_folder.join("../interop/deploy");
    let mut files: Vec<(String, String)> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()))
        .collect();
    let languages = ["nginx", "haproxy", "caddyfile", "ini", "dockerfile", "yaml"];
    let mut found = 0;
    for page in ["docs/how-to.md", "docs/service.md"] {
        let text = fs::read_to_string(crate_folder.join(page)).unwrap();
        for block in blocks(&text, &languages) {
            let place = files.iter().position(|(_, file)| file.trim_end() == block.trim_end());
            let Some(place) = place else {
                panic!("no file in interop/deploy equals this of {page}:\n{block}")
            };
            files.swap_remove(place);
            found += 1;
        }
    }
    assert_eq!(files, [], "no how-to has these");
    assert_eq!(found, 8);
}
