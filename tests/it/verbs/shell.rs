//! `completions` and `man`: what shells and `man` read.

use crate::support::{Refusal, Root, names_in};

#[test]
fn each_shell_gets_a_script_that_knows_the_verbs() {
    let root = Root::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        root.coalmine(&["completions", shell]).tells(&["explain", "quarantined"]);
        assert_eq!(root.ask(&["completions", shell])["shell"], shell);
    }
    let unknown = root.coalmine(&["--json", "completions", "tcsh"]);
    assert_eq!((unknown.code, unknown.error()["code"].as_str()), (2, Some("usage")), "{unknown:?}");
    assert_eq!(root.coalmine(&["completions"]).code, 2);
}

#[test]
fn bash_takes_its_script() {
    let root = Root::new();
    root.put("script", &root.coalmine(&["completions", "bash"]).out);
    let script = root.folder().join("script");
    let asked = "source \"$0\"; COMP_WORDS=(coalmine expl); COMP_CWORD=1; _coalmine coalmine expl coalmine; echo ${COMPREPLY[@]}";
    let bash = std::process::Command::new("bash").args(["--norc", "-c", asked]).arg(&script).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&bash.stdout).trim(), "explain", "{bash:?}");
}

#[test]
fn the_manual_is_one_page_or_one_a_verb() {
    let root = Root::new();
    root.coalmine(&["man"]).tells(&[".TH coalmine 1", "Exit codes"]);
    root.put("man1/keep", "");
    let folder = root.folder().join("man1");
    root.coalmine(&["man", folder.to_str().unwrap()]).tells(&["wrote", "pages to"]);
    let pages = names_in(&folder);
    for page in ["coalmine.1", "coalmine-create.1", "coalmine-explain.1", "keep"] {
        assert!(pages.iter().any(|name| name == page), "{page} is not among {pages:?}");
    }
    let explain = std::fs::read_to_string(folder.join("coalmine-explain.1")).unwrap();
    assert!(explain.contains("coalmine\\-explain") && explain.contains("what to type"), "{explain}");
}

#[test]
fn a_folder_that_is_not_there_gets_no_page_and_is_not_made() {
    let root = Root::new();
    let nowhere = root.folder().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    let refusal = Refusal { code: "usage", exit: 2, message: "is not a folder", hint: "mkdir -p" };
    refusal.check(&root.coalmine(&["--json", "man", nowhere]), &root.coalmine(&["man", nowhere]));
    assert!(names_in(root.folder()).is_empty(), "{:?}", names_in(root.folder()));
}
