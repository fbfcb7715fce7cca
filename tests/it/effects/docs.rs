//! `docs/POLICY.md` says what the program does.

use coalmine::actors::effects::{Op, kind::Kind, policy_file::parse, review::review};
use std::{fs, path::Path};

fn document() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/POLICY.md")).unwrap()
}

/// The table of operations, as it stands in the document.
fn table() -> String {
    let mut table = String::from("| operation | needs | arguments | gives |\n|---|---|---|---|\n");
    for op in Op::ALL {
        let row = op.row();
        let needs: Vec<_> = row.needs.iter().map(|kind| format!("`{kind}`")).collect();
        let needs = if needs.is_empty() { "nothing".into() } else { needs.join(" + ") };
        let args = row.args.iter().map(|arg| {
            let optional = if arg.optional { "?" } else { "" };
            format!("`{}`{optional}: {}", arg.name, arg.shape.trim())
        });
        let args: Vec<_> = args.collect();
        let cells = [format!("`{op}`"), needs, args.join(", "), row.gives.to_owned()];
        table.push_str(&format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")));
    }
    table
}

#[test]
fn the_table_of_operations_is_the_one_that_the_program_goes_by() {
    let document = document();
    let (_, rest) = document.split_once("<!-- operations -->\n").expect("the table's beginning");
    let (written, _) = rest.split_once("<!-- end of operations -->").expect("the table's end");
    assert!(written.trim() == table().trim(), "docs/POLICY.md must hold:\n{}", table());
}

#[test]
fn every_kind_is_explained() {
    let document = document();
    for kind in Kind::ALL {
        assert!(document.contains(&format!("`{kind}")), "{kind}");
    }
}

#[test]
fn the_examples_are_policies_that_nothing_is_to_be_said_of() {
    let document = document();
    let examples: Vec<_> = document.split("```toml\n").skip(1).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let policy = parse("example", example.split_once("```").unwrap().0).unwrap();
        assert_eq!(review(&policy), Vec::<String>::new());
    }
}
